import type { Command } from 'commander';
import { processHealthName } from '../../faces/grpc/process-health.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import type { Terminal } from '../terminal.js';

const examples = `
Examples:
  holdfast health
  holdfast health --server unix:/run/holdfast/holdfast.sock --timeout 5
  holdfast health --process

Exit code 0: the server takes work. 5: it answers, but takes none (it drains). 3: it does not answer.
It says nothing of the HSMs, so that a server whose HSM is away is not restarted for it: holdfast key-store describe
shows those. With --process, 5 says that an HSM is stuck in this process, which wants to be replaced: it goes on while
another one serves, and ends by itself (exit code 75) when none does. Whoever passes the listener may ask; no right is needed, and nothing is written to the audit log.`;

/** `holdfast health`: `grpc.health.v1.Health/Check` of the server as a whole. */
export function addHealthCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('health')
    .description('ask whether the server takes work')
    .option('--process', 'ask whether the process is sound, or an HSM is stuck in it')
    .addHelpText('after', examples);
  addConnectionOptions(command).action(
    withClient<{ process?: true }, []>(terminal, async ({ client, options }) => {
      const ofProcess = options.process === true;
      const status = await client.health(ofProcess ? processHealthName : '');
      if (status !== 'SERVING') {
        const meaning = ofProcess ? 'an HSM is stuck in the process, which wants to be replaced' : 'it takes no work';
        throw new CliError(exitCodes.checkFailed, status, `the server answers ${status}: ${meaning}`);
      }
      await printDone(terminal, options.output, status, { status });
    }),
  );
}

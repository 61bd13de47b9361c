import type { Command } from 'commander';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import type { Terminal } from '../terminal.js';

const examples = `
Examples:
  holdfast health
  holdfast health --server unix:/run/holdfast/holdfast.sock --timeout 5

Exit code 0: the server takes work. 5: it answers, but takes none (it drains). 3: it does not answer.
It says nothing of the HSMs, so that a server whose HSM is away is not restarted for it: holdfast key-store describe
shows those. Whoever passes the listener may ask; no right is needed, and nothing is written to the audit log.`;

/** `holdfast health`: `grpc.health.v1.Health/Check` of the server as a whole. */
export function addHealthCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('health')
    .description('ask whether the server takes work')
    .addHelpText('after', examples);
  addConnectionOptions(command).action(
    withClient<object, []>(terminal, async ({ client, options }) => {
      const status = await client.health();
      if (status !== 'SERVING') {
        throw new CliError(exitCodes.checkFailed, status, `the server answers ${status}: it takes no work`);
      }
      await printDone(terminal, options.output, status, { status });
    }),
  );
}

import type { Command } from 'commander';
import { Option } from 'commander';
import { keyStoreHealthName, liveHealthName, processHealthName } from '../../faces/grpc/health-names.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import type { Terminal } from '../terminal.js';

const examples = `
Examples:
  holdfast health
  holdfast health --server unix:/run/holdfast/holdfast.sock --timeout 5
  holdfast health --live
  holdfast health --key-store default
  holdfast health --process

Exit code 0: SERVING. 5: it answers, and NOT_SERVING. 3: it does not answer.
Without an option it is readiness: 5 while it drains, while the audit log or the catalog cannot be used, and while no key
store serves although one should. Send callers elsewhere then, and do not restart it: holdfast status says why, or is
refused itself while the audit log cannot be written.
--live is liveness: 0 as long as the process answers; restart it for 3 alone. --key-store asks whether the keys of one
can be used in this process. With --process, 5 says that an HSM is stuck in this process, which needs to be replaced: it continues while
another one serves, and ends by itself (exit code 75) when none does. Any caller that the listener accepts may ask; no permission is needed, and nothing is written to the audit log.`;

interface HealthOptions {
  live?: true;
  keyStore?: string;
  process?: true;
}

/** The health name to ask for, and the meaning of NOT_SERVING for it. */
function question({ live, keyStore, process }: HealthOptions): { name: string; meaning: string } {
  if (live === true) return { name: liveHealthName, meaning: 'it is shutting down' };
  if (process === true)
    return { name: processHealthName, meaning: 'an HSM is stuck in the process, which wants to be replaced' };
  if (keyStore !== undefined) return { name: keyStoreHealthName(keyStore), meaning: 'its keys cannot be used here' };
  const why = 'holdfast status says why; if it is refused too, the audit log cannot be written';
  return { name: '', meaning: `it should get no requests; ${why}` };
}

/** `holdfast health`: `grpc.health.v1.Health/Check`. */
export function addHealthCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('health')
    .description('ask whether the server is ready, alive, or can use a key store')
    .addOption(new Option('--live', 'ask whether the process answers at all').conflicts(['keyStore', 'process']))
    .addOption(
      new Option('--key-store <id>', 'ask whether its keys can be used: default, or cks-…').conflicts('process'),
    )
    .option('--process', 'ask whether the process is sound, or an HSM is stuck in it')
    .addHelpText('after', examples);
  addConnectionOptions(command).action(
    withClient<HealthOptions, []>(terminal, async ({ client, options }) => {
      const { name, meaning } = question(options);
      const status = await client.health(name);
      if (status !== 'SERVING') {
        throw new CliError(exitCodes.checkFailed, status, `the server answers ${status}: ${meaning}`);
      }
      await printDone(terminal, options.output, status, { status });
    }),
  );
}

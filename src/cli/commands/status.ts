import type { Command } from 'commander';
import type { GetStatusResponse } from '../../faces/grpc/gen/holdfast/admin/v1/admin_service.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions, type ConnectionOptions } from '../connection.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { toProtoJson, withoutEnumPrefix } from '../proto-json.js';
import { statusLines } from '../status-lines.js';
import type { Terminal } from '../terminal.js';
import { writeJson, writeLines } from '../terminal.js';

const examples = `
Examples:
  holdfast status
  holdfast status --server unix:/run/holdfast/holdfast.sock
  holdfast status --output json | jq '.concerns[]'

It asks the process that answers, and no HSM. Administrators may ask; custom key stores are those of their account.
Exit code 0: all is well. 6: it serves, and something needs attention. 5: callers are refused, or soon will be.
3: it does not answer. 1: it refused to answer; so it does while its audit log cannot be written.`;

/** `holdfast status`: the state of a running server, and its problems. */
export function addStatusCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('status')
    .description('show the state of the server: key stores, members, refused PINs, certificates, audit log, disks')
    .addHelpText('after', examples);
  addConnectionOptions(command).action(
    withClient<object, []>(terminal, async ({ client, options }) => {
      const status = await client.call('getStatus', {});
      await print(terminal, options.output, status);
      const severity = withoutEnumPrefix('severity', status.severity ?? 'SEVERITY_FAILURE');
      if (severity === 'OK') return;
      const count = status.concerns.length;
      const message = `${count} ${count === 1 ? 'thing needs' : 'things need'} attention`;
      throw new CliError(severity === 'WARNING' ? exitCodes.degraded : exitCodes.checkFailed, severity, message);
    }),
  );
}

async function print(
  terminal: Terminal,
  output: ConnectionOptions['output'],
  status: GetStatusResponse,
): Promise<void> {
  if (output === 'json') return writeJson(terminal.stdout, toProtoJson(status));
  return writeLines(terminal.stdout, statusLines(status));
}

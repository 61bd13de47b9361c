import type { Command } from 'commander';
import type { RotatePinResponse } from '../../faces/grpc/gen/holdfast/admin/v1/credential_service.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import { addPasswordOptions, hasPasswordOption, type PasswordOptions, readPassword } from '../password.js';
import { withoutEnumPrefix } from '../proto-json.js';
import type { Terminal } from '../terminal.js';

const examples = `
Examples:
  holdfast key-store rotate-pin cks-1234567890abcdef0 --dry-run
  holdfast key-store rotate-pin cks-1234567890abcdef0
  holdfast key-store rotate-pin cks-1234567890abcdef0 --password-file new.pin

Without a password the server makes a random PIN, which nobody is shown: to know it, give one. No call fails meanwhile. Run
it again to continue after an interruption; the server also continues by itself. Exit code 6: a member could not be changed
yet, because it is away for example; it gets the new PIN when it returns. 1: no member was changed.`;

/** `holdfast key-store rotate-pin`: the PIN on all members and in the catalog. */
export function addRotatePin(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('rotate-pin <key-store-id>')
    .description('change the PIN on every HSM of a connected custom key store, while the server serves')
    .option('--dry-run', 'only show the members')
    .addHelpText('after', examples);
  addConnectionOptions(addPasswordOptions(command)).action(
    withClient<PasswordOptions & { dryRun?: boolean }, [string]>(
      terminal,
      async ({ client, options }, customKeyStoreId) => {
        const keyStorePassword = hasPasswordOption(options) ? await readPassword(terminal, options) : undefined;
        const { dryRun } = options;
        const response = await client.call('rotatePin', { customKeyStoreId, keyStorePassword, dryRun });
        await printDone(terminal, options.output, lines(response), response);
        if (response.complete === true || dryRun === true) return;
        const pending = response.pendingMemberName ?? 'a member';
        throw new CliError(exitCodes.degraded, 'NOT_COMPLETE', `${pending} could not be changed yet; the log says why`);
      },
    ),
  );
}

function lines({ complete, members }: RotatePinResponse): string[] {
  const shown = members.map(
    ({ memberName, phase }) => `${memberName}: ${withoutEnumPrefix('pin_phase', phase ?? 'PIN_PHASE_UNSPECIFIED')}`,
  );
  return complete === true ? [...shown, 'every member and the catalog have the new PIN'] : shown;
}

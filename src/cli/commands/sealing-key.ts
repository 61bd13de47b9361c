import type { Command } from 'commander';
import type { RotateSealingKeyResponse } from '../../faces/grpc/gen/holdfast/admin/v1/credential_service.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import type { Terminal } from '../terminal.js';

const examples = `
Examples:
  holdfast sealing-key rotate --dry-run
  holdfast sealing-key rotate && echo the old sealing key may be removed

First put the new key in front of the old one in sealingKeys, and restart every process on the catalog: one that lacks the
new key cannot connect a key store any more. Passwords stay the same: no HSM is asked, and no call fails. Exit code 5:
some passwords could not be unsealed; the old sealing key is still needed, or they must be set again.`;

/** `holdfast sealing-key …`. */
export function addSealingKeyCommands(program: Command, terminal: Terminal): void {
  const sealingKey = program.command('sealing-key').description('the keys that seal passwords in the catalog');
  const command = sealingKey
    .command('rotate')
    .description('seal every password under the first sealing key of the configuration, while the server serves')
    .option('--dry-run', 'only say how many')
    .addHelpText('after', examples);
  addConnectionOptions(command).action(
    withClient<{ dryRun?: boolean }, []>(terminal, async ({ client, options }) => {
      const response = await client.call('rotateSealingKey', { dryRun: options.dryRun });
      await printDone(terminal, options.output, sentence(response, options.dryRun === true), response);
      const { unreadableCustomKeyStoreIds: unreadable } = response;
      if (unreadable.length === 0) return;
      throw new CliError(
        exitCodes.checkFailed,
        'NOT_RESEALED',
        `the password of ${unreadable.join(', ')} cannot be unsealed; set it again, or add the sealing key that sealed it`,
      );
    }),
  );
}

function sentence(response: RotateSealingKeyResponse, dryRun: boolean): string {
  const { sealingKeyId, resealedPasswords = 0, currentPasswords = 0 } = response;
  const would = dryRun ? 'would be' : 'were';
  return `${passwords(resealedPasswords)} ${would} sealed under ${sealingKeyId}; ${currentPasswords} had it already`;
}

function passwords(count: number): string {
  return count === 1 ? '1 password' : `${count} passwords`;
}

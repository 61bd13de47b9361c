import type { Command } from 'commander';
import type { RotatePinResponse } from '../../faces/grpc/gen/holdfast/admin/v1/credential_service.js';
import { withClient } from '../client-action.js';
import type { KmsClient } from '../client.js';
import { addConnectionOptions, type ConnectionOptions } from '../connection.js';
import { CliError, exitCodes, usageError } from '../exit-codes.js';
import { printDone } from '../output.js';
import { addPasswordOptions, hasPasswordOption, type PasswordOptions, readPassword } from '../password.js';
import { PinFile } from '../pin-file.js';
import { withoutEnumPrefix } from '../proto-json.js';
import type { Terminal } from '../terminal.js';

const explanation = `
Without a password the server makes a random PIN, of at least 128 bits. --show-pin shows it on the terminal, --pin-out FILE
writes it to a new file (mode 0600); otherwise nobody is shown it. No call fails meanwhile. Run it again to continue after an interruption; the server also continues by itself. Exit code 6: a member could not be changed
yet, because it is away for example; it gets the new PIN when it returns. 1: no member was changed.
The default key store is named by its cluster. Its configuration is not written: put the new PIN there afterwards.`;

/** `holdfast key-store rotate-pin`: the PIN on all members and in the catalog. */
export function addRotatePinOfKeyStore(parent: Command, terminal: Terminal): void {
  const example = 'holdfast key-store rotate-pin cks-1234567890abcdef0';
  addRotatePin(parent, terminal, { argument: '<key-store-id>', example, keyStoreId: (_, given) => given });
}

/** `holdfast cluster rotate-pin`: the same, for the key store of this cluster, which may be the default one. */
export function addRotatePinOfCluster(parent: Command, terminal: Terminal): void {
  const example = 'holdfast cluster rotate-pin cluster-a2b3c4d5e6f';
  addRotatePin(parent, terminal, { argument: '<cluster-id>', example, keyStoreId: keyStoreOfCluster });
}

interface RotatePinOptions extends PasswordOptions {
  dryRun?: boolean;
  showPin?: boolean;
  pinOut?: string;
}

/** How one of the two commands names the key store. */
interface Naming {
  argument: string;
  example: string;
  keyStoreId: (client: KmsClient, given: string) => string | Promise<string>;
}

function addRotatePin(parent: Command, terminal: Terminal, { argument, example, keyStoreId }: Naming): void {
  const command = parent
    .command(`rotate-pin ${argument}`)
    .description('change the PIN on every HSM of a connected key store, while the server serves')
    .option('--dry-run', 'only show the members')
    .option('--show-pin', 'show the random PIN on this terminal')
    .option('--pin-out <file>', 'write the random PIN to a file that does not exist yet')
    .addHelpText('after', `\nExamples:\n  ${example} --dry-run\n  ${example} --password-file new.pin\n${explanation}`);
  addConnectionOptions(addPasswordOptions(command)).action(
    withClient<RotatePinOptions, [string]>(terminal, async ({ client, options }, given) => {
      requireTarget(terminal, options);
      const customKeyStoreId = await keyStoreId(client, given);
      const keyStorePassword = hasPasswordOption(options) ? await readPassword(terminal, options) : undefined;
      const { dryRun } = options;
      const showPin = options.showPin === true || options.pinOut !== undefined;
      using target = options.pinOut === undefined ? undefined : new PinFile(options.pinOut);
      const call = { customKeyStoreId, keyStorePassword, dryRun, ...(showPin && { showPin }) };
      const { generatedPin, ...response } = await client.call('rotatePin', call);
      if (generatedPin !== undefined) target?.write(generatedPin);
      const shown = options.showPin === true && generatedPin !== undefined ? [`PIN: ${textOf(generatedPin)}`] : [];
      await printDone(terminal, options.output, [...lines(response), ...shown], response);
      if (response.complete === true || dryRun === true) return;
      const pending = response.pendingMemberName ?? 'a member';
      throw new CliError(exitCodes.degraded, 'NOT_COMPLETE', `${pending} could not be changed yet; the log says why`);
    }),
  );
}

/** @throws CliError if the PIN would end in a pipe or a log, or is known to the caller */
function requireTarget(terminal: Terminal, options: RotatePinOptions & Pick<ConnectionOptions, 'output'>): void {
  const { showPin, pinOut, dryRun } = options;
  if (showPin !== true && pinOut === undefined) return;
  if (dryRun === true || hasPasswordOption(options))
    throw usageError('--show-pin and --pin-out are for a random PIN that is set: not with a password or --dry-run');
  if (showPin === true && (terminal.stdout.isTTY !== true || options.output === 'json'))
    throw usageError('--show-pin writes to a terminal only', 'use --pin-out <file>');
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

async function keyStoreOfCluster(client: KmsClient, clusterId: string): Promise<string> {
  const { keyStores } = await client.call('getStatus', {});
  const store = keyStores.find((each) => each.clusterId === clusterId);
  // The default key store has the id of its cluster.
  if (store !== undefined) return store.customKeyStoreId ?? clusterId;
  throw new CliError(exitCodes.refused, 'NOT_FOUND', `no key store has the cluster ${clusterId}`, {
    hint: 'holdfast status shows the key stores and their clusters',
  });
}

function lines({ complete, members }: Pick<RotatePinResponse, 'complete' | 'members'>): string[] {
  const shown = members.map(
    ({ memberName, phase }) => `${memberName}: ${withoutEnumPrefix('pin_phase', phase ?? 'PIN_PHASE_UNSPECIFIED')}`,
  );
  return complete === true ? [...shown, 'every member and the catalog have the new PIN'] : shown;
}

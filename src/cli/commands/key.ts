import type { Command } from 'commander';
import { Option } from 'commander';
import { honouredKeySpecs, type KeySpec as KeySpecName } from '../../keys/key-specs.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { parseWholeNumber } from '../number-option.js';
import { printDone, printList, printRecord } from '../output.js';
import { allPages } from '../pages.js';
import type { Terminal } from '../terminal.js';

/** `holdfast key …`. */
export function addKeyCommands(program: Command, terminal: Terminal): void {
  const key = program.command('key').description('KMS keys: create, describe, list, enable, disable, update, delete');
  addCreate(key, terminal);
  addDescribe(key, terminal);
  addList(key, terminal);
  addSwitch(key, terminal, {
    name: 'enable',
    method: 'enableKey',
    description: 'make a disabled key usable again',
    done: 'is enabled',
  });
  addSwitch(key, terminal, {
    name: 'disable',
    method: 'disableKey',
    description: 'stop all use of a key',
    done: 'is disabled',
  });
  addUpdate(key, terminal);
  addScheduleDeletion(key, terminal);
  addCancelDeletion(key, terminal);
}

function addCreate(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('create')
    .description('make a new key in the HSM')
    .addOption(
      new Option('--key-spec <spec>', 'SYMMETRIC_DEFAULT encrypts (AES-256), the others make MACs')
        .choices(honouredKeySpecs)
        .default('SYMMETRIC_DEFAULT'),
    )
    .option('--description <text>', 'free text, up to 8192 characters')
    .option('--key-store-id <id>', 'custom key store to make it in (default: the default key store)')
    .addHelpText(
      'after',
      `
Examples:
  holdfast key create --description "card numbers"
  holdfast key create --key-spec HMAC_256 --description "webhooks"
  holdfast key create --key-store-id cks-1234567890abcdef0 --output json | jq -r .key_metadata.key_id`,
    );
  addConnectionOptions(command).action(
    withClient<CreateOptions, []>(terminal, async ({ client, options }) => {
      const { description, keyStoreId } = options;
      // As with AWS, the origin must be given with a key store.
      const origin = keyStoreId === undefined ? undefined : await cloudHsmOrigin();
      const kind = await kindFields(options.keySpec);
      const request = { description, customKeyStoreId: keyStoreId, origin, ...kind, tags: [] };
      const response = await client.call('createKey', request);
      await printRecord(terminal, options.output, options.output === 'json' ? response : (response.keyMetadata ?? {}));
    }),
  );
}

interface CreateOptions {
  keySpec: KeySpecName;
  description?: string;
  keyStoreId?: string;
}

/** A spec of the table has one usage, so far as its keys are made. */
async function kindFields(name: KeySpecName) {
  if (name === 'SYMMETRIC_DEFAULT') return {};
  const { KeySpec } = await import('../../faces/grpc/gen/holdfast/kms/v1/algorithms.js');
  const { KeyUsage } = await import('../../faces/grpc/gen/holdfast/kms/v1/key_metadata.js');
  return { keySpec: KeySpec[name], keyUsage: KeyUsage.GENERATE_VERIFY_MAC };
}

async function cloudHsmOrigin() {
  const { Origin } = await import('../../faces/grpc/gen/holdfast/kms/v1/key_metadata.js');
  return Origin.AWS_CLOUDHSM;
}

function addDescribe(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('describe <key-id>')
    .description('show a key, its state and its custody (key id, key ARN, alias name or alias ARN)')
    .addHelpText('after', '\nExample:\n  holdfast key describe alias/payments');
  addConnectionOptions(command).action(
    withClient<object, [string]>(terminal, async ({ client, options }, keyId) => {
      const response = await client.call('describeKey', { keyId, grantTokens: [] });
      await printRecord(terminal, options.output, options.output === 'json' ? response : (response.keyMetadata ?? {}));
    }),
  );
}

function addList(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('list')
    .description('list all keys')
    .addHelpText('after', '\nExample:\n  holdfast key list --output json');
  addConnectionOptions(command).action(
    withClient(terminal, async ({ client, options }) => {
      const items = await allPages(async (marker) => {
        const { keys, ...page } = await client.call('listKeys', { marker, resourceOwners: [] });
        return { ...page, items: keys };
      });
      await printList(terminal, options.output, { name: 'keys', items, columns: ['key_id', 'key_arn'] });
    }),
  );
}

interface Switch {
  name: string;
  method: 'enableKey' | 'disableKey';
  description: string;
  done: string;
}

function addSwitch(parent: Command, terminal: Terminal, { name, method, description, done }: Switch): void {
  const command = parent
    .command(`${name} <key-id>`)
    .description(`${description} (key id or key ARN)`)
    .addHelpText('after', `\nExample:\n  holdfast key ${name} 1234abcd-12ab-34cd-56ef-1234567890ab`);
  addConnectionOptions(command).action(
    withClient<object, [string]>(terminal, async ({ client, options }, keyId) => {
      await client.call(method, { keyId });
      await printDone(terminal, options.output, `${keyId} ${done}`);
    }),
  );
}

function addUpdate(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('update <key-id>')
    .description('replace the description of a key (key id or key ARN)')
    .requiredOption('--description <text>', 'free text, up to 8192 characters; "" removes it')
    .addHelpText(
      'after',
      '\nExample:\n  holdfast key update 1234abcd-12ab-34cd-56ef-1234567890ab --description "card numbers, old"',
    );
  addConnectionOptions(command).action(
    withClient<{ description: string }, [string]>(terminal, async ({ client, options }, keyId) => {
      await client.call('updateKeyDescription', { keyId, description: options.description });
      await printDone(terminal, options.output, `${keyId} has the new description`);
    }),
  );
}

function addScheduleDeletion(parent: Command, terminal: Terminal): void {
  const days = new Option('--days <n>', 'waiting time, 7 to 30 days (default: 30)').argParser(parseWholeNumber);
  const command = parent
    .command('schedule-deletion <key-id>')
    .description('destroy a key after a waiting time, during which you can cancel it (key id or key ARN)')
    .addOption(days)
    .addHelpText('after', '\nExample:\n  holdfast key schedule-deletion 1234abcd-12ab-34cd-56ef-1234567890ab --days 7');
  addConnectionOptions(command).action(
    withClient<{ days?: number }, [string]>(terminal, async ({ client, options }, keyId) => {
      const response = await client.call('scheduleKeyDeletion', { keyId, pendingWindowInDays: options.days });
      const date = response.deletionDate?.toISOString() ?? 'an unknown date';
      const sentences = [
        `${keyId} cannot be used from now on, and will be destroyed on ${date}`,
        `holdfast key cancel-deletion ${keyId} keeps it`,
      ];
      await printDone(terminal, options.output, sentences, response);
    }),
  );
}

function addCancelDeletion(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('cancel-deletion <key-id>')
    .description('cancel the deletion of a key; it stays disabled (key id or key ARN)')
    .addHelpText('after', '\nExample:\n  holdfast key cancel-deletion 1234abcd-12ab-34cd-56ef-1234567890ab');
  addConnectionOptions(command).action(
    withClient<object, [string]>(terminal, async ({ client, options }, keyId) => {
      const response = await client.call('cancelKeyDeletion', { keyId });
      const sentences = [`${keyId} is kept, and disabled`, `holdfast key enable ${keyId} makes it usable`];
      await printDone(terminal, options.output, sentences, response);
    }),
  );
}

import type { Command } from 'commander';
import { readBlob } from '../blobs.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { usageError } from '../exit-codes.js';
import { awaitState } from '../connection-state.js';
import { printDone, printList, printRecord } from '../output.js';
import { allPages } from '../pages.js';
import type { PasswordOptions } from '../password.js';
import { addPasswordOptions, hasPasswordOption, readPassword } from '../password.js';
import { addRotatePinOfKeyStore } from './rotate-pin.js';
import type { Terminal } from '../terminal.js';

/** `holdfast key-store …`. */
export function addKeyStoreCommands(program: Command, terminal: Terminal): void {
  const keyStore = program
    .command('key-store')
    .description('custom key stores: create, connect, describe, update, disconnect, delete');
  addCreate(keyStore, terminal);
  addConnect(keyStore, terminal);
  addDisconnect(keyStore, terminal);
  addDescribe(keyStore, terminal);
  addUpdate(keyStore, terminal);
  addRotatePinOfKeyStore(keyStore, terminal);
  addDelete(keyStore, terminal);
}

interface CreateOptions extends PasswordOptions {
  name: string;
  clusterId: string;
  trustAnchor: string;
}

function addCreate(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('create')
    .description('create a key store on an HSM cluster of the configuration')
    .requiredOption('--name <name>', 'a name of your choice')
    .requiredOption('--cluster-id <id>', 'cluster-…, as in the configuration of the server')
    .requiredOption('--trust-anchor <file>', 'the trustAnchorCertificate of the cluster (PEM); - for stdin')
    .addHelpText(
      'after',
      `
Examples:
  holdfast key-store create --name main --cluster-id cluster-1a2b3c4d5e6 --trust-anchor anchor.pem
  vault read -field=pin secret/hsm | holdfast key-store create --name main --cluster-id cluster-1a2b3c4d5e6 \\
    --trust-anchor anchor.pem --password-stdin`,
    );
  addConnectionOptions(addPasswordOptions(command)).action(
    withClient<CreateOptions, []>(terminal, async ({ client, options }) => {
      if (options.trustAnchor === '-' && options.passwordStdin === true)
        throw usageError('stdin cannot hold both the certificate and the password');
      const trustAnchorCertificate = (await readBlob(terminal, options.trustAnchor, '--trust-anchor')).toString('utf8');
      const response = await client.call('createCustomKeyStore', {
        customKeyStoreName: options.name,
        cloudHsmClusterId: options.clusterId,
        trustAnchorCertificate,
        keyStorePassword: await readPassword(terminal, options),
        xksProxyAuthenticationCredential: undefined,
      });
      await printRecord(terminal, options.output, response);
    }),
  );
}

function addConnect(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('connect <key-store-id>')
    .description('log in to the HSMs and make the keys usable; runs in the background')
    .option('--wait', 'wait until it is connected or failed, for at most --timeout')
    .addHelpText('after', '\nExample:\n  holdfast key-store connect cks-1234567890abcdef0 --wait --timeout 60');
  addConnectionOptions(command).action(
    withClient<{ wait?: boolean }, [string]>(terminal, async ({ client, options }, customKeyStoreId) => {
      await client.call('connectCustomKeyStore', { customKeyStoreId });
      if (options.wait === true) await awaitState(client, customKeyStoreId, 'CONNECTING');
      const sentence =
        options.wait === true
          ? `${customKeyStoreId} is connected`
          : `${customKeyStoreId} is connecting; holdfast key-store describe ${customKeyStoreId} shows the progress`;
      await printDone(terminal, options.output, sentence);
    }),
  );
}

function addDisconnect(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('disconnect <key-store-id>')
    .description('log out; its keys cannot be used until it is connected again')
    .option('--wait', 'wait until it is disconnected, for at most --timeout')
    .addHelpText('after', '\nExample:\n  holdfast key-store disconnect cks-1234567890abcdef0 --wait');
  addConnectionOptions(command).action(
    withClient<{ wait?: boolean }, [string]>(terminal, async ({ client, options }, customKeyStoreId) => {
      await client.call('disconnectCustomKeyStore', { customKeyStoreId });
      const wait = options.wait === true;
      if (wait) await awaitState(client, customKeyStoreId, 'DISCONNECTING');
      await printDone(terminal, options.output, `${customKeyStoreId} is ${wait ? 'disconnected' : 'disconnecting'}`);
    }),
  );
}

function addDescribe(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('describe [key-store-id]')
    .description('show one custom key store, or all')
    .option('--name <name>', 'the one with this name')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast key-store describe\n  holdfast key-store describe --name main --output json',
    );
  addConnectionOptions(command).action(
    withClient<{ name?: string }, [string | undefined]>(terminal, async ({ client, options }, customKeyStoreId) => {
      const one = customKeyStoreId !== undefined || options.name !== undefined;
      const items = await allPages(async (marker) => {
        const request = { customKeyStoreId, customKeyStoreName: options.name, marker };
        const { customKeyStores, ...page } = await client.call('describeCustomKeyStores', request);
        return { ...page, items: customKeyStores };
      });
      if (one && options.output === 'table') return printRecord(terminal, 'table', items[0] ?? {});
      const columns = [
        'custom_key_store_id',
        'custom_key_store_name',
        'cloud_hsm_cluster_id',
        'connection_state',
        'connection_error_code',
      ];
      await printList(terminal, options.output, { name: 'custom_key_stores', items, columns });
    }),
  );
}

interface UpdateOptions extends PasswordOptions {
  newName?: string;
  clusterId?: string;
  newPassword?: boolean;
}

function addUpdate(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('update <key-store-id>')
    .description('change the name, the password or the cluster of a custom key store')
    .option('--new-name <name>', 'another name')
    .option('--cluster-id <id>', 'another cluster with the same keys')
    .option(
      '--new-password',
      'ask for the new password of the HSM user; a connected store takes one that all members accept',
    )
    .addHelpText(
      'after',
      `
Examples:
  holdfast key-store update cks-1234567890abcdef0 --new-password
  holdfast key-store update cks-1234567890abcdef0 --new-name spare`,
    );
  addConnectionOptions(addPasswordOptions(command)).action(
    withClient<UpdateOptions, [string]>(terminal, async ({ client, options }, customKeyStoreId) => {
      const hasPassword = hasPasswordOption(options) || options.newPassword === true;
      await client.call('updateCustomKeyStore', {
        customKeyStoreId,
        newCustomKeyStoreName: options.newName,
        cloudHsmClusterId: options.clusterId,
        keyStorePassword: hasPassword ? await readPassword(terminal, options, 'New password: ') : undefined,
        xksProxyAuthenticationCredential: undefined,
      });
      await printDone(terminal, options.output, `${customKeyStoreId} is updated`);
    }),
  );
}

function addDelete(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('delete <key-store-id>')
    .description('remove a disconnected custom key store that has no keys; the HSM is left as it is')
    .addHelpText('after', '\nExample:\n  holdfast key-store delete cks-1234567890abcdef0');
  addConnectionOptions(command).action(
    withClient<object, [string]>(terminal, async ({ client, options }, customKeyStoreId) => {
      await client.call('deleteCustomKeyStore', { customKeyStoreId });
      await printDone(terminal, options.output, `${customKeyStoreId} is deleted`);
    }),
  );
}

import type { Command } from 'commander';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { printDone, printList } from '../output.js';
import { allPages } from '../pages.js';
import type { Terminal } from '../terminal.js';

/** `holdfast alias …`. */
export function addAliasCommands(program: Command, terminal: Terminal): void {
  const alias = program.command('alias').description('names for keys: create, list, update, delete');
  addPointing(alias, terminal, {
    name: 'create',
    method: 'createAlias',
    description: 'give a key a name',
    example: 'holdfast alias create alias/payments --target-key-id 1234abcd-12ab-34cd-56ef-1234567890ab',
  });
  addPointing(alias, terminal, {
    name: 'update',
    method: 'updateAlias',
    description: 'point a name at another key',
    example: 'holdfast alias update alias/payments --target-key-id 0987dcba-09fe-87dc-65ba-ab0987654321',
  });
  addList(alias, terminal);
  addDelete(alias, terminal);
}

interface Pointing {
  name: string;
  method: 'createAlias' | 'updateAlias';
  description: string;
  example: string;
}

function addPointing(parent: Command, terminal: Terminal, { name, method, description, example }: Pointing): void {
  const command = parent
    .command(`${name} <alias-name>`)
    .description(`${description} (alias/…)`)
    .requiredOption('--target-key-id <key>', 'key id or key ARN')
    .addHelpText('after', `\nExample:\n  ${example}`);
  addConnectionOptions(command).action(
    withClient<{ targetKeyId: string }, [string]>(terminal, async ({ client, options }, aliasName) => {
      await client.call(method, { aliasName, targetKeyId: options.targetKeyId });
      await printDone(terminal, options.output, `${aliasName} now points at ${options.targetKeyId}`);
    }),
  );
}

function addList(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('list')
    .description('list aliases')
    .option('--key-id <key>', 'only those of this key (key id or key ARN)')
    .addHelpText('after', '\nExample:\n  holdfast alias list');
  addConnectionOptions(command).action(
    withClient<{ keyId?: string }, []>(terminal, async ({ client, options }) => {
      const items = await allPages(async (marker) => {
        const { aliases, ...page } = await client.call('listAliases', { keyId: options.keyId, marker });
        return { ...page, items: aliases };
      });
      await printList(terminal, options.output, {
        name: 'aliases',
        items,
        columns: ['alias_name', 'target_key_id', 'last_updated_date'],
      });
    }),
  );
}

function addDelete(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('delete <alias-name>')
    .description('remove a name; the key stays')
    .addHelpText('after', '\nExample:\n  holdfast alias delete alias/payments');
  addConnectionOptions(command).action(
    withClient<object, [string]>(terminal, async ({ client, options }, aliasName) => {
      await client.call('deleteAlias', { aliasName });
      await printDone(terminal, options.output, `${aliasName} is deleted; its key stays`);
    }),
  );
}

import type { Command } from 'commander';
import { Option } from 'commander';
import { CliError, exitCodes } from '../exit-codes.js';
import { loadForCommand, orCatalogError } from '../local-configuration.js';
import { asOperator } from '../operator-audit.js';
import { printDone } from '../output.js';
import { progressLines } from '../progress.js';
import type { Terminal } from '../terminal.js';
import { defaultConfigurationFile } from './config.js';

interface CatalogCommandOptions {
  config: string;
  output: 'table' | 'json';
}

const initExamples = `
Example:
  holdfast catalog init --config /etc/holdfast/holdfast.yaml

Once, before the first start, on the host of the service and as its user. A catalog that is missing later was lost: without
it no ciphertext can be decrypted, so restore it and do not make another.`;

const backupExamples = `
Examples:
  holdfast catalog backup /backup/catalog-$(date +%F).sqlite --config /etc/holdfast/holdfast.yaml
  docker exec holdfast holdfast catalog backup /backup/catalog.sqlite --config /etc/holdfast/holdfast.yaml

While the service runs, on its host and as its user. The file (0600) is whole and checked, or is not there; none is replaced.
It holds no keys: those are on the tokens. It holds their names and states, and sealed passwords.`;

const restoreExamples = `
Example:
  systemctl stop holdfast
  cd /var/lib/holdfast && mkdir old && mv catalog.sqlite* old/
  holdfast catalog restore /backup/catalog-2026-11-29.sqlite --tombstones-of old/catalog.sqlite --config /etc/holdfast/holdfast.yaml
  systemctl start holdfast && holdfast deletion-hold describe --config /etc/holdfast/holdfast.yaml

As the user of the service, which must not run. Nothing is replaced. Each key's count of encryptions is raised by 2^28, for
those that were made since the backup, and deletions are held until an operator has looked at them.`;

/** Of `holdfast catalog restore`. */
interface RestoreCommandOptions extends CatalogCommandOptions {
  tombstonesOf?: string;
}

/** `holdfast catalog …`. */
export function addCatalogCommands(program: Command, terminal: Terminal): void {
  const catalog = program
    .command('catalog')
    .description('the record of keys, aliases and key stores: create, back up, restore');
  withOptions(catalog.command('init'))
    .description('create an empty catalog at the configured path; never replaces one')
    .addHelpText('after', initExamples)
    .action((options: CatalogCommandOptions) => init(terminal, options));
  withOptions(catalog.command('backup <file>'))
    .description('copy the catalog to a file, while it may be in use')
    .addHelpText('after', backupExamples)
    .action((file: string, options: CatalogCommandOptions) => backup(terminal, file, options));
  withOptions(catalog.command('restore <file>'))
    .description('restore a missing catalog from a backup')
    .option(
      '--tombstones-of <file>',
      'the newer catalog that was moved away: keys that were deleted in it stay deleted',
    )
    .addHelpText('after', restoreExamples)
    .action((file: string, options: RestoreCommandOptions) => restore(terminal, file, options));
}

async function init(terminal: Terminal, options: CatalogCommandOptions): Promise<void> {
  const configuration = await loadForCommand(options.config);
  const { path } = configuration.catalog;
  const { systemClock } = await import('../../clock-system.js');
  const { claimCatalog } = await import('../../storage/catalog-use.js');
  const { createSqliteCatalog } = await import('../../storage/create-catalog.js');
  const create = async (): Promise<boolean> => {
    const claim = claimCatalog(path);
    try {
      return await createSqliteCatalog(path, systemClock);
    } finally {
      claim.release();
    }
  };
  const act = { operation: 'CreateCatalog', resources: [], parameters: { path } } as const;
  await asOperator(configuration, terminal, act, async () => {
    if (!(await orCatalogError(create))) throw occupied(path);
  });
  await printDone(terminal, options.output, `created an empty catalog at ${path}`, { path });
}

async function backup(terminal: Terminal, file: string, options: CatalogCommandOptions): Promise<void> {
  const configuration = await loadForCommand(options.config);
  const { path } = configuration.catalog;
  const { backupCatalog } = await import('../../storage/backup-catalog.js');
  const act = { operation: 'BackupCatalog', resources: [], parameters: { path, file } } as const;
  const onProgress = await progressLines(terminal, options.output, 'copied');
  const made = await asOperator(configuration, terminal, act, () =>
    orCatalogError(() => backupCatalog(path, file, onProgress)),
  );
  const sentence = `backed up ${path} to ${file}: ${made.keys} keys, ${made.bytes} bytes, checked`;
  await printDone(terminal, options.output, sentence, { file, ...inSnakeCase(made) });
}

async function restore(terminal: Terminal, file: string, options: RestoreCommandOptions): Promise<void> {
  const configuration = await loadForCommand(options.config);
  const { path } = configuration.catalog;
  const { systemClock: clock } = await import('../../clock-system.js');
  const { catalogOwner } = await import('../../composition/configured-catalog.js');
  const { restoreCatalog } = await import('../../storage/restore-catalog.js');
  const { tombstonesOf } = options;
  const parameters = { path, file, ...(tombstonesOf === undefined ? {} : { tombstones_of: tombstonesOf }) };
  const act = { operation: 'RestoreCatalog', resources: [], parameters } as const;
  const onProgress = await progressLines(terminal, options.output, 'copied');
  const from = { source: file, target: path, owner: catalogOwner(configuration), clock, onProgress, tombstonesOf };
  const made = await asOperator(configuration, terminal, act, () => orCatalogError(() => restoreCatalog(from)));
  const sentence =
    `restored ${path} from ${file}: ${made.keys} keys; the encryption counts of ${made.raisedMaterials} were raised, ` +
    `${made.forgottenIntents} unfinished creates were left to the tokens, ${made.mergedTombstones} deleted keys taken over; deletions are held: holdfast deletion-hold describe`;
  await printDone(terminal, options.output, sentence, { path, ...inSnakeCase(made) });
}

/** Spells the field names like all other JSON of the command. */
function inSnakeCase(fields: object): object {
  const named = Object.entries(fields).map(([name, value]) => [
    name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    value as unknown,
  ]);
  return Object.fromEntries(named) as object;
}

function occupied(path: string): CliError {
  return new CliError(exitCodes.local, 'CATALOG', `there is something at ${path}, and nothing was changed`, {
    hint: 'holdfast doctor says what it is. To start over, move it and its -wal and -shm away; ciphertexts then need it back',
  });
}

function withOptions(command: Command): Command {
  return command
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'));
}

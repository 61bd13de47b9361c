import type { Command } from 'commander';
import { Option } from 'commander';
import { CliError, exitCodes } from '../exit-codes.js';
import { loadForCommand, orCatalogError } from '../local-configuration.js';
import { asOperator } from '../operator-audit.js';
import { printDone } from '../output.js';
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

/** `holdfast catalog …`. */
export function addCatalogCommands(program: Command, terminal: Terminal): void {
  const catalog = program.command('catalog').description('the record of keys, aliases and key stores: make it');
  addInit(catalog, terminal);
}

function addInit(catalog: Command, terminal: Terminal): void {
  withOptions(catalog.command('init'))
    .description('make an empty catalog where the configuration wants it; never replaces one')
    .addHelpText('after', initExamples)
    .action(async (options: CatalogCommandOptions) => {
      const configuration = await loadForCommand(options.config);
      const { path } = configuration.catalog;
      const { systemClock } = await import('../../clock-system.js');
      const { createSqliteCatalog } = await import('../../storage/create-catalog.js');
      const act = { operation: 'CreateCatalog', resources: [], parameters: { path } } as const;
      await asOperator(configuration, terminal, act, async () => {
        if (!(await orCatalogError(() => createSqliteCatalog(path, systemClock)))) throw occupied(path);
      });
      await printDone(terminal, options.output, `made an empty catalog at ${path}`, { path });
    });
}

function occupied(path: string): CliError {
  return new CliError(exitCodes.local, 'CATALOG', `there is something at ${path}, and nothing was changed`, {
    hint: 'holdfast doctor says what it is. To begin anew, move it and its -wal and -shm away; ciphertexts then need it back',
  });
}

function withOptions(command: Command): Command {
  return command
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'));
}

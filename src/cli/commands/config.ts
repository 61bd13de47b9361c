import type { Command } from 'commander';
import { Option } from 'commander';
import { CliError, exitCodes } from '../exit-codes.js';
import type { Terminal } from '../terminal.js';
import { write, writeJson, writeLine } from '../terminal.js';

/** The file that `serve`, `doctor` and `config check` read by default. */
export const defaultConfigurationFile = 'holdfast.yaml';

/** `holdfast config …`. */
export function addConfigCommands(program: Command, terminal: Terminal): void {
  const config = program.command('config').description('the configuration file: check it, print an example, make ids');
  addCheck(config, terminal);
  config
    .command('print-example')
    .description('print a configuration with every option and its meaning')
    .addHelpText('after', '\nExample:\n  holdfast config print-example > holdfast.yaml')
    .action(async () => {
      const { exampleConfiguration } = await import('../../config/example.js');
      await write(terminal.stdout, exampleConfiguration());
    });
  config
    .command('new-id')
    .description('make a new cluster id')
    .addHelpText('after', '\nExample:\n  holdfast config new-id')
    .action(async () => {
      const { newClusterId } = await import('../../config/new-id.js');
      await writeLine(terminal.stdout, newClusterId());
    });
}

function addCheck(config: Command, terminal: Terminal): void {
  config
    .command('check [file]')
    .description(
      `check a configuration file (default: ${defaultConfigurationFile}); reads no secret and touches no HSM`,
    )
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addHelpText(
      'after',
      '\nExample:\n  holdfast config check /etc/holdfast/holdfast.yaml\n\nFiles of client authorities and revocation lists are checked if they exist: those that would turn every client away are\nproblems. holdfast doctor checks everything that the file names: modules, tokens, certificates, secrets.',
    )
    .action(async (file: string | undefined, options: { output: 'table' | 'json' }) => {
      const { loadConfiguration } = await import('../../config/load.js');
      const { ConfigurationError, formatProblem } = await import('../../config/problem.js');
      const path = file ?? defaultConfigurationFile;
      const { clientFileProblems } = await import('../doctor/client-files.js');
      const problems = await loadConfiguration(path).then(
        (configuration) => clientFileProblems(configuration, new Date()),
        (error: unknown) => {
          if (error instanceof ConfigurationError) return error.problems;
          throw error;
        },
      );
      if (options.output === 'json') await writeJson(terminal.stdout, { file: path, problems });
      else if (problems.length === 0) await writeLine(terminal.stdout, `${path} is fine`);
      else for (const problem of problems) await writeLine(terminal.stdout, formatProblem(problem));
      if (problems.length > 0) {
        throw new CliError(
          exitCodes.checkFailed,
          'CONFIGURATION',
          `${path} has ${problems.length} problem${problems.length === 1 ? '' : 's'}`,
        );
      }
    });
}

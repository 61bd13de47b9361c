import type { Command } from 'commander';
import { Option } from 'commander';
import type { NamedFinding } from '../../preconditions/precondition.js';
import { CliError, exitCodes } from '../exit-codes.js';
import type { Terminal } from '../terminal.js';
import { writeJson, writeLine } from '../terminal.js';
import { defaultConfigurationFile } from './config.js';

interface DoctorOptions {
  config: string;
  tryPin?: boolean;
  output: 'table' | 'json';
}

const examples = `
Examples:
  holdfast doctor --config /etc/holdfast/holdfast.yaml
  holdfast doctor --output json | jq '.findings[] | select(.status != "ok")'

Run it as the user of the service. Each finding has a check, a status (ok, warn, fail), a subject, a message and a remedy.
A failure prevents the start (serve refuses with the same words), or the service (serve starts, and logs the finding).
Exit code 0: nothing failed, though there may be warnings. 5: something failed, perhaps the configuration itself.

No PIN is tried unless --try-pin is given. Then the PIN of the default key store is tried once, as the service would:
a wrong one costs one of the few attempts that the token allows, and is not tried again until it is changed.`;

/** `holdfast doctor`. */
export function addDoctorCommand(program: Command, terminal: Terminal): void {
  program
    .command('doctor')
    .description('check what the configuration names: modules, tokens, certificates, secrets, files, catalog, clock')
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .option('--try-pin', 'log in to the default key store, once')
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addHelpText('after', examples)
    .action(async (options: DoctorOptions) => {
      const findings = await findAll(terminal, options);
      await print(terminal, options.output, findings);
      const failed = findings.filter(({ status }) => status === 'fail').length;
      if (failed > 0) {
        throw new CliError(exitCodes.checkFailed, 'DOCTOR', `${failed} of ${findings.length} checks failed`);
      }
    });
}

async function findAll(terminal: Terminal, options: DoctorOptions): Promise<NamedFinding[]> {
  const { loadConfiguration } = await import('../../config/load.js');
  const { ConfigurationError } = await import('../../config/problem.js');
  const { examine, named } = await import('../doctor/examine.js');
  const { refuse } = await import('../../preconditions/finding.js');
  try {
    const configuration = await loadConfiguration(options.config);
    const findings = await examine(configuration, terminal.environment, new Date());
    if (options.tryPin !== true) return findings;
    const { tryPin } = await import('../doctor/pin.js');
    return [...findings, ...named('login', [await tryPin(configuration, terminal.environment)])];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.flatMap(({ path, message }) => {
      const subject = `configuration ${path}`.trimEnd();
      return named('configuration', [refuse(subject, message, 'holdfast config print-example explains each line')]);
    });
  }
}

async function print(
  terminal: Terminal,
  output: DoctorOptions['output'],
  findings: readonly NamedFinding[],
): Promise<void> {
  if (output === 'json') return writeJson(terminal.stdout, { findings });
  for (const { status, subject, message, remedy } of findings) {
    await writeLine(terminal.stdout, `${status.padEnd(4)}  ${subject}: ${message}`);
    if (remedy !== undefined) await writeLine(terminal.stdout, `      → ${remedy}`);
  }
}

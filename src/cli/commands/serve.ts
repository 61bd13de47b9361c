import type { Command } from 'commander';
import type { NamedFinding } from '../../preconditions/precondition.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { configurationError } from '../local-configuration.js';
import { defaultConfigurationFile } from './config.js';

const examples = `
Example:
  holdfast serve --config /etc/holdfast/holdfast.yaml

SIGTERM and SIGINT drain: no new work, what is in flight finishes, within limits.drainTimeoutMs.
Where an HSM is stuck in this process and nothing else serves, it drains by itself and exits with 75, to be started again.
Where a member of a cluster shows that the catalog was rolled back, it drains and exits with 4, and does not start again with that
catalog. --accept-rollback is the way out if the newest catalog is lost. It counts for one rollback, found by this process.
SIGHUP reads certificates and revocation lists again, reopens the audit log, and takes up members that were added to clusters in the
configuration. Everything else needs a new start.
The log goes to stderr, one line of JSON each.`;

/** `holdfast serve`. */
export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('run the service')
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .addHelpText('after', examples)
    .option('--accept-rollback', 'go on with a catalog that is older than what its HSMs have seen, once')
    .action(async (options: { config: string; acceptRollback?: boolean }) => {
      const { serve } = await import('../../main.js');
      const exitCodesOf = { signal: exitCodes.done, replacement: exitCodes.replace, 'rolled-back': exitCodes.local };
      try {
        const reason = await serve(options.config, { exitCodesOf, acceptsRollback: options.acceptRollback === true });
        if (reason.kind === 'replacement') throw replaced();
        if (reason.kind === 'rolled-back') throw rolledBack(reason.finding);
      } catch (error) {
        throw await startError(error, options.config);
      }
    });
}

function replaced(): CliError {
  const message = 'an HSM is stuck in this process and no other serves: restart the service';
  return new CliError(exitCodes.replace, 'REPLACE', message);
}

function rolledBack(finding: string): CliError {
  return new CliError(exitCodes.local, 'CATALOG_ROLLED_BACK', finding);
}

/** Reports operator-fixable errors as such; rethrows internal ones. */
async function startError(error: unknown, configuration: string): Promise<unknown> {
  const { ConfigurationError } = await import('../../config/problem.js');
  const { UnmetPreconditionsError } = await import('../../preconditions/start.js');
  const isFault = [TypeError, RangeError, ReferenceError].some((kind) => error instanceof kind);
  if (!(error instanceof Error) || isFault || error instanceof CliError) return error;
  const hint =
    'code' in error && error.code === 'EADDRINUSE'
      ? 'another process listens there: perhaps this service is running already (ss -ltnp shows which)'
      : `holdfast doctor --config ${configuration} checks everything that the configuration names`;
  if (error instanceof ConfigurationError) return configurationError(error, 'CANNOT_START', hint);
  if (error instanceof UnmetPreconditionsError) {
    const [message = '', ...details] = findingLines(error.findings);
    return new CliError(exitCodes.local, 'CANNOT_START', message, { details, hint, cause: error });
  }
  return new CliError(exitCodes.local, 'CANNOT_START', error.message, { hint, cause: error });
}

/** Each finding is followed by its remedy. The code that prints them escapes line breaks inside an error's message. */
function findingLines(findings: readonly NamedFinding[]): string[] {
  return findings.flatMap(({ subject, message, remedy }) => [
    `${subject}: ${message}`,
    ...(remedy === undefined ? [] : [`→ ${remedy}`]),
  ]);
}

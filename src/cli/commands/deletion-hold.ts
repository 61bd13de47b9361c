import type { Command } from 'commander';
import { Option } from 'commander';
import type { Configuration } from '../../config/configuration.js';
import type { KeyRecord } from '../../keys/key.js';
import type { DeletionHold } from '../../keys/time-record.js';
import type { SqliteCatalog } from '../../storage/sqlite.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { loadForCommand, onCatalog } from '../local-configuration.js';
import { asOperator } from '../operator-audit.js';
import { printDone, printRecord } from '../output.js';
import type { Terminal } from '../terminal.js';
import { defaultConfigurationFile } from './config.js';

interface DeletionHoldOptions {
  config: string;
  output: 'table' | 'json';
  destroyDue?: true;
}

/** More keys than anyone would read; the others are only counted. */
const maxKeysShown = 1_000;

const meanings: Record<DeletionHold['reason'], string> = {
  'clock-forward': 'the clock jumped forward, and keys could be destroyed before their date',
  'clock-backward': 'the clock jumped back, and dates set meanwhile may be wrong',
  restored: 'the catalog is a restored backup, which does not know which deletions were cancelled since',
};

const describeExamples = `
Examples:
  holdfast deletion-hold describe --config /etc/holdfast/holdfast.yaml
  holdfast deletion-hold describe --output json

Exit code 0: nothing is held. 5: deletions are held. Run it on the host of the service, as the service's user.`;

const releaseExamples = `
Examples:
  holdfast deletion-hold release --config /etc/holdfast/holdfast.yaml
  holdfast deletion-hold release --destroy-due

First make sure that the clock is right (date -u; chronyc tracking). Then release: the service destroys what is due within
a minute. Keys that are due already are named, and destroyed only with --destroy-due; holdfast key cancel-deletion keeps one.`;

/** `holdfast deletion-hold …`. */
export function addDeletionHoldCommands(program: Command, terminal: Terminal): void {
  const hold = program
    .command('deletion-hold')
    .description('deletions that wait for an operator because the clock jumped or a backup was restored');
  withOptions(hold.command('describe'))
    .description('say whether deletions are held, why, and which keys are due')
    .addHelpText('after', describeExamples)
    .action((options: DeletionHoldOptions) => describe(terminal, options));
  withOptions(hold.command('release'))
    .description('confirm that the clock is right: deletions go on')
    .option('--destroy-due', 'also destroy the keys that are due already')
    .addHelpText('after', releaseExamples)
    .action((options: DeletionHoldOptions) => release(terminal, options));
}

async function describe(terminal: Terminal, options: DeletionHoldOptions): Promise<void> {
  const configuration = await loadForCommand(options.config);
  const found = await onCatalog(configuration, (catalog) => look(catalog, configuration));
  await printRecord(terminal, options.output, found.shown);
  if (found.hold !== null) throw new CliError(exitCodes.checkFailed, 'HELD', meanings[found.hold.reason]);
}

async function release(terminal: Terminal, options: DeletionHoldOptions): Promise<void> {
  const configuration = await loadForCommand(options.config);
  await onCatalog(configuration, async (catalog) => {
    const { hold, due } = await look(catalog, configuration);
    if (hold === null) return printDone(terminal, options.output, 'no deletion is held', { released: false });
    if (due.length > 0 && options.destroyDue !== true) throw dueKeys(due);
    const parameters = { reason: hold.reason, since: hold.since.toISOString(), due_keys: due.length };
    const act = { operation: 'ReleaseDeletions', resources: due, parameters } as const;
    await asOperator(configuration, terminal, act, () => confirm(catalog, hold));
    return printDone(terminal, options.output, 'released: deletions go on within a minute', { released: true });
  });
}

/** A hold other than the one that was shown stays: the clock has jumped again. */
async function confirm(catalog: SqliteCatalog, shown: DeletionHold): Promise<void> {
  const { systemClock } = await import('../../clock-system.js');
  const { confirmedRecord } = await import('../../keys/time-record.js');
  const { readTime } = await import('../../jobs/time-watch.js');
  const { after } = await catalog.changeTimeRecord((known) => {
    const isAnother =
      known !== undefined && known.hold !== null && known.hold.since.getTime() !== shown.since.getTime();
    return isAnother ? known : confirmedRecord(readTime(systemClock));
  });
  if (after.hold === null) return;
  throw new CliError(exitCodes.checkFailed, 'HELD', 'the clock jumped again meanwhile: nothing was released', {
    hint: 'holdfast deletion-hold describe',
  });
}

interface Found {
  hold: DeletionHold | null;
  /** ARNs of the keys whose date has come by now. */
  due: string[];
  shown: object;
}

async function look(catalog: SqliteCatalog, { identity }: Configuration): Promise<Found> {
  const { systemClock } = await import('../../clock-system.js');
  const { keyArn } = await import('../../keys/arn.js');
  const now = systemClock.now();
  const hold = (await catalog.findTimeRecord())?.hold ?? null;
  const due = (await catalog.listKeysToDelete(now, maxKeysShown)).map((key: KeyRecord) => keyArn(identity, key));
  const shown = {
    held: hold !== null,
    reason: hold?.reason ?? null,
    since: hold?.since.toISOString() ?? null,
    clock_expected: hold?.expected?.toISOString() ?? null,
    clock_found: hold?.found?.toISOString() ?? null,
    clock_now: now.toISOString(),
    due_keys: due,
  };
  return { hold, due, shown };
}

function dueKeys(due: readonly string[]): CliError {
  const several = due.length === maxKeysShown ? `at least ${due.length} keys` : `${due.length} keys`;
  const count = due.length === 1 ? 'one key' : several;
  return new CliError(
    exitCodes.checkFailed,
    'KEYS_DUE',
    `${count} would be destroyed within a minute: ${due.slice(0, 20).join(', ')}${due.length > 20 ? ', …' : ''}`,
    { hint: 'holdfast key cancel-deletion keeps one; --destroy-due destroys all of them' },
  );
}

function withOptions(command: Command): Command {
  return command
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'));
}

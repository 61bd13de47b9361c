import { createReadStream } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { Backup } from '../../faces/grpc/gen/holdfast/admin/v1/backup_service.js';
import { backupLines, keyReportLines, manifestLines } from '../backup-lines.js';
import { withClient } from '../client-action.js';
import type { KmsClient } from '../client.js';
import { addConnectionOptions } from '../connection.js';
import { downloadBackup } from '../download-backup.js';
import { CliError, exitCodes, localError, usageError } from '../exit-codes.js';
import { parseWholeNumber } from '../number-option.js';
import { printDone, printList } from '../output.js';
import { allPages, eachItem, type Page } from '../pages.js';
import { toProtoJson } from '../proto-json.js';
import { type Terminal, writeJson, writeLines } from '../terminal.js';
import { addDrillCommand } from './backup-drill.js';
import { addRestoreCommand } from './backup-restore.js';

const pollIntervalMs = 500;

const createExamples = `
Examples:
  holdfast backup create --timeout 3600
  holdfast backup create --timeout 3600 --to /mnt/elsewhere/holdfast.backup
  holdfast backup create --timeout 3600 --to - | ssh vault 'cat > holdfast.backup'

The server makes it in its folder (backup.folder), and goes on if this command is interrupted. With --to a copy is written as
well: whole (0600), or not at all, and in place of nothing. Exit code 5: it failed, or keys are not in it.`;

const verifyExamples = `
Examples:
  holdfast backup verify --timeout 3600
  holdfast backup verify 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --timeout 3600

Without an id: the newest. The server makes every MAC anew, and each key is unwrapped on a member, decrypts its canary, and is
destroyed again; no key in use is touched. Exit code 5: the archive is refused, with the reason. A copy elsewhere proves
itself with holdfast backup restore FILE --dry-run.`;

const describeExamples = `
Example:
  holdfast backup describe /mnt/elsewhere/holdfast.backup

It needs neither a server nor a key. What it shows is what the file claims: holdfast backup restore FILE --dry-run proves it.`;

/** `holdfast backup …`. */
export function addBackupCommands(program: Command, terminal: Terminal): void {
  const backup = program.command('backup').description('archives of the catalog and the keys');
  addCreate(backup, terminal);
  addList(backup, terminal);
  addVerify(backup, terminal);
  addDelete(backup, terminal);
  addKeyReport(backup, terminal);
  addDescribe(backup, terminal);
  addRestoreCommand(backup, terminal);
  addDrillCommand(backup, terminal);
}

function addCreate(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('create')
    .description('archive the catalog and the keys of wrapped clusters; waits for at most --timeout')
    .option('--to <file>', 'also write a copy to this file, or to stdout for -')
    .addHelpText('after', createExamples);
  addConnectionOptions(command).action(
    withClient<{ to?: string }, []>(terminal, async ({ client, options }) => {
      const { backupId = '' } = await client.call('createBackup', {});
      const done = await awaitEnd(client, terminal, backupId, (seen) => stateOf(seen) !== 'BACKUP_STATE_RUNNING');
      if (stateOf(done) === 'BACKUP_STATE_FAILED')
        throw new CliError(exitCodes.checkFailed, 'BACKUP_FAILED', done.failure ?? 'it failed');
      if (options.to !== undefined) await downloadBackup(client, terminal, done, options.to);
      // The archive is what stdout has then.
      await print(options.to === '-' ? { ...terminal, stdout: terminal.stderr } : terminal, options.output, done);
      if (stateOf(done) === 'BACKUP_STATE_COMPLETE') return;
      const message = `${done.absentKeyMaterials ?? 0} key materials are not in the archive; it is good for the others`;
      throw new CliError(exitCodes.checkFailed, 'BACKUP_INCOMPLETE', message);
    }),
  );
}

function addList(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('list')
    .description('list the backups that the catalog has recorded, the newest first')
    .option('--limit <number>', 'the newest only, at most so many', parseWholeNumber)
    .addHelpText('after', '\nExample:\n  holdfast backup list --limit 1 --output json | jq .backups[0]');
  addConnectionOptions(command).action(
    withClient<{ limit?: number }, []>(terminal, async ({ client, options }) => {
      const columns = [
        'backup_id',
        'state',
        'place',
        'start_time',
        'key_materials',
        'size_bytes',
        'verification',
        'file_name',
      ];
      if (options.limit !== undefined && options.limit < 1) throw usageError('use a limit of 1 or more');
      const items = await allPages(backupPage(client, options.limit), options.limit);
      await printList(terminal, options.output, { name: 'backups', items, columns });
    }),
  );
}

function addVerify(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('verify [backup-id]')
    .description('prove an archive in the folder of the server; waits for at most --timeout')
    .addHelpText('after', verifyExamples);
  addConnectionOptions(command).action(
    withClient<object, [string?]>(terminal, async ({ client, options }, wanted) => {
      if (wanted !== undefined && !backupId.test(wanted)) throw noBackupId(wanted);
      const before = wanted === undefined ? await newestArchive(client) : await described(client, wanted);
      if (before?.backupId === undefined)
        throw new CliError(exitCodes.refused, 'NOT_FOUND', 'there is no archive to verify: holdfast backup create');
      await client.call('verifyBackup', { backupId: before.backupId });
      const done = await awaitEnd(
        client,
        terminal,
        before.backupId,
        (seen) => workOn(seen) !== 'BACKUP_WORK_VERIFYING',
      );
      await print(terminal, options.output, done);
      if (done.verificationTime?.getTime() === before.verificationTime?.getTime())
        throw new CliError(
          exitCodes.checkFailed,
          'NOT_VERIFIED',
          'the verification ended without an outcome: a cluster could not be asked, or the server stopped; its log has the cause',
        );
      const isGood = ['BACKUP_VERIFICATION_PASSED', 'BACKUP_VERIFICATION_UNAUTHENTICATED'];
      if (isGood.includes(done.verification ?? '')) return;
      throw new CliError(exitCodes.checkFailed, 'BACKUP_REFUSED', done.verificationFailure ?? 'it is refused');
    }),
  );
}

const backupId = /^[0-9a-f]{32}$/;

function noBackupId(given: string): CliError {
  return usageError(
    `${given} is no id of a backup (holdfast backup list has them)`,
    'an archive that is elsewhere proves itself with: holdfast backup restore FILE --dry-run',
  );
}

const deleteExamples = `
Examples:
  holdfast backup delete 0f1e2d3c4b5a69788796a5b4c3d2e1f0
  holdfast backup delete 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --gone

An archive that somebody read (create --to), or whose file is gone, may exist elsewhere: it counts in holdfast backup key-report
until you say that no copy is left.`;

function addDelete(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('delete <backup-id>')
    .description('remove an archive from the folder of the server; never the newest complete one')
    .option('--gone', 'you know that no copy of it is left anywhere')
    .addHelpText('after', deleteExamples);
  addConnectionOptions(command).action(
    withClient<{ gone?: true }, [string]>(terminal, async ({ client, options }, backupId) => {
      await client.call('deleteBackup', { backupId, noCopyIsLeft: options.gone });
      const place: string = (await described(client, backupId))?.place ?? '';
      const rest =
        place === 'ARCHIVE_PLACE_COPIED'
          ? 'it was read before, so a copy may exist: say with --gone when there is none'
          : 'copies that were taken without holdfast are yours to remove';
      await printDone(terminal, options.output, `removed the archive of backup ${backupId}; ${rest}`);
    }),
  );
}

const keyReportExamples = `
Example:
  holdfast backup key-report 1234abcd-12ab-34cd-56ef-1234567890ab --output json

Complete: the members have destroyed the key, and every archive that may hold it is known to be gone. A copy that was taken
without holdfast (cp, a snapshot of the disk) is not known to the server.`;

function addKeyReport(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('key-report <key-id>')
    .description('report whether a key is destroyed, and which backups may still hold it')
    .addHelpText('after', keyReportExamples);
  addConnectionOptions(command).action(
    withClient<object, [string]>(terminal, async ({ client, options }, keyId) => {
      const report = await client.call('describeKeyDeletion', { keyId });
      if (options.output === 'json') return writeJson(terminal.stdout, toProtoJson(report));
      return writeLines(terminal.stdout, keyReportLines(keyId, report));
    }),
  );
}

function addDescribe(parent: Command, terminal: Terminal): void {
  parent
    .command('describe <file>')
    .description('show what is in an archive, and what is not, without a server and without keys')
    .addOption(new Option('--output <format>', 'output format').choices(['table', 'json']).default('table'))
    .addHelpText('after', describeExamples)
    .action(async (file: string, { output }: { output: 'table' | 'json' }) => {
      const { readManifest } = await import('../../backup/archive-reader.js');
      const read = async () => {
        try {
          return await readManifest(createReadStream(file) as AsyncIterable<Uint8Array>);
        } catch (error) {
          const reason = error instanceof Error ? error.message : 'unknown';
          throw localError(`${file} cannot be described: ${reason}`, error);
        }
      };
      const manifest = await read();
      if (output === 'json') await writeJson(terminal.stdout, manifest);
      else await writeLines(terminal.stdout, manifestLines(manifest));
    });
}

const largestPage = 1_000;

/** Reads a page of backups, no larger than what is wanted of all. */
function backupPage(client: KmsClient, wanted = largestPage): (marker: string | undefined) => Promise<Page<Backup>> {
  return async (marker) => {
    const limit = Math.min(wanted, largestPage);
    const { backups: items, ...page } = await client.call('describeBackups', { limit, marker });
    return { ...page, items };
  };
}

async function described(client: KmsClient, backupId: string): Promise<Backup | undefined> {
  const { backups } = await client.call('describeBackups', { backupId });
  return backups[0];
}

async function newestArchive(client: KmsClient): Promise<Backup | undefined> {
  for await (const backup of eachItem(backupPage(client))) {
    const ended = ['BACKUP_STATE_COMPLETE', 'BACKUP_STATE_INCOMPLETE'];
    if (ended.includes(stateOf(backup)) && backup.removedTime === undefined) return backup;
  }
  return undefined;
}

const stateOf = ({ state = '' }: { state?: string | undefined }): string => state;
const workOn = ({ work = '' }: { work?: string | undefined }): string => work;

function print(terminal: Terminal, format: 'table' | 'json', backup: Backup): Promise<void> {
  if (format === 'json') return writeJson(terminal.stdout, toProtoJson(backup));
  return writeLines(terminal.stdout, backupLines(backup));
}

/** Shows the progress on stderr, if that is a terminal. */
async function awaitEnd(
  client: KmsClient,
  terminal: Terminal,
  backupId: string,
  isOver: (backup: Backup) => boolean,
): Promise<Backup> {
  for (;;) {
    const seen = await described(client, backupId);
    if (seen !== undefined && isOver(seen)) return seen;
    const { doneKeyMaterials: done = 0, totalKeyMaterials: total = 0 } = seen ?? {};
    if (terminal.stderr.isTTY === true) terminal.stderr.write(`${done} of ${total} keys\n`);
    if (client.remainingMs <= pollIntervalMs)
      throw new CliError(
        exitCodes.unreachable,
        'TIMEOUT',
        'it is still under way in the server; holdfast backup list shows the outcome',
      );
    await pause(pollIntervalMs);
  }
}

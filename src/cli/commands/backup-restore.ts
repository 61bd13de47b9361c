import type { Command } from 'commander';
import { Option } from 'commander';
import type { RestoredMember } from '../../jobs/restore-keys.js';
import { collectMemberValue } from '../ceremony/member-values.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printDone } from '../output.js';
import type { RestoreOptions, RestoreResult } from '../restore/restore-backup.js';
import type { Terminal } from '../terminal.js';
import { defaultConfigurationFile } from './config.js';

const examples = `
Examples:
  holdfast backup restore /backup/holdfast-2026-11-29.backup --dry-run
  holdfast backup restore /backup/holdfast-2026-11-29.backup --config /etc/holdfast/holdfast.yaml
  holdfast backup restore latest.backup --recovery-member vault=vault.pin
  holdfast backup restore latest.backup --without-cluster payments

On the host of the service and as its user. A missing catalog is restored; the service must not run then. Where there is a
catalog, only keys that members lack are restored, and only those that it has: no deleted key comes back.
Nothing is written before the whole archive has proved itself. It can be ended at any point and run again.

Every member lost: put new tokens into the configuration, make them a generation from a recovery member (holdfast cluster
add-member), and name that member here. docs/operating/disaster-recovery.md walks through it.

One cluster lost keeps no other away: --without-cluster restores the catalog and the keys of the others. When it is back, run the
restore again without that option.

Exit code 5: the archive is refused, keys are missing afterwards, or the catalog that is there has never had a key of the archive. Keys of a cluster that was left out are not counted.`;

/** `holdfast backup restore`. */
export function addRestoreCommand(backup: Command, terminal: Terminal): void {
  withOptions(backup.command('restore <archive>'))
    .description('give the catalog, and the members their keys, back from an archive')
    .option('--dry-run', 'prove the archive and compare, and write nothing')
    .option('--tombstones-of <file>', 'keep deleted what was deleted in this catalog, which was moved away')
    .option('--unauthenticated', 'take a catalog that no cluster’s MAC is over')
    .addHelpText('after', examples)
    .action(async (file: string, options: RestoreOptions) => {
      const { restoreBackup } = await import('../restore/restore-backup.js');
      const result = await restoreBackup(terminal, file, options);
      await printDone(terminal, options.output, sentences(file, result, options.dryRun === true), asJson(result));
      requireComplete(result, options.dryRun === true);
    });
}

/** Adds the options of everything that opens an archive in its own process. */
export function withOptions(command: Command): Command {
  return command
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .optionsGroup('PINs; without these, those of the configuration and of the catalog:')
    .option(
      '--pin-file <cluster=file>',
      'user PIN of a cluster’s members, in a file (0600); repeatable',
      collectMemberValue,
    )
    .option(
      '--recovery-member <member=file>',
      'open a recovery member with the user PIN in this file (0600); repeatable',
      collectMemberValue,
    )
    .optionsGroup('Options:')
    .option(
      '--without-cluster <cluster>',
      'do not open this cluster, and restore none of its keys; repeatable',
      (name: string, before: string[] | undefined) => [...(before ?? []), name],
    );
}

function sentences(
  file: string,
  { catalog, catalogOnly, leftOut, members, proved, unproved, unknownKeys }: RestoreResult,
  dryRun: boolean,
): string[] {
  const would = dryRun ? ' (dry run: nothing was written)' : '';
  return [
    `${proved} keys of the archive have proved themselves${unproved.length === 0 ? '' : `, and ${unproved.length} have not`}${would}`,
    catalog === undefined
      ? 'the catalog was there, and was not changed'
      : `catalog: ${catalog.keys} keys; the encryption counts of ${catalog.raisedMaterials} were raised; deletions are held: holdfast deletion-hold describe`,
    ...(unknownKeys === 0
      ? []
      : [
          `${unknownKeys} keys of the archive were not restored: the catalog that is there has never had them, not even as deleted ones`,
        ]),
    ...members.map((member) => `${member.clusterId} ${memberSentence(member, dryRun)}`),
    ...(dryRun ? [] : members.flatMap(missingSentences)),
    ...leftOut.map(
      ({ name, materials }) =>
        `cluster ${name} was left out: its ${materials} keys were neither proved nor restored; when it is back: holdfast backup restore ${file}`,
    ),
    ...catalogOnly.map((name) => `cluster ${name}: the archive has no key material of it`),
    ...unproved.map(({ materialId, message }) => `key material ${materialId} did not prove itself: ${message}`),
  ];
}

function memberSentence(
  { memberName, isOpen, isCurrent, lacking, restored, failed, missing }: RestoredMember,
  dryRun: boolean,
): string {
  if (!isOpen) return `member ${memberName} could not be opened: run it again when it is there`;
  if (!isCurrent)
    return `member ${memberName} lacks the wrapping keys in use and ${lacking} keys: holdfast cluster add-member`;
  if (dryRun) return `member ${memberName} lacks ${lacking} keys`;
  return `member ${memberName}: lacked ${lacking} keys, ${restored} restored, ${failed} failed, ${missing} missing now`;
}

function missingSentences({ memberName, missing, missingIds }: RestoredMember): string[] {
  const unnamed = missing - missingIds.length;
  return [
    ...missingIds.map((materialId) => `key material ${materialId} is missing on member ${memberName}`),
    ...(unnamed > 0 ? [`and ${unnamed} more are missing on member ${memberName}`] : []),
  ];
}

/** What a restore did, for programs. */
export function asJson({
  archiveId,
  createdDate,
  catalog,
  proved,
  unproved,
  catalogOnly,
  leftOut,
  members,
  unknownKeys,
}: RestoreResult): object {
  return {
    archive_id: archiveId,
    created_date: createdDate,
    catalog:
      catalog === undefined
        ? null
        : {
            keys: catalog.keys,
            raised_materials: catalog.raisedMaterials,
            forgotten_intents: catalog.forgottenIntents,
            incarnation_id: catalog.incarnationId,
          },
    proved,
    unproved: unproved.map(({ materialId, message }) => ({ material_id: materialId, message })),
    catalog_only_clusters: catalogOnly,
    left_out_clusters: leftOut.map(({ cluster_id, name, materials }) => ({
      cluster_id,
      name,
      key_materials: materials,
    })),
    members: members.map(({ clusterId, memberName, isCurrent, isOpen, missingIds, ...counts }) => ({
      cluster_id: clusterId,
      member: memberName,
      open: isOpen,
      current: isCurrent,
      ...counts,
      missing_key_materials: missingIds,
    })),
    unknown_keys: unknownKeys,
  };
}

function requireComplete({ members, unproved, unknownKeys }: RestoreResult, dryRun: boolean): void {
  if (unknownKeys > 0) {
    const message = `${unknownKeys} keys of the archive cannot be restored into the catalog that is there, which has never had them`;
    throw new CliError(exitCodes.checkFailed, 'INCOMPLETE', message, {
      hint: 'if the archive has the newer catalog, stop the service, move the catalog away with its -wal and -shm, and run it again',
    });
  }
  const isMissing = !dryRun && members.some(({ missing, isOpen }) => missing > 0 || !isOpen);
  if (!isMissing && unproved.length === 0) return;
  throw new CliError(exitCodes.checkFailed, 'INCOMPLETE', 'keys are missing that this archive could not give back', {
    hint: 'run it again; an older archive may have what this one lacks',
  });
}

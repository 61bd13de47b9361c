import { readArchive, readManifest } from './archive-reader.js';
import type { BackupRecord } from './backup-record.js';
import { contentOf, isComplete } from './created-content.js';
import { preamble } from './format.js';
import type { Manifest } from './manifest.js';
import { type ArchiveFolder, BackupStorageError, type FolderEntry } from './ports.js';
import type { ArchiveTotals } from './records.js';
import { ArchiveRefusal } from './refusal.js';

/** A file that begins as an archive does, or that cannot be read, and so may be one. */
export interface FoundFile {
  fileName: string;
  /** Null if it cannot be read. */
  sizeBytes: number | null;
  /** What it claims to be; undefined if its first record cannot be read. */
  manifest: Manifest | undefined;
}

/** Looks at the beginning of a file. Undefined if it is gone, or no archive of Holdfast. */
export async function lookAtFile(
  folder: ArchiveFolder,
  fileName: string,
  { sizeBytes, isLink }: FolderEntry,
): Promise<FoundFile | undefined> {
  const unreadable = { fileName, sizeBytes: null, manifest: undefined };
  if (isLink) return unreadable;
  try {
    const beginning = await folder.readAt(fileName, 0, preamble.length);
    if (Buffer.from(beginning).toString('latin1') !== preamble) return undefined;
    return { fileName, sizeBytes, manifest: await orUndefined(readManifest(folder.read(fileName))) };
  } catch (error) {
    if (!(error instanceof BackupStorageError)) throw error;
    return (await folder.sizeOf(fileName)) === undefined ? undefined : unreadable;
  }
}

/**
 * The record of an archive that the catalog does not know, or of which it does not know how it ended: what the file itself
 * says. No MAC is checked, which is what a verification is for.
 * @param known the record to go on from; undefined: there is none
 */
export async function recordOfFile(
  folder: ArchiveFolder,
  found: FoundFile,
  known: BackupRecord | undefined,
  fresh: { backupId: string; now: Date },
): Promise<BackupRecord> {
  const record = known ?? unknownFile(found, fresh);
  const place = { fileName: found.fileName, sizeBytes: found.sizeBytes, removedTime: null, goneTime: null };
  const end = await orUndefined(totalsIn(folder, found.fileName));
  if (end === undefined) {
    // Nothing in it is to be trusted; only a record says when it was begun.
    const since = known === undefined ? new Date(0) : (known.unknownSince ?? known.startTime);
    const failure = 'The file in the folder is damaged, and may still hold keys.';
    return { ...record, ...place, state: 'UNKNOWN', unknownSince: since, failure };
  }
  const [content, endTime] = [contentOf(end.manifest, end.totals), new Date(end.totals.completed_date)];
  const own = known ?? { backupId: end.manifest.archive_id, startTime: new Date(end.manifest.created_date) };
  const state = isComplete(end.manifest, end.totals) ? 'COMPLETE' : 'INCOMPLETE';
  return { ...record, ...own, ...content, ...place, endTime, state, unknownSince: null, failure: null };
}

/** Of whose content nothing is known. Retention leaves it alone: nobody knows who put it there. */
export function unknownFile({ fileName, sizeBytes }: FoundFile, fresh: { backupId: string; now: Date }): BackupRecord {
  return {
    ...{ backupId: fresh.backupId, fileName, trigger: 'OPERATOR', state: 'UNKNOWN', startTime: fresh.now },
    ...{ endTime: null, sizeBytes, keyMaterials: 0, absentKeyMaterials: 0, generations: [], failure: null },
    ...{ verification: null, verificationTime: null, verificationFailure: null, removedTime: null },
    ...{ copiedTime: null, goneTime: null, unknownSince: new Date(0) },
  };
}

async function totalsIn(folder: ArchiveFolder, name: string): Promise<{ manifest: Manifest; totals: ArchiveTotals }> {
  let manifest: Manifest | undefined;
  let totals: ArchiveTotals | undefined;
  for await (const part of readArchive(folder.read(name))) {
    if (part.kind === 'manifest') manifest = part.manifest;
    if (part.kind === 'end') totals = part.totals;
  }
  if (manifest !== undefined && totals !== undefined) return { manifest, totals };
  throw new ArchiveRefusal('truncated', 'The archive ends in the middle.');
}

async function orUndefined<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ArchiveRefusal) return undefined;
    throw error;
  }
}

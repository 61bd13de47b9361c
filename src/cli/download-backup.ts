import { resolve } from 'node:path';
import type { Backup } from '../faces/grpc/gen/holdfast/admin/v1/backup_service.js';
import type { KmsClient } from './client.js';
import { CliError, exitCodes, localError } from './exit-codes.js';
import { type Terminal, writeWhole } from './terminal.js';

/**
 * Writes an archive of the server to a file, which appears whole (0600) or not at all and replaces nothing, or to stdout for `-`.
 * @throws CliError
 */
export async function downloadBackup(
  client: KmsClient,
  terminal: Terminal,
  backup: Backup,
  destination: string,
): Promise<void> {
  if (destination === '-') return copyToStdout(client, terminal, backup);
  const { writeSync, openSync, closeSync } = await import('node:fs');
  const { PartialFile } = await import('../storage/partial-file.js');
  let partial: InstanceType<typeof PartialFile> | undefined;
  try {
    partial = new PartialFile(resolve(destination));
    const descriptor = openSync(partial.path, 'w');
    try {
      await copyTo(client, backup, (bytes) => {
        for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
        return Promise.resolve();
      });
    } finally {
      closeSync(descriptor);
    }
    if (!partial.publish()) throw localError(`there is something at ${destination}`, undefined, 'name another file');
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw localError(`${destination} cannot be written: ${error instanceof Error ? error.message : 'unknown'}`, error);
  } finally {
    partial?.discard();
  }
}

async function copyToStdout(client: KmsClient, terminal: Terminal, backup: Backup): Promise<void> {
  const hint = 'what was written is no archive; the one in the folder of the server is whole';
  await copyTo(client, backup, async (bytes) => {
    try {
      await writeWhole(terminal.stdout, bytes);
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'unknown';
      throw localError(`stdout did not take the archive: ${reason}`, error, hint);
    }
  });
}

async function copyTo(
  client: KmsClient,
  { backupId, sizeBytes = 0n }: Backup,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  for (let offset = 0n; offset < sizeBytes; ) {
    const { data } = await client.call('readBackup', { backupId, offset });
    if (data === undefined || data.length === 0)
      throw new CliError(exitCodes.refused, 'TRUNCATED', 'the archive in the folder of the server is too short');
    await take(data);
    offset += BigInt(data.length);
  }
}

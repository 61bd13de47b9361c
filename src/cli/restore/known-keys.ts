import { readArchive } from '../../backup/archive-reader.js';
import type { KeyCatalog } from '../../keys/catalog.js';
import { CliError, exitCodes } from '../exit-codes.js';
import type { ArchiveFile } from './archive-file.js';

/**
 * Compares the keys of an archive with a catalog that is there: a key that it has never had, not even as a deleted one, cannot be
 * restored beside it.
 * @param clusterIds whose keys are to be restored
 * @returns how many keys of the archive the catalog has never had
 * @throws CliError if it has had none of them: it is empty, or of something else
 */
export async function countUnknownKeys(
  archive: ArchiveFile,
  clusterIds: readonly string[],
  catalog: Pick<KeyCatalog, 'findMaterial'>,
): Promise<number> {
  let [all, unknown] = [0, 0];
  for await (const part of readArchive(archive.bytes())) {
    if (part.kind !== 'material' || !clusterIds.includes(part.material.cluster_id)) continue;
    all += 1;
    if ((await catalog.findMaterial(part.material.material_id)) === undefined) unknown += 1;
  }
  if (all > 0 && unknown === all) throw unrelated(all);
  return unknown;
}

function unrelated(keys: number): CliError {
  const message = `the catalog that is there has never had any of the archive's ${keys} keys: it is empty, or of something else`;
  return new CliError(exitCodes.checkFailed, 'UNRELATED_CATALOG', message, {
    hint: 'stop the service, move the catalog away with its -wal and -shm, and run the restore again: it puts the archive’s catalog there',
  });
}

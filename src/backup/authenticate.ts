import { timingSafeEqual } from 'node:crypto';
import type { BackupMacs } from './archive-macs.js';
import type { ClaimedMac } from './archive-reader.js';
import { ArchiveRefusal } from './refusal.js';

/**
 * Has the HSM make a MAC anew, and compares it in constant time: how long the comparison takes says nothing of the right
 * one.
 * @throws ArchiveRefusal if the archive has another one
 */
export async function authenticate(claimed: ClaimedMac, macs: BackupMacs): Promise<void> {
  const right = await macs.make(claimed);
  if (right.length === claimed.mac.length && timingSafeEqual(right, claimed.mac)) return;
  throw new ArchiveRefusal(
    'not-authentic',
    `A MAC under the keys of cluster ${claimed.clusterId}, generation ${claimed.generation}, is wrong: the archive was ` +
      'changed, or is of another cluster.',
  );
}

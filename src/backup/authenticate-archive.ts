import type { HsmCall } from '../calls/hsm-call.js';
import type { HsmCluster } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import { readArchive } from './archive-reader.js';
import { authenticate } from './authenticate.js';

/**
 * Reads an archive to its end, and has the first cluster that can make the MAC over all of it. It says nothing of single keys: those
 * are proved by `verifyArchive`.
 * @returns whether a cluster could. @throws ArchiveRefusal if its MAC is another one, or the form is wrong
 */
export async function authenticateArchive(
  chunks: AsyncIterable<Uint8Array>,
  connectedCluster: (clusterId: string) => HsmCluster | undefined,
  call: () => HsmCall,
): Promise<boolean> {
  let isAuthentic = false;
  for await (const part of readArchive(chunks)) {
    if (part.kind !== 'end') continue;
    for (const claimed of part.macs) {
      const cluster = connectedCluster(claimed.clusterId);
      if (cluster === undefined || isAuthentic) continue;
      isAuthentic = await canAuthenticate(() =>
        authenticate(claimed, {
          make: async ({ data, generation }) =>
            (await cluster.perform('makeBackupMac', { data, generation }, call())).mac,
        }),
      );
    }
  }
  return isAuthentic;
}

/** Members without the generation say nothing of the archive. */
async function canAuthenticate(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}

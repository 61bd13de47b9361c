import { type ActAudit, ActUnauditedError } from '../audit/act-audit.js';
import type { HsmCluster } from '../clusters/hsm-cluster.js';
import type { HeldLease } from '../coordination/held-lease.js';
import { LeaseLostError } from '../coordination/leases.js';
import { HoldfastError } from '../errors.js';
import type { KeysCore } from '../keys/core.js';
import { materialReference } from '../keys/material.js';

/** The dependencies of resolving duplicates on the members of one cluster, under its lease. */
export interface DuplicateTools {
  core: Pick<KeysCore, 'catalog' | 'clock' | 'onBackgroundError'>;
  audit: ActAudit;
  cluster: HsmCluster;
  held: Pick<HeldLease, 'confirm'>;
  callTimeoutMs: number;
}

/**
 * Leaves one of several objects that are the same key on a member. A copy that came late, or a member that hid a key while
 * it was repaired, leaves two, and the member then uses neither. An object that is not the material's key is left for an
 * operator: somebody put it there.
 * @param materialIds of keys that another member has too
 * @returns those that are one object now
 */
export async function resolveDuplicates(
  tools: DuplicateTools,
  memberName: string,
  materialIds: readonly string[],
): Promise<string[]> {
  const resolved: string[] = [];
  for (const materialId of materialIds) {
    try {
      if (await resolveOne(tools, memberName, materialId)) resolved.push(materialId);
    } catch (error) {
      if (error instanceof ActUnauditedError || error instanceof LeaseLostError) throw error;
      const isJudged = error instanceof HoldfastError && error.code === 'KMS_INVALID_STATE';
      // It stays a duplicate, which is an alert of its own.
      if (isJudged) continue;
      tools.core.onBackgroundError(error, `resolving key material ${materialId} on member ${memberName}`);
      return resolved;
    }
  }
  return resolved;
}

async function resolveOne(
  { core, audit, cluster, held, callTimeoutMs }: DuplicateTools,
  memberName: string,
  materialId: string,
): Promise<boolean> {
  const record = await core.catalog.findMaterial(materialId);
  if (record === undefined) return false;
  const parameters = { cluster_id: cluster.clusterId, member: memberName, material_ids: [materialId] };
  const call = { deadlineMs: core.clock.monotonicMs() + callTimeoutMs };
  await held.confirm();
  await audit.perform({ operation: 'DestroyDuplicateKeyMaterial', resources: [], parameters }, () =>
    cluster.perform('resolveDuplicates', { material: materialReference(record), memberName }, call),
  );
  return true;
}

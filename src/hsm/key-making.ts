import type { HsmCall } from '../calls/hsm-call.js';
import type { ClusterRequest, MaterialReference } from '../clusters/hsm-cluster.js';
import { canaryAdditionalData, canaryPlaintext } from '../keys/canary.js';
import { type MaterialCache, materialIdBytes } from './material-cache.js';
import type { MemberCalls } from './member-calls.js';
import type { MemberSet } from './member-set.js';
import type { Member } from './member.js';
import type { NativePool } from './native.js';

/** The parts of a connected cluster that making and copying keys need. */
export interface KeyMakingTools {
  pool: NativePool;
  calls: MemberCalls;
  memberSet: MemberSet;
  materials: MaterialCache;
}

/**
 * Makes a key on one member. Never retried: after a failure it is unknown whether the token made the key; the caller's
 * intent accounts for it.
 */
export async function makeKeyOn(
  member: Member,
  { pool, calls, memberSet, materials }: KeyMakingTools,
  { materialId, label }: ClusterRequest<'generateKeyMaterial'>,
  extractable: boolean,
  call: HsmCall,
): Promise<MaterialReference> {
  const id = materialIdBytes(materialId);
  const [plaintext, additionalData] = [canaryPlaintext(materialId), canaryAdditionalData(materialId)];
  const untilMs = memberSet.tryDeadlineMs(call);
  const target = { operation: 'generate-key', materialId } as const;
  const { value: canary, epoch } = await calls.judged(member, target, call, () =>
    pool.generateKey(member.index, id, label, plaintext, additionalData, extractable, untilMs),
  );
  const material = { materialId, label, extractable, canary };
  member.recordSuccess(epoch, materials.referenceTo(material));
  return material;
}

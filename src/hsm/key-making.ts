import type { HsmCall } from '../calls/hsm-call.js';
import type { Canary, ClusterRequest, MaterialReference } from '../clusters/hsm-cluster.js';
import { missingMechanisms } from '../clusters/mechanism.js';
import { HoldfastError } from '../errors.js';
import { canaryAdditionalData, canaryPlaintext } from '../keys/canary.js';
import { type MaterialCache, materialIdBytes } from './material-cache.js';
import type { MemberCalls } from './member-calls.js';
import type { MemberSet } from './member-set.js';
import type { Member } from './member.js';
import type { NativePool, NativeResult } from './native.js';

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
  { materialId, label, macLength }: ClusterRequest<'generateKeyMaterial'>,
  extractable: boolean,
  call: HsmCall,
): Promise<MaterialReference> {
  const id = materialIdBytes(materialId);
  const [plaintext, additionalData] = [canaryPlaintext(materialId), canaryAdditionalData(materialId)];
  const untilMs = memberSet.tryDeadlineMs(call);
  const target = { operation: macLength === undefined ? 'generate-key' : 'generate-mac-key', materialId } as const;
  const make = async (): Promise<NativeResult<Canary>> => {
    if (macLength === undefined)
      return pool.generateKey(member.index, id, label, plaintext, additionalData, extractable, untilMs);
    const made = await pool.generateMacKey(member.index, id, label, macLength, extractable, untilMs);
    return { ...made, value: { mac: made.value } };
  };
  const { value: canary, epoch } = await calls.judged(member, target, call, make);
  const material = { materialId, label, extractable, canary };
  member.recordSuccess(epoch, materials.referenceTo(material));
  return material;
}

/**
 * A key that one member cannot use would be lost with the others.
 * @throws UNSUPPORTED_OPERATION that names a member that takes work and the mechanisms that it lacks
 */
export function requireMechanisms(
  members: readonly Member[],
  { mechanisms = [] }: Pick<ClusterRequest<'generateKeyMaterial'>, 'mechanisms'>,
): void {
  for (const { isAdmitted, seen, place } of members) {
    if (!isAdmitted || seen === undefined) continue;
    const missing = missingMechanisms(mechanisms, seen.token.mechanisms).map(({ name }) => name);
    if (missing.length === 0) continue;
    throw new HoldfastError(
      'UNSUPPORTED_OPERATION',
      `Member ${place.memberName} of cluster ${place.clusterId} lacks ${missing.join(' and ')}, which such a key needs.`,
    );
  }
}

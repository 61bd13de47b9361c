import { timingSafeEqual } from 'node:crypto';
import type { RequestContext } from '../../calls/request-context.js';
import { type Eventual, whenKnown } from '../../calls/eventual.js';
import { HoldfastError } from '../../errors.js';
import { recordArn } from '../../keys/arn.js';
import type { KeyRecord } from '../../keys/key.js';
import { cryptographicUse, requireKeyState } from '../../keys/key-state.js';
import { currentMaterial, materialReference } from '../../keys/material.js';
import type { ClusterRequest, HsmCluster } from '../../clusters/hsm-cluster.js';
import type { Secret } from '../../secret.js';
import { type Keyed, onKey } from '../operation.js';
import { checkAlgorithm, requireUsage } from './algorithm.js';
import type { CryptographyCore } from './encryption.js';

/** AWS KMS API Reference, GenerateMac, without the key: the dispatcher has resolved it. */
interface GenerateMacRequest {
  /** 1–4,096 bytes. Destroyed when the call ends. */
  message: Secret;
  macAlgorithm: string;
}

/** AWS KMS API Reference, GenerateMac. */
interface GenerateMacResponse {
  /** 28, 32, 48 or 64 bytes, by the algorithm. */
  mac: Uint8Array;
  macAlgorithm: string;
  /** ARN of the key. */
  keyId: string;
}

/** AWS KMS API Reference, VerifyMac, without the key. */
interface VerifyMacRequest extends GenerateMacRequest {
  /** 1–6,144 bytes. */
  mac: Uint8Array;
}

/** AWS KMS API Reference, VerifyMac. A MAC that is not valid is an error, so `macValid` is always true. */
interface VerifyMacResponse {
  keyId: string;
  macValid: true;
  macAlgorithm: string;
}

/** A checked use of a key for MACs: only the HSM can still refuse it. */
interface PreparedMac {
  cluster: HsmCluster;
  material: ClusterRequest<'mac'>['material'];
  /** ARN of the key. */
  keyId: string;
}

/**
 * Makes the MAC of a message under the key's current material, in its cluster.
 * @throws INVALID_KEY_USAGE, the errors of the state table, those of `KeyStores.clusterOf` and `HsmCluster.mac`
 */
export async function generateMac(
  core: CryptographyCore,
  call: { key: KeyRecord; request: GenerateMacRequest },
  context: RequestContext,
): Promise<GenerateMacResponse> {
  const { message, macAlgorithm } = call.request;
  try {
    const { cluster, material, keyId } = await prepareMac(core, call.key, macAlgorithm);
    const made = await cluster.perform('mac', { material, message }, context);
    const mac = Uint8Array.from(made.reveal());
    made.destroy();
    return { mac, macAlgorithm, keyId };
  } finally {
    message.destroy();
  }
}

/**
 * Makes the MAC anew and compares. The token does not verify: some accept a MAC with bytes behind it.
 * @throws KMS_INVALID_MAC, and as `generateMac`
 */
export async function verifyMac(
  core: CryptographyCore,
  call: { key: KeyRecord; request: VerifyMacRequest },
  context: RequestContext,
): Promise<VerifyMacResponse> {
  const { message, macAlgorithm, mac: expected } = call.request;
  try {
    const { cluster, material, keyId } = await prepareMac(core, call.key, macAlgorithm);
    const made = await cluster.perform('mac', { material, message, expected }, context);
    // The length is no secret: the algorithm says it.
    const isValid = made.reveal().length === expected.length && timingSafeEqual(made.reveal(), expected);
    made.destroy();
    if (!isValid) throw new HoldfastError('KMS_INVALID_MAC', 'The MAC is not that of the message under this key.');
    return { keyId, macValid: true, macAlgorithm };
  } finally {
    message.destroy();
  }
}

function prepareMac(core: CryptographyCore, key: KeyRecord, algorithm: string): Eventual<PreparedMac> {
  const keyId = recordArn(core.identity, key);
  requireUsage(key, keyId, 'GENERATE_VERIFY_MAC', 'MACs');
  checkAlgorithm(key, algorithm);
  return whenKnown(requireKeyState(core, key, cryptographicUse), () =>
    whenKnown(currentMaterial(core.catalog, key), (material) => ({
      cluster: core.keyStores.clusterOf(key, keyId),
      material: materialReference(material),
      keyId,
    })),
  );
}

/** GenerateMac: the key by id or alias. */
export const generateMacOperation = onKey<GenerateMacRequest & Keyed>({
  plane: 'data',
  audited: ['keyId', 'macAlgorithm'],
  action: 'kms:GenerateMac',
  userActions: ['kms:GenerateMac'],
  aliasesAllowed: true,
  keyStates: cryptographicUse,
  run: generateMac,
});

/** VerifyMac: the key by id or alias. */
export const verifyMacOperation = onKey<VerifyMacRequest & Keyed>({
  plane: 'data',
  audited: ['keyId', 'macAlgorithm'],
  action: 'kms:VerifyMac',
  userActions: ['kms:VerifyMac'],
  aliasesAllowed: true,
  keyStates: cryptographicUse,
  run: verifyMac,
});

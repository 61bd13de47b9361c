import { LRUCache } from 'lru-cache';
import { canaryAdditionalData, canaryPlaintext } from '../keys/canary.js';
import type { Canary, MaterialReference } from '../clusters/hsm-cluster.js';
import type { NativeAddon, NativeMaterial, NativeMaterialReference } from './native.js';

/**
 * The materials that were copied into the addon: an operation passes a reference, not all fields. A material never
 * changes, so only its id is compared. The least recently used ones are forgotten.
 */
export class MaterialCache {
  readonly #addon: Pick<NativeAddon, 'createMaterial'>;
  readonly #references: LRUCache<string, NativeMaterialReference>;

  constructor(addon: Pick<NativeAddon, 'createMaterial'>, capacity: number) {
    this.#addon = addon;
    this.#references = new LRUCache({ max: capacity });
  }

  get size(): number {
    return this.#references.size;
  }

  referenceTo(material: MaterialReference): NativeMaterialReference {
    const { materialId } = material;
    const known = this.#references.get(materialId);
    if (known !== undefined) return known;
    const reference = this.#create(material);
    this.#references.set(materialId, reference);
    return reference;
  }

  forget(materialId: string): void {
    this.#references.delete(materialId);
  }

  #create({ materialId, label, extractable, canary }: MaterialReference): NativeMaterialReference {
    return this.#addon.createMaterial({
      objectClass: secretKeyClass,
      id: materialIdBytes(materialId),
      label,
      extractable,
      ...nativeCanary(materialId, canary),
    });
  }
}

const none = new Uint8Array();

type NativeCanary = Pick<
  NativeMaterial,
  'canaryMac' | 'canaryNonce' | 'canaryCiphertext' | 'canaryAdditionalData' | 'canaryPlaintext'
>;

function nativeCanary(materialId: string, canary: Canary): NativeCanary {
  if ('mac' in canary) {
    const { mac: canaryMac } = canary;
    return {
      canaryMac,
      canaryNonce: none,
      canaryCiphertext: none,
      canaryAdditionalData: none,
      canaryPlaintext: none,
    };
  }
  return {
    canaryMac: null,
    canaryNonce: canary.nonce,
    canaryCiphertext: canary.ciphertext,
    canaryAdditionalData: canaryAdditionalData(materialId),
    canaryPlaintext: canaryPlaintext(materialId),
  };
}

/** CK_OBJECT_CLASS CKO_SECRET_KEY, PKCS#11 v2.40 §4.9. */
export const secretKeyClass = 4;

/** The CKA_ID of a material: the bytes of its 64 hex digits. */
export function materialIdBytes(materialId: string): Uint8Array {
  return Uint8Array.from(Buffer.from(materialId, 'hex'));
}

import type { MaterialReference } from '../clusters/hsm-cluster.js';
import { type Eventual, whenKnown } from '../calls/eventual.js';
import type { KeyCatalog } from './catalog.js';
import type { KeyRecord, MaterialRecord } from './key.js';

/** The facts of a material that a cluster needs to use it. */
export function materialReference(material: MaterialRecord): MaterialReference {
  return {
    materialId: material.materialId,
    label: material.label,
    extractable: material.extractable,
    canary: material.canary,
  };
}

/**
 * The generation under which a key encrypts now. Every committed key has one: if it is missing, the catalog is broken.
 */
export function currentMaterial(catalog: KeyCatalog, key: KeyRecord): Eventual<MaterialRecord> {
  return whenKnown(catalog.findMaterial(key.currentMaterialId), (material) => {
    if (material === undefined) throw new Error(`The catalog has key ${key.keyId} without its current key material.`);
    return material;
  });
}

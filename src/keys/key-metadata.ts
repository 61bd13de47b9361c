import { keyArn } from './arn.js';
import type { KeysCore } from './core.js';
import type { KeyRecord, KeyState, MaterialRecord, Origin } from './key.js';
import { algorithmsOf, type KeySpec, type KeyUsage } from './key-specs.js';
import { keyStandingOf } from './key-state.js';
import { currentMaterial } from './material.js';

/** AWS KMS API Reference, KeyMetadata, with our custody. Fields that no key can have yet are left out. */
export interface KeyMetadata {
  awsAccountId: string;
  keyId: string;
  arn: string;
  creationDate: Date;
  /** True only in the state `Enabled`. */
  enabled: boolean;
  description: string;
  keyUsage: KeyUsage;
  keyState: KeyState;
  /** Only in PendingDeletion. */
  deletionDate?: Date | undefined;
  origin: Origin;
  /** Only for keys of a custom key store, like the next field. */
  customKeyStoreId?: string | undefined;
  cloudHsmClusterId?: string | undefined;
  keyManager: 'CUSTOMER';
  /** The deprecated name of `keySpec`. */
  customerMasterKeySpec: KeySpec;
  keySpec: KeySpec;
  /** Only of keys that encrypt. */
  encryptionAlgorithms?: readonly string[] | undefined;
  /** Only of keys that make MACs. */
  macAlgorithms?: readonly string[] | undefined;
  multiRegion: boolean;
  /** Only for the origin AWS_KMS, as AWS says. */
  currentKeyMaterialId?: string | undefined;
  custody: Custody;
}

/** Where the key material is and with which attributes. A field of Holdfast, not of AWS. */
export interface Custody {
  /** Id of the HSM cluster. */
  cluster: string;
  /**
   * The cluster's display name. If the configuration no longer has the cluster, this, the members and their replication
   * are absent.
   */
  clusterName?: string | undefined;
  members: string[];
  replication?: 'none' | 'wrapped' | 'vendor' | undefined;
  minimumMembers?: number | undefined;
  /** Whether every member enforces trust; absent unless the cluster is wrapped. */
  trust?: 'enforced' | 'unenforced' | undefined;
  /** Whether the material could leave its token (under a trusted wrapping key). */
  extractable: boolean;
  /** Whether Holdfast's own backup can restore the material. */
  backedUp: boolean;
}

type MetadataCore = Pick<KeysCore, 'catalog' | 'keyStores' | 'identity'>;

/** @throws NOT_FOUND for a key whose deletion has begun or ended. */
export async function keyMetadata(core: MetadataCore, key: KeyRecord): Promise<KeyMetadata> {
  const { state: keyState } = await keyStandingOf(core, key);
  const material = await currentMaterial(core.catalog, key);
  const inCustomStore = key.customKeyStoreId !== null;
  return {
    awsAccountId: key.account,
    keyId: key.keyId,
    arn: keyArn(core.identity, key),
    creationDate: key.creationDate,
    enabled: keyState === 'Enabled',
    description: key.description,
    keyUsage: key.keyUsage,
    keyState,
    deletionDate: keyState === 'PendingDeletion' ? (key.deletionDate ?? undefined) : undefined,
    origin: key.origin,
    customKeyStoreId: key.customKeyStoreId ?? undefined,
    cloudHsmClusterId: inCustomStore ? key.clusterId : undefined,
    keyManager: 'CUSTOMER',
    customerMasterKeySpec: key.keySpec,
    keySpec: key.keySpec,
    ...algorithms(key),
    multiRegion: false,
    currentKeyMaterialId: visibleMaterialId(key, material),
    custody: custody(core, key, material),
  };
}

function algorithms({ keySpec, keyUsage }: KeyRecord): Pick<KeyMetadata, 'encryptionAlgorithms' | 'macAlgorithms'> {
  const names = algorithmsOf(keySpec, keyUsage);
  return keyUsage === 'GENERATE_VERIFY_MAC' ? { macAlgorithms: names } : { encryptionAlgorithms: names };
}

/** A material id as responses show it: only of keys with the origin AWS_KMS (AWS KMS API Reference, KeyMetadata). */
export function visibleMaterialId(key: KeyRecord, material: MaterialRecord): string | undefined {
  return key.origin === 'AWS_KMS' ? material.materialId : undefined;
}

function custody(core: MetadataCore, key: KeyRecord, material: MaterialRecord): Custody {
  const cluster = core.keyStores.describeCluster(key.clusterId);
  return {
    cluster: key.clusterId,
    clusterName: cluster?.name,
    members: cluster?.memberNames ?? [],
    replication: cluster?.replication,
    minimumMembers: cluster?.minimumMembers,
    trust: cluster?.trust,
    extractable: material.extractable,
    backedUp: false,
  };
}

import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { Clock } from '../src/clock.js';
import { HoldfastError } from '../src/errors.js';
import { canaryAdditionalData, canaryPlaintext } from '../src/keys/canary.js';
import type {
  Canary,
  ClusterDescription,
  ClusterOperation,
  ClusterRequest,
  ClusterResult,
  ConnectOutcome,
  EncryptedData,
  HsmCluster,
  HsmClusters,
  MaterialReference,
} from '../src/clusters/hsm-cluster.js';
import type { Witness } from '../src/clusters/witness.js';
import type { HsmCall } from '../src/calls/hsm-call.js';
import { Secret } from '../src/secret.js';

interface Action {
  operation: ClusterOperation;
  when: 'before' | 'after';
  run: () => void | Promise<void>;
}

const memberName = 'software';

/**
 * An HSM cluster in memory, on node:crypto, for unit tests of the domain. It keeps the promises of the port (the
 * contract suite runs over it), with one member only. `next` scripts a call: lets it fail, or does something just
 * before or after it.
 */
export class SoftwareHsmCluster implements HsmCluster {
  readonly clusterId: string;
  /** Operations called, in order. */
  readonly calls: ClusterOperation[] = [];
  /** On its one member. */
  witnesses: Witness[] = [];
  /** Every plaintext that was handed out, to check whether it was destroyed. */
  readonly plaintexts: Secret[] = [];
  readonly #clock: Clock;
  readonly #materials = new Map<string, Buffer>();
  readonly #script: Action[] = [];
  readonly #operations: {
    readonly [Name in ClusterOperation]: (request: ClusterRequest<Name>) => ClusterResult<Name>;
  } = {
    generateKeyMaterial: ({ materialId, macLength }) => {
      const key = randomBytes(macLength ?? 32);
      this.#materials.set(materialId, key);
      if (macLength !== undefined)
        return { canary: { mac: macUnder(key, new Uint8Array()) }, extractable: false, memberNames: [memberName] };
      const canary = encryptWith(key, canaryPlaintext(materialId), canaryAdditionalData(materialId));
      return { canary, extractable: false, memberNames: [memberName] };
    },
    copyKeyMaterial: keysStay,
    wrapKeyMaterial: keysStay,
    makeBackupMac: keysStay,
    proveWrappedKeyMaterial: keysStay,
    rewrapKeyMaterial: keysStay,
    resolveDuplicates: keysStay,
    restoreKeyMaterial: keysStay,
    proveKeyMaterial: ({ material }) => {
      this.#proved(material);
      return undefined;
    },
    destroyKeyMaterial: ({ materialId }) => {
      this.#materials.delete(materialId);
      return undefined;
    },
    encrypt: ({ material, plaintext, additionalData }) =>
      encryptWith(this.#proved(material), plaintext.reveal(), additionalData),
    decrypt: ({ material, encrypted, additionalData }) => {
      const plaintext = decryptWith(this.#proved(material), encrypted, additionalData);
      if (plaintext === undefined) throw new HoldfastError('INVALID_CIPHERTEXT', 'The tag does not match.');
      return this.#handOut(plaintext);
    },
    generateDataKey: ({ material, lengthBytes, additionalData }) => {
      const key = this.#proved(material);
      const plaintext = this.#handOut(randomBytes(lengthBytes));
      return { plaintext, encrypted: encryptWith(key, plaintext.reveal(), additionalData) };
    },
    mac: ({ material, message }) => this.#handOut(macUnder(this.#proved(material), message.reveal())),
    random: ({ lengthBytes }) => this.#handOut(randomBytes(lengthBytes)),
    listMaterialIds: () => [
      { memberName, materialIds: [...this.#materials.keys()], isCurrent: false, generations: [] },
    ],
    readWitnesses: () => [...this.witnesses],
    writeWitness: ({ witness }) => {
      this.witnesses = [witness];
      return undefined;
    },
    listOpenMembers: () => [memberName],
  };

  constructor(clusterId: string, clock: Clock) {
    this.clusterId = clusterId;
    this.#clock = clock;
  }

  /** Runs `run` before (or after) the next unscripted call of `operation`; the call throws what it throws. */
  next(operation: ClusterOperation, run: Action['run'], when: Action['when'] = 'before'): void {
    this.#script.push({ operation, when, run });
  }

  /** Puts another key under an id, as anyone with the PIN can; even one that no catalog knows. */
  swapMaterial(materialId: string): void {
    this.#materials.set(materialId, randomBytes(32));
  }

  has(materialId: string): boolean {
    return this.#materials.has(materialId);
  }

  async perform<Name extends ClusterOperation>(
    operation: Name,
    request: ClusterRequest<Name>,
    { deadlineMs }: HsmCall,
  ): Promise<ClusterResult<Name>> {
    this.calls.push(operation);
    await this.#take(operation, 'before')?.run();
    if (this.#clock.monotonicMs() >= deadlineMs)
      throw new HoldfastError('DEPENDENCY_TIMEOUT', 'The deadline has passed.');
    const result = this.#operations[operation](request);
    await this.#take(operation, 'after')?.run();
    return result;
  }

  #take(operation: ClusterOperation, when: Action['when']): Action | undefined {
    const index = this.#script.findIndex((action) => action.operation === operation && action.when === when);
    return index < 0 ? undefined : this.#script.splice(index, 1)[0];
  }

  #handOut(bytes: Buffer): Secret {
    const secret = new Secret(Uint8Array.from(bytes));
    this.plaintexts.push(secret);
    return secret;
  }

  /** The key under an id, if it gives the canary. */
  #proved({ materialId, canary }: MaterialReference): Buffer {
    const key = this.#materials.get(materialId);
    if (key === undefined || !givesCanary(key, materialId, canary)) {
      throw new HoldfastError('KMS_INVALID_STATE', 'The key material is missing or is not what the catalog says.', {
        retryable: false,
      });
    }
    return key;
  }
}

/** The clusters of a test, each with its PIN. */
export class SoftwareHsmClusters implements HsmClusters {
  readonly #clusters = new Map<string, { cluster: SoftwareHsmCluster; description: ClusterDescription; pin: string }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(clusterId: string, name: string, pin = '1234567'): SoftwareHsmCluster {
    const cluster = new SoftwareHsmCluster(clusterId, this.#clock);
    const description: ClusterDescription = {
      clusterId,
      name,
      replication: 'none',
      minimumMembers: 1,
      memberNames: [memberName],
      trustAnchorDer: new TextEncoder().encode(`trust anchor of ${clusterId}`),
      maximumPinLength: 32,
      pinRules: { alphabet: 'abcdefghijklmnopqrstuvwxyz', length: 28, minimumBytes: null, maximumBytes: null },
    };
    this.#clusters.set(clusterId, { cluster, description, pin });
    return cluster;
  }

  describe(clusterId: string): ClusterDescription | undefined {
    return this.#clusters.get(clusterId)?.description;
  }

  list(): ClusterDescription[] {
    return [...this.#clusters.values()].map(({ description }) => description);
  }

  connect(clusterId: string, pin: Secret): Promise<ConnectOutcome> {
    const known = this.#clusters.get(clusterId);
    const right = known !== undefined && Buffer.from(known.pin).equals(pin.reveal());
    if (right) return Promise.resolve({ connected: true, cluster: known.cluster });
    const errorCode = known === undefined ? 'CLUSTER_NOT_FOUND' : 'INVALID_CREDENTIALS';
    return Promise.resolve({ connected: false, errorCode, transient: false, cause: errorCode });
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }
}

function givesCanary(key: Buffer, materialId: string, canary: Canary): boolean {
  if ('mac' in canary) return macUnder(key, new Uint8Array()).equals(canary.mac);
  const answer = decryptWith(key, canary, canaryAdditionalData(materialId));
  return answer?.equals(canaryPlaintext(materialId)) === true;
}

/** By the HMAC of the key's length. */
function macUnder(key: Buffer, message: Uint8Array): Buffer {
  return createHmac(`sha${key.length * 8}`, key)
    .update(message)
    .digest();
}

function encryptWith(key: Buffer, plaintext: Uint8Array, additionalData: Uint8Array): EncryptedData {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(additionalData);
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return { nonce: Uint8Array.from(nonce), ciphertext: Uint8Array.from(ciphertext) };
}

/** Undefined if the tag does not match. */
function decryptWith(key: Buffer, encrypted: EncryptedData, additionalData: Uint8Array): Buffer | undefined {
  const tagOffset = encrypted.ciphertext.length - 16;
  if (tagOffset < 0) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, encrypted.nonce, { authTagLength: 16 })
    .setAAD(additionalData)
    .setAuthTag(encrypted.ciphertext.subarray(tagOffset));
  const plaintext = decipher.update(encrypted.ciphertext.subarray(0, tagOffset));
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch {
    return undefined;
  }
}

function keysStay(): never {
  throw new HoldfastError('UNSUPPORTED_OPERATION', 'The keys cannot leave their token.');
}

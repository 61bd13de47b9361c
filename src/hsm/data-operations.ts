import type { ClusterRequest, ClusterResult, EncryptedData } from '../clusters/hsm-cluster.js';
import type { Secret } from '../secret.js';
import type { Answer, DataOperation, DataOperations } from './answers.js';
import type { OperationTarget } from './member-set.js';
import type { NativeMaterialReference, NativeMembers } from './native.js';

/** An operation that may be repeated on another member. */
export interface RepeatableOperation<T> extends OperationTarget, DataOperation<T> {}

/** AES-GCM in the token. */
export class Encryption implements RepeatableOperation<EncryptedData> {
  readonly operation = 'encrypt';
  readonly reference: NativeMaterialReference;
  readonly #request: ClusterRequest<'encrypt'>;

  constructor(reference: NativeMaterialReference, request: ClusterRequest<'encrypt'>) {
    this.reference = reference;
    this.#request = request;
  }

  get materialId(): string {
    return this.#request.material.materialId;
  }

  get encryptsUnder(): string {
    return this.#request.material.materialId;
  }

  post(pool: DataOperations, ticket: number, members: NativeMembers, untilMs: number): void {
    const { plaintext, additionalData } = this.#request;
    pool.encrypt(ticket, members, this.reference, plaintext.reveal(), additionalData, untilMs);
  }

  read(answer: Answer): EncryptedData {
    return answer.encryptedData();
  }
}

/** The reverse of an `Encryption`. */
export class Decryption implements RepeatableOperation<Secret> {
  readonly operation = 'decrypt';
  readonly reference: NativeMaterialReference;
  readonly #request: ClusterRequest<'decrypt'>;

  constructor(reference: NativeMaterialReference, request: ClusterRequest<'decrypt'>) {
    this.reference = reference;
    this.#request = request;
  }

  get materialId(): string {
    return this.#request.material.materialId;
  }

  post(pool: DataOperations, ticket: number, members: NativeMembers, untilMs: number): void {
    const { encrypted, additionalData } = this.#request;
    pool.decrypt(ticket, members, this.reference, encrypted.nonce, encrypted.ciphertext, additionalData, untilMs);
  }

  read(answer: Answer): Secret {
    return answer.secret();
  }
}

/** Random bytes of the token, also encrypted there. */
export class DataKeyGeneration implements RepeatableOperation<ClusterResult<'generateDataKey'>> {
  readonly operation = 'generate-data-key';
  readonly reference: NativeMaterialReference;
  readonly #request: ClusterRequest<'generateDataKey'>;

  constructor(reference: NativeMaterialReference, request: ClusterRequest<'generateDataKey'>) {
    this.reference = reference;
    this.#request = request;
  }

  get materialId(): string {
    return this.#request.material.materialId;
  }

  get encryptsUnder(): string {
    return this.#request.material.materialId;
  }

  post(pool: DataOperations, ticket: number, members: NativeMembers, untilMs: number): void {
    const { lengthBytes, additionalData } = this.#request;
    pool.generateDataKey(ticket, members, this.reference, lengthBytes, additionalData, untilMs);
  }

  read(answer: Answer): ClusterResult<'generateDataKey'> {
    return { plaintext: answer.secret(), encrypted: answer.encryptedData() };
  }
}

/** HMAC in the token. */
export class MacComputation implements RepeatableOperation<Secret> {
  readonly operation = 'mac';
  readonly reference: NativeMaterialReference;
  readonly #request: ClusterRequest<'mac'>;

  constructor(reference: NativeMaterialReference, request: ClusterRequest<'mac'>) {
    this.reference = reference;
    this.#request = request;
  }

  get materialId(): string {
    return this.#request.material.materialId;
  }

  post(pool: DataOperations, ticket: number, members: NativeMembers, untilMs: number): void {
    const { message, expected = null } = this.#request;
    pool.mac(ticket, members, this.reference, message.reveal(), expected, untilMs);
  }

  read(answer: Answer): Secret {
    return answer.secret();
  }
}

/** Random bytes of the token. */
export class RandomDraw implements RepeatableOperation<Secret> {
  readonly operation = 'random';
  readonly #lengthBytes: number;

  constructor(lengthBytes: number) {
    this.#lengthBytes = lengthBytes;
  }

  post(pool: DataOperations, ticket: number, members: NativeMembers, untilMs: number): void {
    pool.random(ticket, members, this.#lengthBytes, untilMs);
  }

  read(answer: Answer): Secret {
    return answer.secret();
  }
}

import {
  DecryptRequest,
  EncryptRequest,
  GenerateDataKeyRequest,
} from '../src/faces/grpc/gen/holdfast/kms/v1/cryptography_service.js';
import { DataKeySpec } from '../src/faces/grpc/gen/holdfast/kms/v1/algorithms.js';

/** The key that all requests name. */
export const alias = 'alias/app';

/** Length of the plaintext in all scenarios. */
export const plaintextBytes = 32;

const plaintext = Buffer.alloc(plaintextBytes, 0x61);

/** Two pairs, as from an application that names a tenant and a purpose. */
const encryptionContext = new Map([
  ['tenant', 'f3b1c0de-7a52-4c6e-9d1b-2f8a4e6b0c11'],
  ['purpose', 'column-encryption'],
]);

/** A request that is measured. */
export interface MeasuredMethod {
  /** The beginning of the names of its scenarios. */
  name: string;
  /** A method of `CryptographyService`. */
  method: string;
  /** The request, encoded. @param ciphertextBlob of the plaintext under the key, without a context */
  message(ciphertextBlob: Buffer): Uint8Array;
}

/** A row for each measured request. Its ratio to the echo with the same sizes follows from the row. */
export const measuredMethods = [
  {
    name: 'encrypt',
    method: 'Encrypt',
    message: () => EncryptRequest.encode(EncryptRequest.fromPartial({ keyId: alias, plaintext })).finish(),
  },
  {
    name: 'encrypt-context',
    method: 'Encrypt',
    message: () =>
      EncryptRequest.encode(EncryptRequest.fromPartial({ keyId: alias, plaintext, encryptionContext })).finish(),
  },
  {
    name: 'decrypt',
    method: 'Decrypt',
    message: (ciphertextBlob) => DecryptRequest.encode(DecryptRequest.fromPartial({ ciphertextBlob })).finish(),
  },
  {
    name: 'generate-data-key',
    method: 'GenerateDataKey',
    message: () => {
      const request = { keyId: alias, keySpec: DataKeySpec.AES_256 };
      return GenerateDataKeyRequest.encode(GenerateDataKeyRequest.fromPartial(request)).finish();
    },
  },
] as const satisfies readonly MeasuredMethod[];

export type MethodName = (typeof measuredMethods)[number]['name'];

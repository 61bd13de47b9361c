import { blob, choice, context, flag, integer, listOf, secretBlob, structure, text } from './conversion.js';
import { DataKeySpec } from './gen/holdfast/kms/v1/algorithms.js';
import * as gen from './gen/holdfast/kms/v1/cryptography_service.js';
import { methodCodec } from './method-codec.js';
import { encryptionAlgorithm, recipient } from './shared-messages.js';

const dryRunModifiers = listOf(choice(gen.DryRunModifier));

const dataKeyFields = {
  keyId: text,
  encryptionContext: context,
  numberOfBytes: integer,
  keySpec: choice(DataKeySpec),
  grantTokens: listOf(text),
  dryRun: flag,
};

/** Codecs of CryptographyService. */
export const cryptographyCodecs = {
  Encrypt: methodCodec('Encrypt', {
    request: gen.EncryptRequest,
    requestFields: structure<gen.EncryptRequest>({
      keyId: text,
      plaintext: secretBlob,
      encryptionContext: context,
      grantTokens: listOf(text),
      encryptionAlgorithm,
      dryRun: flag,
    }),
    response: gen.EncryptResponse,
    responseFields: structure<gen.EncryptResponse>({ ciphertextBlob: blob, keyId: text, encryptionAlgorithm }),
    carriesSecrets: true,
    contexts: { encryptionContext: 3 },
  }),
  Decrypt: methodCodec('Decrypt', {
    request: gen.DecryptRequest,
    requestFields: structure<gen.DecryptRequest>({
      ciphertextBlob: blob,
      encryptionContext: context,
      grantTokens: listOf(text),
      keyId: text,
      encryptionAlgorithm,
      recipient,
      dryRun: flag,
      dryRunModifiers,
    }),
    response: gen.DecryptResponse,
    responseFields: structure<gen.DecryptResponse>({
      keyId: text,
      plaintext: secretBlob,
      encryptionAlgorithm,
      ciphertextForRecipient: blob,
      keyMaterialId: text,
    }),
    carriesSecrets: true,
    contexts: { encryptionContext: 2 },
  }),
  ReEncrypt: methodCodec('ReEncrypt', {
    request: gen.ReEncryptRequest,
    requestFields: structure<gen.ReEncryptRequest>({
      ciphertextBlob: blob,
      sourceEncryptionContext: context,
      sourceKeyId: text,
      destinationKeyId: text,
      destinationEncryptionContext: context,
      sourceEncryptionAlgorithm: encryptionAlgorithm,
      destinationEncryptionAlgorithm: encryptionAlgorithm,
      grantTokens: listOf(text),
      dryRun: flag,
      dryRunModifiers,
    }),
    response: gen.ReEncryptResponse,
    responseFields: structure<gen.ReEncryptResponse>({
      ciphertextBlob: blob,
      sourceKeyId: text,
      keyId: text,
      sourceEncryptionAlgorithm: encryptionAlgorithm,
      destinationEncryptionAlgorithm: encryptionAlgorithm,
      sourceKeyMaterialId: text,
      destinationKeyMaterialId: text,
    }),
    contexts: { sourceEncryptionContext: 2, destinationEncryptionContext: 5 },
  }),
  GenerateDataKey: methodCodec('GenerateDataKey', {
    request: gen.GenerateDataKeyRequest,
    requestFields: structure<gen.GenerateDataKeyRequest>({ ...dataKeyFields, recipient }),
    response: gen.GenerateDataKeyResponse,
    responseFields: structure<gen.GenerateDataKeyResponse>({
      ciphertextBlob: blob,
      plaintext: secretBlob,
      keyId: text,
      ciphertextForRecipient: blob,
      keyMaterialId: text,
    }),
    carriesSecrets: true,
    contexts: { encryptionContext: 2 },
  }),
  GenerateDataKeyWithoutPlaintext: methodCodec('GenerateDataKeyWithoutPlaintext', {
    request: gen.GenerateDataKeyWithoutPlaintextRequest,
    requestFields: structure<gen.GenerateDataKeyWithoutPlaintextRequest>(dataKeyFields),
    response: gen.GenerateDataKeyWithoutPlaintextResponse,
    responseFields: structure<gen.GenerateDataKeyWithoutPlaintextResponse>({
      ciphertextBlob: blob,
      keyId: text,
      keyMaterialId: text,
    }),
    contexts: { encryptionContext: 2 },
  }),
  GenerateRandom: methodCodec('GenerateRandom', {
    request: gen.GenerateRandomRequest,
    requestFields: structure<gen.GenerateRandomRequest>({ numberOfBytes: integer, customKeyStoreId: text, recipient }),
    response: gen.GenerateRandomResponse,
    responseFields: structure<gen.GenerateRandomResponse>({ plaintext: secretBlob, ciphertextForRecipient: blob }),
    carriesSecrets: true,
  }),
};

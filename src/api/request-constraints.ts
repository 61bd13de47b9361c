import {
  bytes,
  choice,
  context,
  type FieldConstraints,
  integer,
  list,
  optional,
  refused,
  refusedValues,
  refusedWhenTrue,
  required,
  secretText,
  sensitiveText,
  structure,
  text,
} from './constraint.js';
import type { MethodName } from '../operations/methods.js';

/**
 * The limits of every request field, from the published AWS KMS API model; a test walks the model and compares.
 * One deviation: a key store password may be longer than AWS's 32 characters where the cluster's configuration says so,
 * so its upper limit is checked by the use cases, against the cluster.
 */

const keyId = text(1, 2048);
const customKeyStoreId = text(1, 64);
const aliasName = text(1, 256, /^[a-zA-Z0-9:/_-]+$/);
const clusterId = text(19, 24, /^cluster-[2-7a-zA-Z]{11,16}$/);
const marker = text(1, 1024, /^[\u0020-\u00FF]*$/);
const grantTokens = refused(list(0, 10, text(1, 8192)));
const encryptionAlgorithm = choice('SYMMETRIC_DEFAULT', 'RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256', 'SM2PKE');
const recipient = refused(
  structure({
    keyEncryptionAlgorithm: optional(choice('RSAES_OAEP_SHA_256')),
    attestationDocument: optional(bytes(1, 262_144)),
  }),
);
const dryRunModifiers = refused(list(0, Number.MAX_SAFE_INTEGER, choice('IGNORE_CIPHERTEXT')));
const password = secretText(7, 255);
const page = { limit: optional(integer(1, 1000)), marker: optional(marker) };

const otherKeySpecs = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_SECG_P256K1',
  'HMAC_224',
  'HMAC_256',
  'HMAC_384',
  'HMAC_512',
  'SM2',
];
const newerKeySpecs = [
  'ML_DSA_44',
  'ML_DSA_65',
  'ML_DSA_87',
  'ECC_NIST_EDWARDS25519',
  'ML_KEM_512',
  'ML_KEM_768',
  'ML_KEM_1024',
];
const otherKeyUsages = ['SIGN_VERIFY', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT', 'ENCAPSULATE_DECAPSULATE'];

const xksProxy: FieldConstraints = {
  xksProxyUriEndpoint: refused(text(10, 128, /^https:\/\/[a-zA-Z0-9.-]+$/)),
  xksProxyUriPath: refused(text(10, 128, /^(\/[a-zA-Z0-9/_-]+\/kms\/xks\/v\d{1,2})$|^(\/kms\/xks\/v\d{1,2})$/)),
  xksProxyVpcEndpointServiceName: refused(
    text(20, 64, /^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$/),
  ),
  xksProxyVpcEndpointServiceOwner: refused(text(12, 12, /^[0-9]{12}$/)),
  xksProxyAuthenticationCredential: refused(
    structure({
      accessKeyId: required(sensitiveText(20, 30, /^[A-Z2-7]+$/)),
      rawSecretAccessKey: required(sensitiveText(43, 64, /^[a-zA-Z0-9/+=]+$/)),
    }),
  ),
  xksProxyConnectivity: refused(choice('PUBLIC_ENDPOINT', 'VPC_ENDPOINT_SERVICE')),
};

const dataKey: FieldConstraints = {
  keyId: required(keyId),
  encryptionContext: optional(context),
  numberOfBytes: optional(integer(1, 1024)),
  keySpec: optional(choice('AES_256', 'AES_128')),
  grantTokens,
  dryRun: refusedWhenTrue,
};

const keyStoreConstraints = {
  CreateCustomKeyStore: {
    customKeyStoreName: required(text(1, 256)),
    cloudHsmClusterId: optional(clusterId),
    trustAnchorCertificate: optional(text(1, 5000)),
    keyStorePassword: optional(password),
    customKeyStoreType: refusedValues(choice('AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'), 'EXTERNAL_KEY_STORE'),
    ...xksProxy,
  },
  ConnectCustomKeyStore: { customKeyStoreId: required(customKeyStoreId) },
  DisconnectCustomKeyStore: { customKeyStoreId: required(customKeyStoreId) },
  DescribeCustomKeyStores: {
    customKeyStoreId: optional(customKeyStoreId),
    customKeyStoreName: optional(text(1, 256)),
    ...page,
  },
  UpdateCustomKeyStore: {
    customKeyStoreId: required(customKeyStoreId),
    newCustomKeyStoreName: optional(text(1, 256)),
    keyStorePassword: optional(password),
    cloudHsmClusterId: optional(clusterId),
    ...xksProxy,
  },
  DeleteCustomKeyStore: { customKeyStoreId: required(customKeyStoreId) },
} satisfies Partial<Record<MethodName, FieldConstraints>>;

const keyConstraints = {
  CreateKey: {
    policy: refused(text(1, 131_072, /^[\u0009\u000A\u000D\u0020-\u00FF]+$/)),
    description: optional(text(0, 8192)),
    keyUsage: refusedValues(choice('ENCRYPT_DECRYPT', ...otherKeyUsages), ...otherKeyUsages),
    customerMasterKeySpec: refusedValues(choice('SYMMETRIC_DEFAULT', ...otherKeySpecs), ...otherKeySpecs),
    keySpec: refusedValues(
      choice('SYMMETRIC_DEFAULT', ...otherKeySpecs, ...newerKeySpecs),
      ...otherKeySpecs,
      ...newerKeySpecs,
    ),
    origin: refusedValues(
      choice('AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'),
      'EXTERNAL',
      'EXTERNAL_KEY_STORE',
    ),
    customKeyStoreId: optional(customKeyStoreId),
    bypassPolicyLockoutSafetyCheck: refusedWhenTrue,
    tags: refused(
      list(0, Number.MAX_SAFE_INTEGER, structure({ tagKey: required(text(1, 128)), tagValue: required(text(0, 256)) })),
    ),
    multiRegion: refusedWhenTrue,
    xksKeyId: refused(text(1, 128, /^[a-zA-Z0-9-_.]+$/)),
  },
  DescribeKey: { keyId: required(keyId), grantTokens },
  ListKeys: { ...page, resourceOwners: refused(list(1, 2, choice('SELF', 'OTHER_ACCOUNTS_VIA_RAM'))) },
  EnableKey: { keyId: required(keyId) },
  DisableKey: { keyId: required(keyId) },
  ScheduleKeyDeletion: { keyId: required(keyId), pendingWindowInDays: optional(integer(1, 365)) },
  CancelKeyDeletion: { keyId: required(keyId) },
  CreateAlias: { aliasName: required(aliasName), targetKeyId: required(keyId) },
  ListAliases: { keyId: optional(keyId), ...page },
  UpdateAlias: { aliasName: required(aliasName), targetKeyId: required(keyId) },
  DeleteAlias: { aliasName: required(aliasName) },
} satisfies Partial<Record<MethodName, FieldConstraints>>;

const cryptographyConstraints = {
  Encrypt: {
    keyId: required(keyId),
    plaintext: required(bytes(1, 4096)),
    encryptionContext: optional(context),
    grantTokens,
    encryptionAlgorithm: optional(encryptionAlgorithm),
    dryRun: refusedWhenTrue,
  },
  Decrypt: {
    ciphertextBlob: optional(bytes(1, 6144)),
    encryptionContext: optional(context),
    grantTokens,
    keyId: optional(keyId),
    encryptionAlgorithm: optional(encryptionAlgorithm),
    recipient,
    dryRun: refusedWhenTrue,
    dryRunModifiers,
  },
  ReEncrypt: {
    ciphertextBlob: optional(bytes(1, 6144)),
    sourceEncryptionContext: optional(context),
    sourceKeyId: optional(keyId),
    destinationKeyId: required(keyId),
    destinationEncryptionContext: optional(context),
    sourceEncryptionAlgorithm: optional(encryptionAlgorithm),
    destinationEncryptionAlgorithm: optional(encryptionAlgorithm),
    grantTokens,
    dryRun: refusedWhenTrue,
    dryRunModifiers,
  },
  GenerateDataKey: { ...dataKey, recipient },
  GenerateDataKeyWithoutPlaintext: dataKey,
  GenerateRandom: {
    numberOfBytes: optional(integer(1, 1024)),
    customKeyStoreId: optional(customKeyStoreId),
    recipient,
  },
} satisfies Partial<Record<MethodName, FieldConstraints>>;

/** What `validateRequest` checks, by method. One without an entry does not compile. */
export const requestConstraints: Readonly<Record<MethodName, FieldConstraints>> = {
  ...keyStoreConstraints,
  ...keyConstraints,
  ...cryptographyConstraints,
  GetStatus: {},
};

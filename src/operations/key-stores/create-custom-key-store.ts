import { onAccount } from '../operation.js';
import { HoldfastError } from '../../errors.js';
import type { RequestContext } from '../../calls/request-context.js';
import type { Scope } from '../../calls/scope.js';
import type { Secret } from '../../secret.js';
import {
  clusterInUse,
  customKeyStoreLimit,
  type KeyStoreAdministration,
  requireUsableCluster,
  storeNameInUse,
} from '../../keystores/administration.js';
import { checkPassword, isPasswordOf, sealPassword } from '../../keystores/password.js';
import type { StoreRecord } from '../../keystores/store.js';
import { requireTrustAnchor } from './trust-anchor.js';

/** AWS KMS API Reference, CreateCustomKeyStore, without the fields of external key stores. */
export interface CreateCustomKeyStoreRequest {
  customKeyStoreName: string;
  cloudHsmClusterId?: string | undefined;
  /** PEM, at most 5,000 characters. */
  trustAnchorCertificate?: string | undefined;
  /** Destroyed when the use case ends. */
  keyStorePassword?: Secret | undefined;
  customKeyStoreType?: 'AWS_CLOUDHSM' | 'EXTERNAL_KEY_STORE' | undefined;
}

/** AWS KMS API Reference, CreateCustomKeyStore. The id is `cks-` and hex digits, as `Identifiers` makes them. */
export interface CreateCustomKeyStoreResponse {
  customKeyStoreId: string;
}

type CloudHsmStoreProperties = {
  [Name in 'cloudHsmClusterId' | 'trustAnchorCertificate' | 'keyStorePassword']: NonNullable<
    CreateCustomKeyStoreRequest[Name]
  >;
} & { customKeyStoreName: string };

/**
 * Records a custom key store, DISCONNECTED. It only stores the password; nothing logs in. Creating a store with the
 * properties of an existing disconnected one answers the existing id (AWS KMS Developer Guide, "Create an AWS CloudHSM
 * key store": it counts as a retry).
 * @throws VALIDATION, UNSUPPORTED_OPERATION, CLOUD_HSM_CLUSTER_NOT_FOUND, CLOUD_HSM_CLUSTER_IN_USE,
 *   CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION, INCORRECT_TRUST_ANCHOR, CUSTOM_KEY_STORE_NAME_IN_USE, LIMIT_EXCEEDED
 */
export async function createCustomKeyStore(
  core: KeyStoreAdministration,
  call: { request: CreateCustomKeyStoreRequest },
  context: RequestContext,
): Promise<CreateCustomKeyStoreResponse> {
  try {
    const properties = requireProperties(call.request);
    const cluster = requireUsableCluster(core, properties.cloudHsmClusterId);
    requireTrustAnchor(cluster, properties.trustAnchorCertificate);
    checkPassword(properties.keyStorePassword, cluster);
    return { customKeyStoreId: await insertOrFindSame(core, properties, context.principal) };
  } finally {
    call.request.keyStorePassword?.destroy();
  }
}

function requireProperties(request: CreateCustomKeyStoreRequest): CloudHsmStoreProperties {
  if (request.customKeyStoreType === 'EXTERNAL_KEY_STORE') {
    throw new HoldfastError('UNSUPPORTED_OPERATION', 'custom_key_store_type EXTERNAL_KEY_STORE is not supported.');
  }
  const { customKeyStoreName, cloudHsmClusterId, trustAnchorCertificate, keyStorePassword } = request;
  if (cloudHsmClusterId === undefined || trustAnchorCertificate === undefined || keyStorePassword === undefined) {
    throw missingProperties(request);
  }
  return { customKeyStoreName, cloudHsmClusterId, trustAnchorCertificate, keyStorePassword };
}

function missingProperties(request: CreateCustomKeyStoreRequest): HoldfastError {
  const missing = [
    ...(request.cloudHsmClusterId === undefined ? ['cloud_hsm_cluster_id'] : []),
    ...(request.trustAnchorCertificate === undefined ? ['trust_anchor_certificate'] : []),
    ...(request.keyStorePassword === undefined ? ['key_store_password'] : []),
  ];
  return new HoldfastError('VALIDATION', `An AWS_CLOUDHSM key store requires ${missing.join(', ')}.`, {
    fieldViolations: missing.map((field) => ({ field, description: 'It is required for an AWS_CLOUDHSM key store.' })),
  });
}

async function insertOrFindSame(
  core: KeyStoreAdministration,
  properties: CloudHsmStoreProperties,
  scope: Scope,
): Promise<string> {
  const store = newStore(core, properties, scope);
  const outcome = await core.keyStoreCatalog.createStore(store, customKeyStoreLimit);
  if (outcome === 'created') return store.customKeyStoreId;
  // A retried create collides with its own earlier result in name and cluster, and perhaps with the limit. So look for
  // that first.
  const existing = await core.keyStoreCatalog.findStoreByName(scope, properties.customKeyStoreName);
  if (existing !== undefined && isSame(core, existing, properties)) return existing.customKeyStoreId;
  if (outcome === 'name-in-use') throw storeNameInUse(properties.customKeyStoreName);
  if (outcome === 'cluster-in-use') throw clusterInUse(properties.cloudHsmClusterId);
  throw new HoldfastError(
    'LIMIT_EXCEEDED',
    `This account has ${customKeyStoreLimit} custom key stores in this region, which is the maximum.`,
    { retryable: false },
  );
}

function newStore(core: KeyStoreAdministration, properties: CloudHsmStoreProperties, scope: Scope): StoreRecord {
  const place = {
    customKeyStoreId: core.identifiers.customKeyStoreId(),
    clusterId: properties.cloudHsmClusterId,
    passwordVersion: 1,
  };
  return {
    ...place,
    account: scope.account,
    region: scope.region,
    name: properties.customKeyStoreName,
    trustAnchorCertificate: properties.trustAnchorCertificate,
    password: sealPassword(core.passwordSealer, properties.keyStorePassword, place),
    connectionState: 'DISCONNECTED',
    connectionErrorCode: null,
    creationDate: core.clock.now(),
  };
}

function isSame(core: KeyStoreAdministration, existing: StoreRecord, properties: CloudHsmStoreProperties): boolean {
  return (
    existing.connectionState === 'DISCONNECTED' &&
    existing.clusterId === properties.cloudHsmClusterId &&
    existing.trustAnchorCertificate === properties.trustAnchorCertificate &&
    isPasswordOf(core.passwordSealer, existing, properties.keyStorePassword)
  );
}

/** The descriptor of CreateCustomKeyStore, with its function. */
export const createCustomKeyStoreOperation = onAccount<CreateCustomKeyStoreRequest>({
  plane: 'control',
  audited: ['customKeyStoreName', 'cloudHsmClusterId', 'customKeyStoreType'],
  created: (response) => (response as CreateCustomKeyStoreResponse).customKeyStoreId,
  action: 'kms:CreateCustomKeyStore',
  run: ({ keyStores }, call, context) => createCustomKeyStore(keyStores, call, context),
});

import { onAccount } from '../operation.js';
import { HoldfastError } from '../../errors.js';
import type { RequestContext } from '../../calls/request-context.js';
import type { Scope } from '../../calls/scope.js';
import { cutPage, decodeMarker } from '../pagination.js';
import { type KeyStoreAdministration, storeNotFound } from '../../keystores/administration.js';
import type { ConnectionState, StoreRecord } from '../../keystores/store.js';
import type { ConnectionErrorCode } from '../../clusters/hsm-cluster.js';

/** The model states no default. A scope has at most `customKeyStoreLimit` stores, so one page holds all of them. */
const defaultLimit = 50;

/** AWS KMS API Reference, DescribeCustomKeyStores. `limit` is 1–1,000. */
export interface DescribeCustomKeyStoresRequest {
  customKeyStoreId?: string | undefined;
  customKeyStoreName?: string | undefined;
  limit?: number | undefined;
  marker?: string | undefined;
}

/** AWS KMS API Reference, CustomKeyStoresListEntry. It never contains the password. */
export interface CustomKeyStoresListEntry {
  customKeyStoreId: string;
  customKeyStoreName: string;
  cloudHsmClusterId: string;
  trustAnchorCertificate: string;
  connectionState: ConnectionState;
  /** Only while the state is FAILED. */
  connectionErrorCode?: ConnectionErrorCode | undefined;
  creationDate: Date;
  customKeyStoreType: 'AWS_CLOUDHSM';
}

/** AWS KMS API Reference, DescribeCustomKeyStores. An entry for each store, in ascending order of id. */
export interface DescribeCustomKeyStoresResponse {
  customKeyStores: CustomKeyStoresListEntry[];
  /** Only when `truncated`. */
  nextMarker?: string | undefined;
  truncated: boolean;
}

/**
 * Lists the stores of the caller's account and region, or the one that the request names.
 * @throws VALIDATION (id and name together), CUSTOM_KEY_STORE_NOT_FOUND, INVALID_MARKER
 */
export async function describeCustomKeyStores(
  core: KeyStoreAdministration,
  call: { request: DescribeCustomKeyStoresRequest },
  context: RequestContext,
): Promise<DescribeCustomKeyStoresResponse> {
  const { customKeyStoreId, customKeyStoreName } = call.request;
  if (customKeyStoreId !== undefined && customKeyStoreName !== undefined) throw idAndName();
  const wanted = customKeyStoreId ?? customKeyStoreName;
  if (wanted === undefined) return listPage(core, context.principal, call.request);
  const store =
    customKeyStoreId === undefined
      ? await core.keyStoreCatalog.findStoreByName(context.principal, wanted)
      : await core.keyStoreCatalog.findStore(context.principal, wanted);
  if (store === undefined) throw storeNotFound(wanted);
  return { customKeyStores: [listEntry(store)], truncated: false };
}

async function listPage(
  core: KeyStoreAdministration,
  scope: Scope,
  request: DescribeCustomKeyStoresRequest,
): Promise<DescribeCustomKeyStoresResponse> {
  const limit = request.limit ?? defaultLimit;
  const after = decodeMarker('DescribeCustomKeyStores', request.marker);
  const found = await core.keyStoreCatalog.listStores(scope, after, limit + 1);
  const { items, ...rest } = cutPage('DescribeCustomKeyStores', found, limit, (store) => store.customKeyStoreId);
  return { customKeyStores: items.map(listEntry), ...rest };
}

function listEntry(store: StoreRecord): CustomKeyStoresListEntry {
  return {
    customKeyStoreId: store.customKeyStoreId,
    customKeyStoreName: store.name,
    cloudHsmClusterId: store.clusterId,
    trustAnchorCertificate: store.trustAnchorCertificate,
    connectionState: store.connectionState,
    connectionErrorCode: store.connectionState === 'FAILED' ? (store.connectionErrorCode ?? undefined) : undefined,
    creationDate: store.creationDate,
    customKeyStoreType: 'AWS_CLOUDHSM',
  };
}

function idAndName(): HoldfastError {
  const description = 'Give the id or the name of a custom key store, not both.';
  return new HoldfastError('VALIDATION', description, {
    fieldViolations: [
      { field: 'custom_key_store_id', description },
      { field: 'custom_key_store_name', description },
    ],
  });
}

/** The descriptor of DescribeCustomKeyStores, with its function. */
export const describeCustomKeyStoresOperation = onAccount<DescribeCustomKeyStoresRequest>({
  plane: 'data',
  audited: ['customKeyStoreId', 'customKeyStoreName', 'limit'],
  action: 'kms:DescribeCustomKeyStores',
  run: ({ keyStores }, call, context) => describeCustomKeyStores(keyStores, call, context),
});

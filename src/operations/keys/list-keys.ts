import { onAccount } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import { keyArn } from '../../keys/arn.js';
import type { KeysCore } from '../../keys/core.js';
import { cutPage, decodeMarker } from '../pagination.js';

/** AWS KMS API Reference, ListKeys: 1–1,000, default 100. */
const defaultLimit = 100;

/** AWS KMS API Reference, ListKeys. `limit` is 1–1,000, default 100; `marker` is the `nextMarker` of the page before. */
export interface ListKeysRequest {
  limit?: number | undefined;
  marker?: string | undefined;
}

/** AWS KMS API Reference, ListKeys. There is a `nextMarker` only when `truncated`. */
export interface ListKeysResponse {
  keys: { keyId: string; keyArn: string }[];
  truncated: boolean;
  nextMarker?: string | undefined;
}

/** Keys of the caller's account and region, in ascending order of id. @throws INVALID_MARKER */
export async function listKeys(
  core: Pick<KeysCore, 'catalog' | 'identity'>,
  call: { request: ListKeysRequest },
  context: RequestContext,
): Promise<ListKeysResponse> {
  const limit = call.request.limit ?? defaultLimit;
  const after = decodeMarker('ListKeys', call.request.marker);
  const found = await core.catalog.listKeys(context.principal, after, limit + 1);
  const { items, truncated, nextMarker } = cutPage('ListKeys', found, limit, (key) => key.keyId);
  const keys = items.map((key) => ({ keyId: key.keyId, keyArn: keyArn(core.identity, key) }));
  return { keys, truncated, nextMarker };
}

/** The descriptor of ListKeys, with its function. */
export const listKeysOperation = onAccount<ListKeysRequest>({
  plane: 'data',
  audited: ['limit'],
  action: 'kms:ListKeys',
  run: ({ keys }, call, context) => listKeys(keys, call, context),
});

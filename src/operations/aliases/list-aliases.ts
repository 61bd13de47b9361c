import { everyState } from '../../keys/key-state.js';
import { forAccount, forKey } from '../key-resource.js';
import type { Keyed, Operation } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import { aliasArn } from '../../keys/arn.js';
import type { KeysCore } from '../../keys/core.js';
import { checkRange } from '../../keys/invalid-field.js';
import type { AliasRecord, KeyRecord } from '../../keys/key.js';
import { cutPage, decodeMarker } from '../pagination.js';

/** AWS KMS API Reference, ListAliases: the shape says 1–1,000, the text 1–100, default 50. */
const defaultLimit = 50;
const maximumLimit = 100;

/** AWS KMS API Reference, ListAliases. `limit` is 1–100, default 50; `marker` is the `nextMarker` of the page before. */
export interface ListAliasesRequest {
  limit?: number | undefined;
  marker?: string | undefined;
}

/** AWS KMS API Reference, AliasListEntry. Each has a target: Holdfast removes an alias together with its key. */
export interface AliasListEntry {
  aliasName: string;
  aliasArn: string;
  targetKeyId: string;
  creationDate: Date;
  lastUpdatedDate: Date;
}

/** AWS KMS API Reference, ListAliases. `nextMarker` is present only if `truncated`. */
export interface ListAliasesResponse {
  aliases: AliasListEntry[];
  truncated: boolean;
  nextMarker?: string | undefined;
}

/** Aliases of the caller's account and region, or of one key, in ascending order of name. @throws VALIDATION, INVALID_MARKER */
export async function listAliases(
  core: Pick<KeysCore, 'catalog' | 'identity'>,
  call: { key: KeyRecord | undefined; request: ListAliasesRequest },
  context: RequestContext,
): Promise<ListAliasesResponse> {
  const limit = call.request.limit ?? defaultLimit;
  checkRange('limit', 'limit', limit, 1, maximumLimit);
  const found = await core.catalog.listAliases({
    scope: { account: context.principal.account, region: context.principal.region },
    targetKeyId: call.key?.keyId,
    afterAliasName: decodeMarker('ListAliases', call.request.marker),
    limit: limit + 1,
  });
  const { items, truncated, nextMarker } = cutPage('ListAliases', found, limit, (alias) => alias.aliasName);
  return { aliases: items.map((alias) => listEntry(core, alias)), truncated, nextMarker };
}

function listEntry(core: Pick<KeysCore, 'identity'>, alias: AliasRecord): AliasListEntry {
  return {
    aliasName: alias.aliasName,
    aliasArn: aliasArn(core.identity, alias),
    targetKeyId: alias.targetKeyId,
    creationDate: alias.creationDate,
    lastUpdatedDate: alias.lastUpdatedDate,
  };
}

/** ListAliases: all aliases, or those of one key if the request names one, by id. */
export const listAliasesOperation: Operation<ListAliasesRequest & Partial<Keyed>> = {
  plane: 'data',
  audited: ['keyId', 'limit'],
  keyStates: everyState,
  prepare({ keys }, request, context) {
    const run = (key: KeyRecord | undefined) => listAliases(keys, { key, request }, context);
    if (request.keyId === undefined) return forAccount('kms:ListAliases', () => run(undefined));
    const asked = { action: 'kms:ListAliases', identifier: request.keyId, naming: { aliasesAllowed: false } };
    return forKey(keys, context, asked, run);
  },
};

import { onTargetKey } from '../operation.js';
import { aliasAlreadyExists, checkAliasName, maximumAliasesPerKey, tooManyAliases } from '../../keys/alias-rules.js';
import type { KeysCore } from '../../keys/core.js';
import type { AliasRecord, KeyRecord } from '../../keys/key.js';
import { requireKeyState, unlessPendingDeletion } from '../../keys/key-state.js';

/** AWS KMS API Reference, CreateAlias, without the target: the dispatcher has resolved it to a key. */
export interface CreateAliasRequest {
  /** 1–256 characters, with its prefix `alias/`. */
  aliasName: string;
}

/**
 * Gives a key a name. `key` is the target.
 * @throws VALIDATION, INVALID_ALIAS_NAME, KMS_INVALID_STATE (pending deletion), LIMIT_EXCEEDED (50 per key),
 * ALREADY_EXISTS.
 */
export async function createAlias(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity' | 'clock'>,
  call: { key: KeyRecord; request: CreateAliasRequest },
): Promise<Record<string, never>> {
  const { key, request } = call;
  checkAliasName(request.aliasName);
  await requireKeyState(core, key, unlessPendingDeletion);
  const now = core.clock.now();
  const alias: AliasRecord = {
    account: key.account,
    region: key.region,
    aliasName: request.aliasName,
    targetKeyId: key.keyId,
    creationDate: now,
    lastUpdatedDate: now,
  };
  // Before the quota: a name in use is refused as such, however many aliases the key has.
  if ((await core.catalog.findAlias(key, request.aliasName)) !== undefined) throw aliasAlreadyExists(core, alias);
  const outcome = await core.catalog.createAlias(alias, maximumAliasesPerKey);
  if (outcome === 'limit-exceeded') throw tooManyAliases();
  if (outcome === 'name-in-use') throw aliasAlreadyExists(core, alias);
  return {};
}

/** CreateAlias. Its target is a key id, for the key that the alias will point at. */
export const createAliasOperation = onTargetKey<CreateAliasRequest & { targetKeyId: string }>({
  plane: 'control',
  audited: ['aliasName', 'targetKeyId'],
  action: 'kms:CreateAlias',
  keyStates: unlessPendingDeletion,
  run: createAlias,
});

import { onTargetKey } from '../operation.js';
import { checkAliasName, maximumAliasesPerKey, tooManyAliases } from '../../keys/alias-rules.js';
import { aliasArn } from '../../keys/arn.js';
import type { KeysCore } from '../../keys/core.js';
import type { KeyRecord } from '../../keys/key.js';
import { requireKeyState, unlessPendingDeletion } from '../../keys/key-state.js';
import { aliasNotFound } from '../../keys/not-found.js';

/** AWS KMS API Reference, UpdateAlias, without the new target: the dispatcher has resolved it to a key. */
export interface UpdateAliasRequest {
  aliasName: string;
}

/**
 * Points an alias at another key. `key` is the new target; the previous one may be in any state (AWS note 10). AWS
 * demands that both keys have the same type and usage, which is true of all keys here.
 * @throws VALIDATION, INVALID_ALIAS_NAME, NOT_FOUND (no such alias), KMS_INVALID_STATE (the target is pending
 * deletion), LIMIT_EXCEEDED.
 */
export async function updateAlias(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity' | 'clock'>,
  call: { key: KeyRecord; request: UpdateAliasRequest },
): Promise<Record<string, never>> {
  const { key, request } = call;
  checkAliasName(request.aliasName);
  const notFound = aliasNotFound(aliasArn(core.identity, { ...key, aliasName: request.aliasName }));
  if ((await core.catalog.findAlias(key, request.aliasName)) === undefined) throw notFound;
  await requireKeyState(core, key, unlessPendingDeletion);
  const now = core.clock.now();
  const outcome = await core.catalog.updateAlias(key, request.aliasName, key.keyId, now, maximumAliasesPerKey);
  if (outcome === 'limit-exceeded') throw tooManyAliases();
  if (outcome === 'not-found') throw notFound;
  return {};
}

/** UpdateAlias: on the key that the alias will point at, by id. */
export const updateAliasOperation = onTargetKey<UpdateAliasRequest & { targetKeyId: string }>({
  plane: 'control',
  audited: ['aliasName', 'targetKeyId'],
  action: 'kms:UpdateAlias',
  keyStates: unlessPendingDeletion,
  run: updateAlias,
});

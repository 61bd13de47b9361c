import { everyState } from '../../keys/key-state.js';
import { onAccount } from '../operation.js';
import type { RequestContext } from '../../calls/request-context.js';
import { checkAliasName } from '../../keys/alias-rules.js';
import { aliasArn } from '../../keys/arn.js';
import type { KeysCore } from '../../keys/core.js';
import { aliasNotFound } from '../../keys/not-found.js';

/** AWS KMS API Reference, DeleteAlias. The name has the prefix `alias/`; it is neither a key id nor an ARN. */
export interface DeleteAliasRequest {
  aliasName: string;
}

/** Works in every state of the key that the alias names. @throws VALIDATION, INVALID_ALIAS_NAME, NOT_FOUND. */
export async function deleteAlias(
  core: Pick<KeysCore, 'catalog' | 'identity'>,
  call: { request: DeleteAliasRequest },
  context: RequestContext,
): Promise<Record<string, never>> {
  const { aliasName } = call.request;
  const { account, region } = context.principal;
  checkAliasName(aliasName);
  if (await core.catalog.deleteAlias({ account, region }, aliasName)) return {};
  throw aliasNotFound(aliasArn(core.identity, { account, region, aliasName }));
}

/** DeleteAlias: in every state of the key that the alias names. */
export const deleteAliasOperation = onAccount<DeleteAliasRequest>({
  plane: 'control',
  audited: ['aliasName'],
  keyStates: everyState,
  action: 'kms:DeleteAlias',
  run: ({ keys }, call, context) => deleteAlias(keys, call, context),
});

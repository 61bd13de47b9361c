import { cancelKeyDeletion } from './cancel-key-deletion.js';
import type { KeysCore } from '../../keys/core.js';
import { type CreateAliasRequest, createAlias } from '../aliases/create-alias.js';
import { type CreateKeyRequest, type CreateKeyResponse, createKey } from './create-key.js';
import { type DeleteAliasRequest, deleteAlias } from '../aliases/delete-alias.js';
import { describeKey } from './describe-key.js';
import { disableKey } from './disable-key.js';
import { enableKey } from './enable-key.js';
import { type ListAliasesRequest, listAliases } from '../aliases/list-aliases.js';
import { type ListKeysRequest, listKeys } from './list-keys.js';
import { type ScheduleKeyDeletionRequest, scheduleKeyDeletion } from './schedule-key-deletion.js';
import { type UpdateAliasRequest, updateAlias } from '../aliases/update-alias.js';
import type { AccessRow } from '../access-row.js';
import { forAccount, forKey } from '../key-resource.js';

interface KeyIdRequest {
  keyId: string;
}

/** Key ids and key ARNs only: a change of a key must name it, not whatever an alias points at (AWS KMS API Reference). */
const byId = { aliasesAllowed: false };
const targetById = { ...byId, field: 'target_key_id' };
const byIdOrAlias = { aliasesAllowed: true };

/** The rows of `KeyService` on keys. */
export function keyAccess(core: KeysCore) {
  const change = (
    action: string,
    useCase: (core: KeysCore, call: { key: Parameters<typeof enableKey>[1]['key'] }) => Promise<object>,
  ): AccessRow<KeyIdRequest> => ({
    plane: 'control',
    audited: ['keyId'],
    prepare: (request, context) => forKey(core, context, action, request.keyId, byId, (key) => useCase(core, { key })),
  });

  return {
    CreateKey: {
      plane: 'control',
      audited: ['description', 'keyUsage', 'keySpec', 'customerMasterKeySpec', 'origin', 'customKeyStoreId'],
      created: (response) => (response as CreateKeyResponse).keyMetadata.arn,
      prepare: (request, context) => forAccount('kms:CreateKey', () => createKey(core, { request }, context)),
    } satisfies AccessRow<CreateKeyRequest>,
    DescribeKey: {
      plane: 'data',
      audited: ['keyId'],
      prepare: (request, context) =>
        forKey(core, context, 'kms:DescribeKey', request.keyId, byIdOrAlias, (key) => describeKey(core, { key })),
    } satisfies AccessRow<KeyIdRequest>,
    ListKeys: {
      plane: 'data',
      audited: ['limit'],
      prepare: (request, context) => forAccount('kms:ListKeys', () => listKeys(core, { request }, context)),
    } satisfies AccessRow<ListKeysRequest>,
    EnableKey: change('kms:EnableKey', enableKey),
    DisableKey: change('kms:DisableKey', disableKey),
    ScheduleKeyDeletion: {
      plane: 'control',
      audited: ['keyId', 'pendingWindowInDays'],
      prepare: (request, context) =>
        forKey(core, context, 'kms:ScheduleKeyDeletion', request.keyId, byId, (key) =>
          scheduleKeyDeletion(core, { key, request }),
        ),
    } satisfies AccessRow<ScheduleKeyDeletionRequest & KeyIdRequest>,
    CancelKeyDeletion: change('kms:CancelKeyDeletion', cancelKeyDeletion),
  };
}

/** The rows of `KeyService` on aliases. */
export function aliasAccess(core: KeysCore) {
  return {
    CreateAlias: {
      plane: 'control',
      audited: ['aliasName', 'targetKeyId'],
      prepare: (request, context) =>
        forKey(core, context, 'kms:CreateAlias', request.targetKeyId, targetById, (key) =>
          createAlias(core, { key, request }),
        ),
    } satisfies AccessRow<CreateAliasRequest & { targetKeyId: string }>,
    ListAliases: {
      plane: 'data',
      audited: ['keyId', 'limit'],
      prepare: (request, context) =>
        request.keyId === undefined
          ? forAccount('kms:ListAliases', () => listAliases(core, { key: undefined, request }, context))
          : forKey(core, context, 'kms:ListAliases', request.keyId, byId, (key) =>
              listAliases(core, { key, request }, context),
            ),
    } satisfies AccessRow<ListAliasesRequest & { keyId?: string | undefined }>,
    UpdateAlias: {
      plane: 'control',
      audited: ['aliasName', 'targetKeyId'],
      prepare: (request, context) =>
        forKey(core, context, 'kms:UpdateAlias', request.targetKeyId, targetById, (key) =>
          updateAlias(core, { key, request }),
        ),
    } satisfies AccessRow<UpdateAliasRequest & { targetKeyId: string }>,
    DeleteAlias: {
      plane: 'control',
      audited: ['aliasName'],
      prepare: (request, context) => forAccount('kms:DeleteAlias', () => deleteAlias(core, { request }, context)),
    } satisfies AccessRow<DeleteAliasRequest>,
  };
}

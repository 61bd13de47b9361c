import { choice, flag, integer, listOf, structure, text, timestamp } from './conversion.js';
import * as gen from './gen/holdfast/kms/v1/key_service.js';
import { methodCodec } from './method-codec.js';
import { customerMasterKeySpec, keyMetadata, keySpec, keyState, keyUsage, origin } from './shared-messages.js';

const keyId = { keyId: text };
const page = { limit: integer, marker: text };
const nextPage = { nextMarker: text, truncated: flag };
const nothing = structure<object>({});

const lifecycleCodecs = {
  CreateKey: methodCodec('CreateKey', {
    request: gen.CreateKeyRequest,
    requestFields: structure<gen.CreateKeyRequest>({
      policy: text,
      description: text,
      keyUsage,
      customerMasterKeySpec,
      keySpec,
      origin,
      customKeyStoreId: text,
      bypassPolicyLockoutSafetyCheck: flag,
      tags: listOf(structure<gen.Tag>({ tagKey: text, tagValue: text })),
      multiRegion: flag,
      xksKeyId: text,
    }),
    response: gen.CreateKeyResponse,
    responseFields: structure<gen.CreateKeyResponse>({ keyMetadata }),
  }),
  DescribeKey: methodCodec('DescribeKey', {
    request: gen.DescribeKeyRequest,
    requestFields: structure<gen.DescribeKeyRequest>({ keyId: text, grantTokens: listOf(text) }),
    response: gen.DescribeKeyResponse,
    responseFields: structure<gen.DescribeKeyResponse>({ keyMetadata }),
  }),
  ListKeys: methodCodec('ListKeys', {
    request: gen.ListKeysRequest,
    requestFields: structure<gen.ListKeysRequest>({ ...page, resourceOwners: listOf(choice(gen.ResourceOwner)) }),
    response: gen.ListKeysResponse,
    responseFields: structure<gen.ListKeysResponse>({
      keys: listOf(structure<gen.KeyListEntry>({ keyId: text, keyArn: text })),
      ...nextPage,
    }),
  }),
  EnableKey: methodCodec('EnableKey', {
    request: gen.EnableKeyRequest,
    requestFields: structure<gen.EnableKeyRequest>(keyId),
    response: gen.EnableKeyResponse,
    responseFields: nothing,
  }),
  DisableKey: methodCodec('DisableKey', {
    request: gen.DisableKeyRequest,
    requestFields: structure<gen.DisableKeyRequest>(keyId),
    response: gen.DisableKeyResponse,
    responseFields: nothing,
  }),
  ScheduleKeyDeletion: methodCodec('ScheduleKeyDeletion', {
    request: gen.ScheduleKeyDeletionRequest,
    requestFields: structure<gen.ScheduleKeyDeletionRequest>({ keyId: text, pendingWindowInDays: integer }),
    response: gen.ScheduleKeyDeletionResponse,
    responseFields: structure<gen.ScheduleKeyDeletionResponse>({
      keyId: text,
      deletionDate: timestamp,
      keyState,
      pendingWindowInDays: integer,
    }),
  }),
  CancelKeyDeletion: methodCodec('CancelKeyDeletion', {
    request: gen.CancelKeyDeletionRequest,
    requestFields: structure<gen.CancelKeyDeletionRequest>(keyId),
    response: gen.CancelKeyDeletionResponse,
    responseFields: structure<gen.CancelKeyDeletionResponse>(keyId),
  }),
};

const aliasCodecs = {
  CreateAlias: methodCodec('CreateAlias', {
    request: gen.CreateAliasRequest,
    requestFields: structure<gen.CreateAliasRequest>({ aliasName: text, targetKeyId: text }),
    response: gen.CreateAliasResponse,
    responseFields: nothing,
  }),
  ListAliases: methodCodec('ListAliases', {
    request: gen.ListAliasesRequest,
    requestFields: structure<gen.ListAliasesRequest>({ keyId: text, ...page }),
    response: gen.ListAliasesResponse,
    responseFields: structure<gen.ListAliasesResponse>({
      aliases: listOf(
        structure<gen.AliasListEntry>({
          aliasName: text,
          aliasArn: text,
          targetKeyId: text,
          creationDate: timestamp,
          lastUpdatedDate: timestamp,
        }),
      ),
      ...nextPage,
    }),
  }),
  UpdateAlias: methodCodec('UpdateAlias', {
    request: gen.UpdateAliasRequest,
    requestFields: structure<gen.UpdateAliasRequest>({ aliasName: text, targetKeyId: text }),
    response: gen.UpdateAliasResponse,
    responseFields: nothing,
  }),
  DeleteAlias: methodCodec('DeleteAlias', {
    request: gen.DeleteAliasRequest,
    requestFields: structure<gen.DeleteAliasRequest>({ aliasName: text }),
    response: gen.DeleteAliasResponse,
    responseFields: nothing,
  }),
};

/** Codecs of KeyService. */
export const keyCodecs = { ...lifecycleCodecs, ...aliasCodecs };

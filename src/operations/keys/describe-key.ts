import { everyState } from '../../keys/key-state.js';
import { type Keyed, onKey } from '../operation.js';
import type { KeysCore } from '../../keys/core.js';
import type { KeyRecord } from '../../keys/key.js';
import { type KeyMetadata, keyMetadata } from '../../keys/key-metadata.js';

/** AWS KMS API Reference, DescribeKey. The metadata also has `custody`, a field of Holdfast. */
export interface DescribeKeyResponse {
  keyMetadata: KeyMetadata;
}

/** Works in every state that callers can see. */
export async function describeKey(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity'>,
  call: { key: KeyRecord },
): Promise<DescribeKeyResponse> {
  return { keyMetadata: await keyMetadata(core, call.key) };
}

/** DescribeKey: the key by id or alias. */
export const describeKeyOperation = onKey<Keyed>({
  plane: 'data',
  audited: ['keyId'],
  action: 'kms:DescribeKey',
  userActions: ['kms:DescribeKey'],
  aliasesAllowed: true,
  keyStates: everyState,
  run: describeKey,
});

import { unlessPendingDeletion } from '../../keys/key-state.js';
import { type Keyed, onKey } from '../operation.js';
import { keyArn } from '../../keys/arn.js';
import { changeKeyState } from '../../keys/change-state.js';
import type { KeysCore } from '../../keys/core.js';
import { checkRange } from '../../keys/invalid-field.js';
import type { KeyRecord } from '../../keys/key.js';

/** AWS KMS API Reference, ScheduleKeyDeletion: the shape says 1–365, the text 7–30, default 30. */
const minWindowInDays = 7;
const maxWindowInDays = 30;
const defaultWindowInDays = 30;
const dayMs = 24 * 60 * 60 * 1000;

/** AWS KMS API Reference, ScheduleKeyDeletion. The window is 7–30 days, default 30. */
export interface ScheduleKeyDeletionRequest {
  pendingWindowInDays?: number | undefined;
}

/** AWS KMS API Reference, ScheduleKeyDeletion. The key is destroyed after `deletionDate`, not before. */
export interface ScheduleKeyDeletionResponse {
  /** The key's ARN, as AWS answers. */
  keyId: string;
  deletionDate: Date;
  keyState: 'PendingDeletion';
  pendingWindowInDays: number;
}

/**
 * Takes the key out of use now. It is destroyed when the window ends (`jobs/key-deletion.ts`), unless that is
 * cancelled.
 * @throws VALIDATION for a window outside 7–30 days, KMS_INVALID_STATE when the key is pending deletion already.
 */
export async function scheduleKeyDeletion(
  core: Pick<KeysCore, 'catalog' | 'keyStores' | 'identity' | 'clock'>,
  call: { key: KeyRecord; request: ScheduleKeyDeletionRequest },
): Promise<ScheduleKeyDeletionResponse> {
  const days = call.request.pendingWindowInDays ?? defaultWindowInDays;
  checkRange('pending_window_in_days', 'pendingWindowInDays', days, minWindowInDays, maxWindowInDays);
  const deletionDate = new Date(core.clock.now().getTime() + days * dayMs);
  const change = { state: 'PendingDeletion', deletionDate, pendingDeletionWindowInDays: days } as const;
  await changeKeyState(core, call.key, unlessPendingDeletion, ['Enabled', 'Disabled'], change);
  return {
    keyId: keyArn(core.identity, call.key),
    deletionDate,
    keyState: 'PendingDeletion',
    pendingWindowInDays: days,
  };
}

/** ScheduleKeyDeletion: the key by id. */
export const scheduleKeyDeletionOperation = onKey<ScheduleKeyDeletionRequest & Keyed>({
  plane: 'control',
  audited: ['keyId', 'pendingWindowInDays'],
  action: 'kms:ScheduleKeyDeletion',
  aliasesAllowed: false,
  keyStates: unlessPendingDeletion,
  run: scheduleKeyDeletion,
});

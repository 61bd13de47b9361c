import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain } from '../../../test/key-domain.js';
import { cancelKeyDeletion } from './cancel-key-deletion.js';
import type { KeyCatalog } from '../../keys/catalog.js';
import { describeKey } from './describe-key.js';
import { disableKey } from './disable-key.js';
import { enableKey } from './enable-key.js';
import type { KeyRecord } from '../../keys/key.js';
import { scheduleKeyDeletion } from './schedule-key-deletion.js';
import { updateKeyDescription } from './update-key-description.js';

let domain: KeyDomain;
let key: KeyRecord;
beforeEach(async () => {
  domain = await openKeyDomain();
  key = await domain.newKey();
});
afterEach(() => domain.close());

const arnOf = (of: KeyRecord) => `arn:aws:kms:eu-central-1:111122223333:key/${of.keyId}`;
const metadata = async (of: KeyRecord) =>
  (await describeKey(domain.core, { key: await domain.reread(of) })).keyMetadata;
const schedule = (of: KeyRecord, pendingWindowInDays?: number) =>
  scheduleKeyDeletion(domain.core, { key: of, request: { pendingWindowInDays } });

describe('enabling and disabling', () => {
  it('changes the state, and may be repeated', async () => {
    await enableKey(domain.core, { key });
    expect(await metadata(key)).toMatchObject({ keyState: 'Enabled', enabled: true });
    for (let round = 0; round < 2; round += 1) {
      expect(await disableKey(domain.core, { key: await domain.reread(key) })).toEqual({});
      expect(await metadata(key)).toMatchObject({ keyState: 'Disabled', enabled: false });
    }
    expect(await enableKey(domain.core, { key: await domain.reread(key) })).toEqual({});
    expect(await metadata(key)).toMatchObject({ keyState: 'Enabled', enabled: true });
  });

  it('shows on an unavailable key once its store is connected again', async () => {
    const custom = await domain.newKey('custom');
    await domain.keyStores.setConnection('DISCONNECTED');
    await disableKey(domain.core, { key: custom });
    expect(await metadata(custom)).toMatchObject({ keyState: 'Unavailable', enabled: false });
    await domain.keyStores.setConnection('CONNECTED');
    expect(await metadata(custom)).toMatchObject({ keyState: 'Disabled', enabled: false });
  });

  it('is refused for a key that another request scheduled for deletion meanwhile', async () => {
    await schedule(key);
    for (const change of [enableKey, disableKey]) {
      await expect(change(domain.core, { key })).rejects.toMatchObject({
        code: 'KMS_INVALID_STATE',
        message: `${arnOf(key)} is pending deletion.`,
      });
    }
  });

  it('a new description is refused while the key is pending deletion, and a deleted key is not found', async () => {
    const request = { description: 'new' };
    expect(await updateKeyDescription(domain.core, { key, request })).toEqual({});
    expect(await metadata(key)).toMatchObject({ description: 'new' });
    await schedule(key);
    await expect(updateKeyDescription(domain.core, { key, request })).rejects.toMatchObject({
      code: 'KMS_INVALID_STATE',
      message: `${arnOf(key)} is pending deletion.`,
    });
    await domain.catalog.changeKeyState(key, key.keyId, ['PendingDeletion'], {
      state: 'Deleted',
      deletionDate: null,
      pendingDeletionWindowInDays: null,
    });
    await expect(updateKeyDescription(domain.core, { key, request })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('reports a state that changed and changed back meanwhile', async () => {
    const catalog: KeyCatalog = { ...domain.catalog, changeKeyState: () => Promise.resolve(false) };
    await expect(enableKey({ ...domain.core, catalog }, { key })).rejects.toMatchObject({
      code: 'KMS_INVALID_STATE',
      message: `${arnOf(key)} was being changed by another request.`,
    });
    const unchanged: KeyCatalog = { ...domain.catalog, changeKeyDescription: () => Promise.resolve(false) };
    const request = { description: 'new' };
    await expect(updateKeyDescription({ ...domain.core, catalog: unchanged }, { key, request })).rejects.toMatchObject({
      code: 'KMS_INVALID_STATE',
      message: `${arnOf(key)} was being changed by another request.`,
    });
  });
});

describe('scheduling a deletion', () => {
  it('waits 30 days by default', async () => {
    const answer = await schedule(key);
    const deletionDate = new Date('2026-01-31T00:00:00Z');
    expect(answer).toEqual({ keyId: arnOf(key), deletionDate, keyState: 'PendingDeletion', pendingWindowInDays: 30 });
    expect(await metadata(key)).toMatchObject({ keyState: 'PendingDeletion', enabled: false, deletionDate });
  });

  it.each([7, 30])('waits %i days', async (days) => {
    const { deletionDate } = await schedule(key, days);
    expect(deletionDate.getTime() - domain.clock.now().getTime()).toBe(days * 86_400_000);
  });

  it.each([
    [1, 'greater than or equal to 7'],
    [6, 'greater than or equal to 7'],
    [31, 'less than or equal to 30'],
    [365, 'less than or equal to 30'],
  ])('refuses %i days, which the model’s shape allows and its text does not', async (days, bound) => {
    await expect(schedule(key, days)).rejects.toMatchObject({
      code: 'VALIDATION',
      message: `1 validation error detected: Value '${days}' at 'pendingWindowInDays' failed to satisfy constraint: Member must have value ${bound}`,
      fieldViolations: [{ field: 'pending_window_in_days' }],
    });
    expect(await metadata(key)).toMatchObject({ keyState: 'Enabled' });
  });

  it('works on a disabled and on an unavailable key, but not twice', async () => {
    const custom = await domain.newKey('custom');
    await disableKey(domain.core, { key: custom });
    await domain.keyStores.setConnection('DISCONNECTED');
    await schedule(custom);
    expect((await metadata(custom)).keyState).toBe('PendingDeletion');
    await expect(schedule(await domain.reread(custom))).rejects.toMatchObject({ code: 'KMS_INVALID_STATE' });
  });
});

describe('cancelling a deletion', () => {
  it('leaves the key disabled', async () => {
    await schedule(key);
    expect(await cancelKeyDeletion(domain.core, { key: await domain.reread(key) })).toEqual({ keyId: arnOf(key) });
    const { keyState, deletionDate } = await metadata(key);
    expect({ keyState, deletionDate }).toEqual({ keyState: 'Disabled', deletionDate: undefined });
    expect(await domain.reread(key)).toMatchObject({ deletionDate: null, pendingDeletionWindowInDays: null });
  });

  it('is refused when there is nothing to cancel', async () => {
    await expect(cancelKeyDeletion(domain.core, { key })).rejects.toMatchObject({
      code: 'KMS_INVALID_STATE',
      message: `${arnOf(key)} is not pending deletion.`,
    });
  });

  it('is refused once the deletion has begun', async () => {
    await schedule(key, 7);
    const pending = await domain.reread(key);
    domain.clock.advance(7 * 86_400_000);
    await domain.catalog.beginDeletion(pending, pending.keyId, domain.clock.now());
    await expect(cancelKeyDeletion(domain.core, { key: pending })).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: `Key '${arnOf(key)}' does not exist`,
    });
  });
});

describe('custody', () => {
  it('still names a cluster that the configuration no longer has', async () => {
    domain.keyStores.describeCluster = () => undefined;
    expect((await metadata(key)).custody).toEqual({
      cluster: domain.defaultCluster.clusterId,
      clusterName: undefined,
      members: [],
      replication: undefined,
      minimumMembers: undefined,
      extractable: false,
      backedUp: false,
    });
  });
});

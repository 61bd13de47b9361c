import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyDomain, openKeyDomain } from '../../../test/key-domain.js';
import { listKeys, type ListKeysRequest } from './list-keys.js';

let domain: KeyDomain;
const made: string[] = [];
beforeAll(async () => {
  domain = await openKeyDomain();
  for (let index = 0; index < 103; index += 1) made.push((await domain.newKey()).keyId);
  made.sort();
});
afterAll(() => domain.close());

const list = (request: ListKeysRequest = {}) => listKeys(domain.core, { request }, domain.context());

describe('ListKeys', () => {
  it('pages by a hundred', async () => {
    const first = await list();
    expect(first.keys.map(({ keyId }) => keyId)).toEqual(made.slice(0, 100));
    expect(first.keys[0]?.keyArn).toBe(`arn:aws:kms:eu-central-1:111122223333:key/${made[0]}`);
    expect(first.truncated).toBe(true);
    const second = await list({ marker: first.nextMarker });
    expect(second.keys.map(({ keyId }) => keyId)).toEqual(made.slice(100));
    expect([second.truncated, second.nextMarker]).toEqual([false, undefined]);
  });

  it('says that there is no more when the last page is full', async () => {
    expect(await list({ limit: 103 })).toMatchObject({ keys: { length: 103 }, truncated: false });
    expect(await list({ limit: 102 })).toMatchObject({ keys: { length: 102 }, truncated: true });
  });

  it('shows nothing of another account or region', async () => {
    for (const other of [{ account: '444455556666' }, { region: 'us-east-1' }]) {
      expect((await listKeys(domain.core, { request: {} }, domain.context(other))).keys).toEqual([]);
    }
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addKey, aliasFor, keyRecord, scope } from '../../test/contract/catalog-records.js';
import { systemClock } from '../clock-system.js';
import type { KeysCore } from '../keys/core.js';
import { AccessList } from '../policy/access-list.js';
import { openTestCatalog } from '../../test/catalog-file.js';
import { keyResource } from './key-resource.js';

test('a resource is made once for a list of aliases, and never serves another key', async () => {
  const lists = new Map([
    ['a', [aliasFor(keyRecord({ keyId: 'a' }), 'alias/app')]],
    ['shared', []],
  ]);
  const listAliases = ({ targetKeyId = '' }) => lists.get(targetKeyId) ?? lists.get('shared');
  const core = { catalog: { listAliases }, identity: { partition: 'aws' } } as unknown as KeysCore;
  const [a, b, c] = ['a', 'b', 'c'].map((keyId) => keyRecord({ keyId }));
  if (a === undefined || b === undefined || c === undefined) throw new Error('three keys');
  const first = await keyResource(core, a);
  expect(await keyResource(core, a)).toBe(first);
  lists.set('a', []);
  expect(await keyResource(core, a)).toMatchObject({ keyId: 'a', aliasNames: [] });
  for (const key of [b, c, b]) expect(await keyResource(core, key)).toMatchObject({ keyId: key.keyId });
});

test('an alias that moves takes its access with it at once, moved by this process or another', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-access-'));
  const options = { path: join(folder, 'catalog.db'), clock: systemClock };
  const [here, there] = [await openTestCatalog(options), await openTestCatalog(options)];
  try {
    const [one, two] = [await addKey(here), await addKey(here)];
    const principal = { ...scope, arn: 'arn:aws:iam::1:user/app', name: 'app' };
    const accessList = new AccessList([], [{ principalArn: principal.arn, keys: ['alias/app'] }], ['kms:Encrypt']);
    const context = { sourceAddress: 'unix', face: 'grpc', time: new Date(0) };
    const core = { catalog: here, identity: { partition: 'aws' } } as unknown as KeysCore;
    const allowed = async () => {
      const resources = [await keyResource(core, one), await keyResource(core, two)];
      return resources.map(
        (resource) => accessList.decide({ principal, action: 'kms:Encrypt', resource, context }).allowed,
      );
    };

    await here.createAlias(aliasFor(one, 'alias/app'), 50);
    expect(await allowed()).toEqual([true, false]);
    await there.updateAlias(scope, 'alias/app', two.keyId, new Date(), 50);
    expect(await allowed()).toEqual([false, true]);
    await here.updateAlias(scope, 'alias/app', one.keyId, new Date(), 50);
    expect(await allowed()).toEqual([true, false]);
    await there.deleteAlias(scope, 'alias/app');
    expect(await allowed()).toEqual([false, false]);
  } finally {
    await here.close();
    await there.close();
    rmSync(folder, { recursive: true });
  }
});

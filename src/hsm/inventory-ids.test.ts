import { expect, test } from 'vitest';
import { materialIdsIn } from './inventory-ids.js';

const clusterId = 'cluster-1234567abcd';
const entry = (id: string, objectClass = 4, label = 'a label') => ({ objectClass, id: Buffer.from(id), label });
const hex = (id: string): string => Buffer.from(id).toString('hex');

test('materials and foreign keys are listed, the cluster’s own keys and half-made objects are not', () => {
  const foreign = [
    'a material',
    `holdfast/${clusterId}/1/another`,
    `holdfast/${clusterId}/0/wraps-aes`,
    `holdfast/${clusterId}/1/wraps-aes/`,
    'holdfast/cluster-7654321dcba/1/wraps-aes',
  ];
  const own = ['wraps-aes', 'wraps-generic-secrets', 'wraps-private-keys', 'backup-mac'].flatMap((name) =>
    [1, 12].map((generation) => `holdfast/${clusterId}/${generation}/${name}`),
  );
  const entries = [...own, ...foreign].map((id) => entry(id));
  entries.push(entry('', 4, ''), entry('a private key', 3), entry(''));
  expect(materialIdsIn(entries, clusterId)).toEqual([...foreign.map(hex), '']);
});

import { expect, test } from 'vitest';
import { growthPerMember, replicationLines } from './replication.js';

const cost = (members: number, keysOnToken: number, cpuMicrosPerKey: number) => ({
  ...{ members, keysOnToken, cpuMicrosPerKey },
  keysPerSecond: 500,
});

test('a key that costs the same on each member has not grown, however many members and keys there are', () => {
  expect(growthPerMember([cost(1, 30, 1_000), cost(2, 30, 2_000), cost(3, 3_000, 3_000)])).toBe(1);
  expect(growthPerMember([cost(1, 30, 1_000), cost(3, 3_000, 4_500)])).toBe(1.5);
  expect(() => growthPerMember([])).toThrow('was not measured');
});

test('people read the cost of a member', () => {
  const report = {
    createKey: [cost(1, 30, 1_000), cost(3, 300, 3_600)],
    reconcile: { keys: 300, keysPerSecond: 250 },
    encryptDuringReconcile: 0.9,
    threeMembersToOne: 2.95,
  };
  expect(replicationLines(report)).toEqual([
    'CreateKey, 1 members, 30 keys      500 keys/s, 1.00 ms of CPU, 1.00 ms a member',
    'CreateKey, 3 members, 300 keys     500 keys/s, 3.60 ms of CPU, 1.20 ms a member',
    'CreateKey, CPU a member, most / few 1.200',
    'Reconcile, 300 keys                250 keys/s',
    'Encrypt during a reconcile / without 0.900  (target 0.8)',
    'Encrypt, three members / one        2.950  (target 2.8)',
  ]);
});

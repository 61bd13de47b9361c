import { expect, test } from 'vitest';
import { GetStatusResponse } from '../faces/grpc/gen/holdfast/admin/v1/admin_service.js';
import { statusLines } from './status-lines.js';

const lines = (status: object): string[] => statusLines(GetStatusResponse.fromPartial(status));

test.each([
  [0n, 1023n, '0 B of 1023 B'],
  [512n * 1024n ** 2n, 20n * 1024n ** 3n, '512.0 MiB of 20.0 GiB'],
  [1023n, 1024n, '1023 B of 1.0 KiB'],
  [3n * 1024n ** 5n, 2n ** 64n - 1n, '3.0 PiB of 16.0 EiB'],
])('a disk with %d of %d bytes free: %s', (freeBytes, sizeBytes, text) => {
  expect(lines({ disks: [{ holds: 'audit log', path: '/a', freeBytes, sizeBytes }] })).toContain(
    `  audit log (/a): ${text} free`,
  );
});

test('one lane is not "1 lanes"', () => {
  const member = (lanes: number): object => ({ name: `m${lanes}`, lanes, busyLanes: 0 });
  const text = lines({ keyStores: [{ clusterName: 'main', members: [1, 2].map(member) }] }).join('\n');
  expect(text).toMatch(/m1: .*, 1 lane, 0 busy/);
  expect(text).toMatch(/m2: .*, 2 lanes, 0 busy/);
});

test('a key store shows how busy its HSMs are, and when they reach their limit', () => {
  const limitDate = new Date('2027-03-04T00:00:00Z');
  const of = (load: object): string => lines({ keyStores: [{ clusterName: 'main', ...load }] }).join('\n');
  expect(of({ utilisation: 0.256 })).toMatch(/capacity: 26 % busy$/m);
  expect(of({ utilisation: 0.9, limitDate })).toContain('90 % busy; at today’s growth at its limit on 2027-03-04');
  expect(of({})).not.toContain('capacity');
});

test('a name or subject cannot end its quotes or its line', () => {
  const hostile = 'a" on main: CONNECTED\n\u202e';
  const shown = String.raw`"a\" on main: CONNECTED\n\u202e"`;
  const status = { keyStores: [{ name: hostile, clusterName: 'c' }], certificates: [{ path: '/c', subject: hostile }] };
  expect(lines(status).filter((line) => line.includes(shown))).toHaveLength(2);
});

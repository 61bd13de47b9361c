import { expect, test } from 'vitest';
import { exampleConfiguration } from '../config/example.js';
import { parseConfiguration } from '../config/load.js';
import { readSecrets } from '../config/secrets.js';
import { concernsOf } from '../status/concerns.js';
import type { ServiceStatus } from '../status/service-status.js';
import { checkDisk, type FileSystemSpace } from './disk.js';

const now = new Date('2026-06-01T00:00:00Z');
const configuration = parseConfiguration(exampleConfiguration('cluster-abcdefghijk'), '/etc/holdfast/holdfast.yaml');
const mebibyte = 2 ** 20;
const space = (freeBytes: number, sizeBytes: number, change: Partial<FileSystemSpace> = {}): FileSystemSpace => ({
  ...{ bsize: 4_096, blocks: sizeBytes / 4_096, bavail: Math.ceil(freeBytes / 4_096), files: 1_000, ffree: 500 },
  ...change,
});

async function found(spaceOf: (folder: string) => Promise<FileSystemSpace>) {
  const secrets = await readSecrets(configuration, {});
  return checkDisk({ configuration, secrets, now, asks: 'operator' }, spaceOf);
}

/** The report of `holdfast status` about the same disk. */
function shown(freeBytes: number, sizeBytes: number): string {
  const disks = [{ holds: 'audit', path: '/a', freeBytes, sizeBytes }];
  const well = {
    ...{ catalogReadable: true, catalogWritable: true, deletionHold: null, encryptionBudgetUsed: 0 },
    ...{ keyStores: [], certificates: [], certificateTrouble: null, configurationTrouble: null, backups: null },
  };
  const audit = { file: '/a/log', writable: true, inPlace: true, lostRecords: 0 };
  const process = { replacement: 'none', openFileDescriptors: 1, maximumFileDescriptors: 1_000 };
  const status = { ...well, audit, disks, process } as unknown as ServiceStatus;
  return concernsOf(status, now)[0]?.severity ?? 'OK';
}

const severities = { ok: 'OK', warn: 'WARNING', fail: 'FAILURE' };

/** Free bytes, size, and the report of `doctor`; each threshold from both sides. */
test.each([
  ['full', 0, 100_000, 'fail', /it is full: 0 MiB free/],
  ['a page left', 4_096 / mebibyte, 100_000, 'fail', /it is full/],
  ['a mebibyte left', 1, 100_000, 'fail', /nearly full: 1 MiB/],
  ['just under the least', 63, 100_000, 'fail', /nearly full: 63 MiB/],
  ['the least of a large disk', 64, 100_000, 'warn', /^64 MiB/],
  ['the least of a small disk, more than a tenth', 64, 640, 'ok', /^64 MiB/],
  ['just under a tenth of a small disk', 99, 1_000, 'warn', /^99 MiB/],
  ['a tenth of a small disk', 100, 1_000, 'ok', /^100 MiB/],
  ['just under a gibibyte of a large disk', 1_023, 100_000, 'warn', /^1023 MiB/],
  ['a gibibyte of a large disk', 1_024, 100_000, 'ok', /^1024 MiB/],
] as const)('a disk that has %s: doctor and status agree', async (_, free, size, status, message) => {
  const [freeBytes, sizeBytes] = [free * mebibyte, size * mebibyte];
  const findings = await found(() => Promise.resolve(space(freeBytes, sizeBytes)));
  expect(findings.map((finding) => finding.status)).toEqual([status, status]);
  expect(findings[0]?.message).toMatch(message);
  if (status !== 'ok') expect(findings[0]?.remedy).toContain('make room');
  expect(shown(freeBytes, sizeBytes)).toBe(severities[status]);
});

test('a disk without inodes is full, however much room it has', async () => {
  const findings = await found(() => Promise.resolve(space(2 ** 40, 2 ** 41, { ffree: 0 })));
  expect(findings[0]).toMatchObject({ status: 'fail', message: expect.stringContaining('inodes') as string });
});

test('a file system that counts neither blocks nor inodes is not full', async () => {
  const findings = await found(() => Promise.resolve(space(0, 0, { files: 0, ffree: 0 })));
  expect(findings.map((finding) => finding.status)).toEqual(['ok', 'ok']);
});

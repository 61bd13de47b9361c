import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { archivedOwners } from '../../scripts/image/archive.mjs';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-archive-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('owners and modes are those of the archive, whatever user reads it', async () => {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  const file = (name: string, mode: number) => {
    writeFileSync(join(root, name), '');
    chmodSync(join(root, name), mode);
  };
  file('usr/bin/su', 0o4755);
  file('usr/with a space', 0o666);
  symlinkSync('usr/bin', join(root, 'bin'));
  linkSync(join(root, 'usr/bin/su'), join(root, 'usr/sudo'));
  chmodSync(join(root, 'usr'), 0o1700);
  const archive = join(folder, 'root.tar');
  execFileSync('tar', [
    '-C',
    root,
    '--owner=10001',
    '--group=0',
    '--numeric-owner',
    '--sort=name',
    '-cf',
    archive,
    '.',
  ]);
  const owners = await archivedOwners(archive);
  expect(owners.get('usr/bin/su')).toEqual({ mode: 0o4755, uid: 10_001 });
  expect(owners.get('usr/with a space')).toEqual({ mode: 0o666, uid: 10_001 });
  expect(owners.get('usr')).toEqual({ mode: 0o1700, uid: 10_001 });
  expect(owners.has('bin')).toBe(true);
  expect(owners.get('usr/sudo')?.mode).toBe(0o4755);
});

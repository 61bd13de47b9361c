import { execFileSync } from 'node:child_process';
import { constants, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { accessProblem, isProblem, lookAt, pathProblem } from './path-problem.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-path-'));
afterAll(() => rmSync(folder, { recursive: true }));

const thrown = (code: string): Error => Object.assign(new Error(`${code}: as it is`), { code });

describe('each error of the system has its own explanation', () => {
  const codes = [
    ...['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EACCES', 'EROFS', 'ENXIO', 'ENOSPC', 'EDQUOT', 'EFBIG'],
    ...['EMFILE', 'ENFILE', 'EIO', 'ESTALE', 'ENOTCONN', 'ETIMEDOUT', 'ENODEV'],
  ];

  test('in its own words, and with a remedy', () => {
    const reasons = codes.map((code) => pathProblem(thrown(code), 'read').reason);
    // To an operator the last two are the same.
    expect(new Set(reasons).size).toBe(codes.length);
    for (const code of codes) expect(pathProblem(thrown(code), 'read').remedy).not.toBe('');
  });

  test('only a file that is missing "does not exist"', () => {
    const missing = codes.filter((code) => /^does not exist$/.test(pathProblem(thrown(code), 'looked at').reason));
    expect(missing).toEqual(['ENOENT']);
  });

  test('an error that we do not know is named', () => {
    expect(pathProblem(thrown('EBADMSG'), 'written').reason).toBe('cannot be written (EBADMSG)');
    expect(pathProblem(new Error('odd'), 'read').reason).toBe('cannot be read (odd)');
  });
});

test('a usable path has no problem, and a circular link has one', async () => {
  writeFileSync(join(folder, 'file'), '');
  symlinkSync(join(folder, 'circle'), join(folder, 'circle'));
  expect(isProblem(await lookAt(join(folder, 'file')))).toBe(false);
  expect(await lookAt(join(folder, 'circle'))).toMatchObject({ code: 'ELOOP' });
  expect(await accessProblem(join(folder, 'file'), constants.R_OK, 'read')).toBeUndefined();
});

/** Only root can mount one: skipped on a machine without one. */
const readOnly = (() => {
  try {
    return execFileSync('findmnt', ['-rno', 'TARGET', '-O', 'ro'], { encoding: 'utf8' }).split('\n')[0] ?? '';
  } catch {
    return '';
  }
})();

test.skipIf(readOnly === '')('a file system that is mounted read-only', async () => {
  expect(await accessProblem(readOnly, constants.W_OK, 'written')).toMatchObject({ code: 'EROFS' });
});

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PinFile } from './pin-file.js';

const hooks = fileURLToPath(new URL('../../test/contract/typescript-hooks.mjs', import.meta.url));
const source = new URL('pin-file.ts', import.meta.url).href;
const pin = 'a-pin-of-24-characters-x';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-pin-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('has all of the PIN, for its owner alone', () => {
  const path = join(folder, 'new.pin');
  {
    using file = new PinFile(path);
    file.write(Buffer.from(pin));
  }
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual([pin, 0o600]);
});

test('a part of a PIN is not kept, and the error says who has it', () => {
  const path = join(folder, 'new.pin');
  const script = `const { PinFile } = await import('${source}');
    const file = new PinFile('${path}');
    try { file.write(Buffer.from('${pin}')); }
    catch ({ message }) { console.log(message); }
    finally { file[Symbol.dispose](); }`;
  // The file may have ten bytes: a write then takes a part.
  const line = ['--fsize=10', process.execPath, '--import', hooks, '--input-type=module', '-e', script];
  const { stdout, stderr } = spawnSync('prlimit', line, { encoding: 'utf8' });
  expect([stdout, stderr]).toEqual([
    `${path} cannot be written: the PIN was changed, and only the catalog has it\n`,
    '',
  ]);
  expect(existsSync(path)).toBe(false);
});

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

/** systemd's own opinion of the unit and of the file that adds a local HSM to it. */

const folder = mkdtempSync(join(tmpdir(), 'holdfast-unit-'));
afterAll(() => rmSync(folder, { recursive: true }));
const unit = join(folder, 'holdfast.service');
const source = (name: string): string => fileURLToPath(new URL(`../../deploy/systemd/${name}`, import.meta.url));
/** Skipped on a machine without systemd, such as a container. */
const isHere = spawnSync('systemd-analyze', ['--version']).status === 0;

/**
 * Checks a unit with a program that every machine has. For an unknown directive systemd prints a line but does not
 * fail: there must be no line.
 */
function verify(text: string): { status: number | null; lines: string } {
  writeFileSync(unit, text.replace(/^(Exec\w+=)\/opt\/holdfast\/holdfast/m, '$1/bin/true'));
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
  return { status, lines: stdout + stderr };
}

test.skipIf(!isHere)('systemd understands the unit, alone and with the file for a local HSM', () => {
  const text = readFileSync(source('holdfast.service'), 'utf8');
  expect(verify(text)).toEqual({ status: 0, lines: '' });
  mkdirSync(`${unit}.d`);
  copyFileSync(source('local-hsm.conf'), join(`${unit}.d`, 'local-hsm.conf'));
  expect(verify(text)).toEqual({ status: 0, lines: '' });
  expect(verify(text.replace('ProtectClock=', 'ProtectClok=')).lines).toContain("Unknown key 'ProtectClok'");
});

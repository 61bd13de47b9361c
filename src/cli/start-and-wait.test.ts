import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { holdfast } from '../../test/cli/session.js';
import type { KmsClient } from './client.js';
import { awaitState } from './connection-state.js';
import { version } from '../version.js';
import { processTerminal } from './terminal.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-start-'));
afterAll(() => rmSync(folder, { recursive: true }));

const launcher = fileURLToPath(new URL('../../holdfast', import.meta.url));

describe('serve', () => {
  test('says why it cannot start, and which command finds out more', async () => {
    const { exitCode, stderr } = await holdfast(['serve', '--config', join(folder, 'missing.yaml')]);
    expect(exitCode).toBe(4);
    expect(stderr).toContain('error: CANNOT_START: ');
    expect(stderr).toContain('print-example');
    expect(stderr).toContain(`hint: holdfast doctor --config ${join(folder, 'missing.yaml')}`);
  });
});

describe('the launcher', () => {
  const isBuilt = existsSync(fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url)));

  test.skipIf(!isBuilt)('works through a link', () => {
    const link = join(folder, 'holdfast');
    symlinkSync(launcher, link);
    expect(spawnSync(link, ['--version'], { encoding: 'utf8' }).stdout).toBe(`${version}\n`);
  });

  // The first file that cannot be opened differs with the limit, and from run to run.
  test.skipIf(!isBuilt).each([60, 100, 140])(
    'says that the limit of %i open files is too low, whatever file it was',
    (limit) => {
      const command = `ulimit -n ${limit}; exec "${launcher}" doctor --config "${join(folder, 'missing.yaml')}"`;
      const { status, stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
      expect(stderr).toMatch(/^error: OPEN_FILES: .*\nhint: .*ulimit -n/);
      expect(status).toBe(4);
    },
  );

  test('says what to do before anything is built', () => {
    const copy = join(folder, 'copy');
    copyFileSync(launcher, copy);
    const { status, stderr } = spawnSync(copy, ['--version'], { encoding: 'utf8' });
    expect(status).toBe(70);
    expect(stderr).toContain('npm run setup');
  });
});

describe('what stdout does not take', () => {
  test('a reader that went away is not an error of the command', () => {
    const { stdout } = processTerminal();
    const closed = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
    expect(() => stdout.emit('error', closed)).not.toThrow();
    const line = `"${launcher}" config print-example | true`;
    expect(spawnSync('sh', ['-c', line], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  test.skipIf(!existsSync('/dev/full'))('a full disk is', () => {
    const line = `"${launcher}" config print-example > /dev/full`;
    const { status, stderr } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([
      4,
      'error: LOCAL_FILE: the output cannot be written: ENOSPC: no space left on device, write\n',
    ]);
  });
});

describe('awaitState', () => {
  let remainingMs = 10_000;
  const clientThatSees = (...states: string[]): KmsClient => {
    const call = () => {
      const connectionState = `CONNECTION_STATE_${states.length > 1 ? states.shift() : states[0]}`;
      return Promise.resolve({ customKeyStores: [{ connectionState }] });
    };
    return { call, remainingMs } as unknown as KmsClient;
  };

  test('waits for the state that was asked for', async () => {
    await awaitState(clientThatSees('DISCONNECTING', 'DISCONNECTED'), 'cks-1', 'DISCONNECTING');
    await awaitState(clientThatSees('CONNECTING', 'CONNECTED'), 'cks-1', 'CONNECTING');
  });

  test('reports another final state', async () => {
    const waiting = awaitState(clientThatSees('CONNECTING', 'FAILED'), 'cks-1', 'CONNECTING');
    await expect(waiting).rejects.toThrow('cks-1 is FAILED');
  });

  test('gives up when the client’s time is over', async () => {
    remainingMs = 100;
    const waiting = awaitState(clientThatSees('CONNECTING'), 'cks-1', 'CONNECTING');
    await expect(waiting).rejects.toThrow('cks-1 is still connecting');
  });
});

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRegularFile, readRegularText, UnreadableFileError } from './regular-file.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-files-'));
const at = (name: string): string => join(folder, name);
const rules = { maximumBytes: 100 };
let socket: Server;

beforeAll(async () => {
  chmodSync(folder, 0o755);
  writeFileSync(at('good'), 'text');
  writeFileSync(at('empty'), '');
  writeFileSync(at('binary'), Buffer.from([0xff, 0xfe]));
  writeFileSync(at('private'), 'text', { mode: 0o600 });
  writeFileSync(at('huge'), '');
  // As large as possible, without taking any room.
  truncateSync(at('huge'), 2 ** 40);
  mkdirSync(at('folder'));
  symlinkSync(at('circle'), at('circle'));
  symlinkSync(at('good'), at('link'));
  execFileSync('mkfifo', [at('pipe')]);
  socket = createServer();
  await new Promise<void>((resolve) => void socket.listen(at('socket'), resolve));
});

afterAll(() => {
  socket.close();
  rmSync(folder, { recursive: true });
});

describe('a regular file', () => {
  test.each(['good', 'link'])('%s is read whole', async (name) => {
    expect(await readRegularText(at(name), rules)).toBe('text');
  });

  test('is read as empty if it is empty', async () => {
    expect(await readRegularFile(at('empty'), rules)).toHaveLength(0);
  });

  test('is not read if the rules refuse it, and the reason is named', async () => {
    const reading = readRegularFile(at('good'), { ...rules, refuse: ({ size }) => `has ${size} bytes` });
    await expect(reading).rejects.toThrow(`${at('good')} has 4 bytes`);
  });
});

describe('any other kind of file is refused, at once', () => {
  test.each([
    ['none', /does not exist$/],
    ['good/below', /does not exist: a part of its path is not a folder$/],
    ['folder', /is not a file but a folder$/],
    ['pipe', /is not a file but a named pipe$/],
    ['socket', /is not a file but a socket or a device$/],
    ['circle', /is a symbolic link that leads in a circle$/],
    ['huge', /has more than 100 bytes$/],
  ])('%s', async (name, message) => {
    const error = await readRegularFile(at(name), rules).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreadableFileError);
    expect((error as Error).message).toMatch(message);
  });

  test.each(['/dev/zero', '/dev/null'])('%s', async (device) => {
    await expect(readRegularFile(device, rules)).rejects.toThrow('is not a file but a device');
  });

  test('a file with bytes that are not UTF-8, when text is wanted', async () => {
    await expect(readRegularText(at('binary'), rules)).rejects.toThrow('is not text (UTF-8)');
  });

  test.runIf(process.getuid?.() === 0)("another user's private file", async () => {
    process.seteuid?.(65_534);
    try {
      await expect(readRegularFile(at('private'), rules)).rejects.toThrow('may not be read by this user');
    } finally {
      process.seteuid?.(0);
    }
  });
});

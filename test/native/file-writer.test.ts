import { execFile, execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { constants as osConstants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addon } from './fixture.js';

const run = promisify(execFile);
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

let folder: string;
/** A named pipe, open for reading and writing: it takes 64 KiB. */
let pipePath: string;
let pipe: number;
let answers: [writtenBytes: number, errno: number][];
const onWritten = (writtenBytes: number, errno: number): void => void answers.push([writtenBytes, errno]);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-writer-'));
  pipePath = join(folder, 'pipe');
  execFileSync('mkfifo', [pipePath]);
  pipe = openSync(pipePath, constants.O_RDWR | constants.O_NONBLOCK);
  answers = [];
});
afterEach(() => {
  closeSync(pipe);
  rmSync(folder, { recursive: true });
});

function drain(): number {
  let all = 0;
  try {
    for (;;) all += readSync(pipe, Buffer.alloc(65_536));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    return all;
  }
}

describe('a file writer', () => {
  test('writes UTF-8, and says what the system refuses', async () => {
    const path = join(folder, 'file');
    const [file, full] = [openSync(path, 'a'), openSync('/dev/full', 'w')];
    const writer = addon.createFileWriter(onWritten);
    writer.write(file, 'é漢🔑\n');
    expect(answers).toEqual([]);
    await expect.poll(() => answers).toEqual([[10, 0]]);
    writer.write(full, 'x');
    await expect.poll(() => answers.at(1)).toEqual([0, osConstants.errno.ENOSPC]);
    writer.write(file, 'next\n');
    await expect.poll(() => answers.at(2)).toEqual([5, 0]);
    expect(readFileSync(path, 'utf8')).toBe('é漢🔑\nnext\n');
    writer.close();
    writer.close();
    closeSync(file);
    closeSync(full);
  });

  test('that is closed during a write that blocks never calls its listener', async () => {
    const blocking = openSync(pipePath, 'w');
    const writer = addon.createFileWriter(onWritten);
    writer.write(blocking, 'x'.repeat(1_000_000));
    await setImmediate();
    writer.close();
    let drained = 0;
    await expect.poll(() => (drained += drain())).toBe(1_000_000);
    await setImmediate();
    expect(answers).toEqual([]);
    closeSync(blocking);
  });

  test.each([
    ['idle', 'ended\n', 0],
    ['writing', 'ended\nwritten\n', 0],
    ['blocked', 'ended\n', 3],
    ['blocked-worker', 'ended\nterminated\n', 3],
  ])('does not keep a process from ending: %s', async (how, stdout, code) => {
    const job = JSON.stringify({ how, addon: here('../../native/build/Release/holdfast.node'), pipePath });
    const ended = await run(process.execPath, [here('ends-with-file-writer.mjs'), job], { timeout: 60_000 }).then(
      (output) => ({ stdout: output.stdout, code: 0 }),
      (error: unknown) => error as { stdout: string; code: number | null },
    );
    expect(ended).toMatchObject({ stdout, code });
  });
});

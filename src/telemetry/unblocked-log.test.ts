import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { systemClock } from '../clock-system.js';
import { UnblockedLog } from './unblocked-log.js';

/** A pipe with a reader that may pause. */
class Pipe {
  room = Number.POSITIVE_INFINITY;
  error: string | undefined;
  read = '';

  takesWrites = () => this.room > 0 || this.error !== undefined;
  write = (bytes: Uint8Array) => {
    if (this.error !== undefined) throw Object.assign(new Error(), { code: this.error });
    expect(bytes.byteLength).toBeLessThanOrEqual(4_096);
    const taken = Math.min(bytes.byteLength, this.room);
    this.read += Buffer.from(bytes.subarray(0, taken)).toString();
    this.room -= taken;
    return taken;
  };
}

let pipe: Pipe;
let clock: ManualClock;
let log: UnblockedLog;
beforeEach(() => {
  [pipe, clock] = [new Pipe(), new ManualClock()];
  log = new UnblockedLog(pipe, clock);
});

test('lines are written at once, even long ones', () => {
  const long = `${'é'.repeat(10_000)}\n`;
  for (const line of ['a\n', long, 'b\n']) log.write(line);
  expect(pipe.read).toBe(`a\n${long}b\n`);
});

test('waiting lines come in order, once the reader reads', () => {
  pipe.room = 3;
  for (const line of ['one\n', 'two\n']) log.write(line);
  expect(pipe.read).toBe('one');
  pipe.room = Number.POSITIVE_INFINITY;
  log.write('three\n');
  clock.advance(50);
  expect(pipe.read).toBe('one\ntwo\nthree\n');
});

test('lines beyond the buffer are counted, and the count is reported', () => {
  pipe.room = 0;
  const line = `${'x'.repeat(1_023)}\n`;
  for (let count = 0; count < 2_000; count += 1) log.write(line);
  pipe.room = Number.POSITIVE_INFINITY;
  clock.advance(50);
  const lines = pipe.read.split('\n').slice(0, -1);
  const last = JSON.parse(lines.at(-1) ?? '') as { lines: number; msg: string };
  expect(last.msg).toBe('lines of the log were lost, because its reader stood still');
  expect(lines.length - 1 + last.lines).toBe(2_000);
  log.write('after\n');
  expect(pipe.read.endsWith('after\n')).toBe(true);
});

test.each(['EPIPE', 'EIO', 'EBADF'])('a reader that is gone for good (%s) costs lines and nothing else', (code) => {
  pipe.error = code;
  log.write('lost\n');
  pipe.error = undefined;
  log.write('read\n');
  expect(pipe.read).toBe('read\n');
});

test('ending the log does not wait for a reader that does not read', () => {
  const last = new UnblockedLog(pipe, systemClock);
  pipe.room = 0;
  last.write('last\n');
  last.flush();
  expect(pipe.read).toBe('');
  pipe.room = Number.POSITIVE_INFINITY;
  last.flush();
  expect(pipe.read).toBe('last\n');
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { perOperation, type ThreadTime, threadsOf, useBetween, withThreadUse } from './thread-cpu.js';

const thread = (threadId: number, name: string, microseconds: number, sleeps = 0): ThreadTime => ({
  threadId,
  name,
  nanoseconds: microseconds * 1000,
  sleeps,
});

test('time is summed by what the threads do; those that have no name are V8’s first, then libuv’s', () => {
  const names = ['node', ...Array<string>(8).fill('node'), 'hf-watchdog', 'hf-lane', 'hf-lane', 'something'];
  const before = names.map((name, index) => thread(100 + index, name, 1000));
  const after = names.map((name, index) => thread(100 + index, name, 1000 + 2 ** index));
  expect(useBetween(100, before, after).cpuMicros).toEqual({
    eventLoop: 1,
    v8: 2 + 4 + 8 + 16 + 32 + 64,
    libuv: 128 + 256,
    lanes: 1024 + 2048,
    other: 512 + 4096,
  });
});

test('threads that Node names are known by their names', () => {
  const after = ['MainThread', 'DelayedTaskSche', 'V8Worker', 'SignalInspector', 'libuv-worker', 'hf-control'].map(
    (name, index) => thread(7 + index, name, 2 ** index),
  );
  expect(useBetween(7, [], after).cpuMicros).toEqual({ eventLoop: 1, v8: 14, libuv: 16, lanes: 0, other: 32 });
});

test('a thread that began in between counts whole, one that ended does not', () => {
  const use = useBetween(
    1,
    [thread(1, 'node', 5, 10), thread(2, 'hf-lane', 9, 10)],
    [thread(1, 'node', 8, 14), thread(3, 'hf-lane', 4, 2)],
  );
  expect(use.cpuMicros).toMatchObject({ eventLoop: 3, lanes: 4 });
  expect(use.sleeps).toMatchObject({ eventLoop: 4, lanes: 2 });
  expect(perOperation(use, 2)).toMatchObject({
    cpuMicrosPerRequest: 3.5,
    cpuMicrosByThread: { eventLoop: 1.5, lanes: 2 },
    sleepsByThread: { eventLoop: 2, lanes: 1, v8: 0 },
  });
});

/** A process that hashes passwords for one line of input after the other, in libuv's pool. */
const hashing = `
  import { pbkdf2 } from 'node:crypto';
  process.stdin.on('data', () => pbkdf2('a', 'b', 300_000, 32, 'sha256', () => process.stdout.write('done')));
  process.stdout.write('ready');`;

test('work in the pool of libuv is libuv’s', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', hashing], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    const pid = child.pid ?? 0;
    expect(threadsOf(pid).map(({ threadId }) => threadId)).toContain(pid);
    const { use } = await withThreadUse(pid, async () => {
      child.stdin.write('.');
      await once(child.stdout, 'data');
    });
    const { libuv, ...others } = use.cpuMicros;
    expect(libuv).toBeGreaterThan(Object.values(others).reduce((sum, micros) => sum + micros, 0));
    expect(use.sleeps.eventLoop).toBeGreaterThan(0);
  } finally {
    child.kill('SIGKILL');
  }
});

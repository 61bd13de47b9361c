import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  constants,
  createReadStream,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import type { AuditEvent } from '../audit/event.js';
import type { Clock } from '../clock.js';
import { systemClock } from '../clock-system.js';
import { type AuditFile, openAuditFile } from './audit-file.js';
import { openWriter } from '../../test/file-writer.js';
import { printableJsonLine } from '../printable.js';

let folder: string;
let path: string;
let opened: AuditFile[];
/** Tasks that the log scheduled: its own attempts after a failure. */
let scheduled: (() => void)[];

const clock: Clock = {
  ...systemClock,
  schedule: (_, task) => {
    scheduled.push(task);
    return { cancel: () => undefined };
  },
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-audit-'));
  path = join(folder, 'audit.jsonl');
  opened = [];
  scheduled = [];
});
afterEach(async () => {
  for (const log of opened) await log.close(100);
  rmSync(folder, { recursive: true });
});

async function open(): Promise<AuditFile> {
  const log = await openAuditFile({ path, clock, openWriter });
  opened.push(log);
  return log;
}

function event(requestId: string): AuditEvent {
  return {
    time: '2026-01-01T00:00:00.000Z',
    requestId,
    face: 'grpc',
    operation: 'Encrypt',
    principal: 'arn:aws:iam::111122223333:user/зоя\u2028',
    sourceAddress: '127.0.0.1',
    actions: ['kms:Encrypt'],
    resources: [],
    outcome: 'success',
    errorCode: null,
    parameters: { description: 'two\nlines' },
    durationMs: 1,
  };
}

interface Line {
  requestId?: string;
  notice?: string;
  count?: number;
}
const lines = (file = path): Line[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
const names = (file = path): (string | undefined)[] => lines(file).map((line) => line.requestId ?? line.notice);

describe('writing', () => {
  it('makes a file for this user only, with one line a record, written before the append resolves', async () => {
    const log = await open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await log.append(event('1'), { durable: false });
    expect(lines()).toEqual([event('1')]);
    await log.append(event('2'), { durable: true });
    expect(names()).toEqual(['1', '2']);
    expect(log.healthy()).toBe(true);
  });

  it('shows the callers’ text without anything that a terminal obeys', async () => {
    const log = await open();
    const hostile = { ...event('1'), parameters: { description: 'a\n\u001b[2J\u009b31m\u202e\u2066\u{e0041}é漢🔑' } };
    await log.append(hostile, { durable: false });
    const [line = ''] = readFileSync(path, 'utf8').split('\n');
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
    expect(line).toContain('зоя');
    expect(lines()).toEqual([hostile]);
  });

  it('keeps the order of a thousand concurrent appends, durable or not', async () => {
    const log = await open();
    const ids = Array.from({ length: 1_000 }, (_, index) => String(index));
    await Promise.all(ids.map((id, index) => log.append(event(id), { durable: index % 7 === 0 })));
    expect(names()).toEqual(ids);
  });

  it('mixes whole lines with another log on the same file', async () => {
    const [first, second] = [await open(), await open()];
    const appends = Array.from({ length: 300 }, (_, index) =>
      (index % 2 === 0 ? first : second).append(event(String(index)), { durable: index % 5 === 0 }),
    );
    await Promise.all(appends);
    expect(new Set(names()).size).toBe(300);
  });

  it('writes pending records before it closes, and refuses later ones', async () => {
    const log = await open();
    const appended = log.append(event('1'), { durable: true });
    await log.close(10_000);
    await appended;
    expect(names()).toEqual(['1']);
    expect(log.healthy()).toBe(false);
    await expect(log.append(event('2'), { durable: false })).rejects.toThrow('closed');
    await expect(log.reopen()).rejects.toThrow('closed');
  });

  it('accepts a device that cannot be synced', async () => {
    path = '/dev/null';
    const log = await open();
    await log.append(event('1'), { durable: true });
  });
});

describe('a line cut off by a crash', () => {
  it('is kept, closed and noted', async () => {
    const whole = `${JSON.stringify(event('1'))}\n`;
    writeFileSync(path, `${whole}{"time":"2026-01-01T0`);
    const log = await open();
    await log.append(event('2'), { durable: false });
    const [first, torn, notice, next, ...rest] = readFileSync(path, 'utf8').split('\n');
    expect(`${first}\n`).toBe(whole);
    expect(torn).toBe('{"time":"2026-01-01T0');
    expect(JSON.parse(notice ?? '')).toMatchObject({ notice: 'torn-record' });
    expect(JSON.parse(next ?? '')).toEqual(event('2'));
    expect(rest).toEqual(['']);
  });

  it('is not reported if there is none', async () => {
    writeFileSync(path, `${JSON.stringify(event('1'))}\n`);
    await open();
    expect(names()).toEqual(['1']);
  });
});

describe('a full disk', () => {
  it('rejects unwritten records and is unhealthy until a write succeeds', async () => {
    symlinkSync('/dev/full', path);
    const log = await open();
    const failed = await Promise.allSettled([
      log.append(event('1'), { durable: false }),
      log.append(event('2'), { durable: true }),
    ]);
    for (const one of failed) expect(one).toMatchObject({ status: 'rejected', reason: { code: 'ENOSPC' } });
    expect(log.healthy()).toBe(false);

    unlinkSync(path);
    await log.reopen();
    expect(log.healthy()).toBe(false);
    await log.append(event('3'), { durable: true });
    expect(log.healthy()).toBe(true);
    expect(lines()).toEqual([expect.objectContaining({ notice: 'records-lost', count: 2 }), event('3')]);
  });

  it('tries again by itself, without another append', async () => {
    symlinkSync('/dev/full', path);
    const log = await open();
    for (const id of ['1', '2', '3']) await expect(log.append(event(id), { durable: false })).rejects.toThrow('ENOSPC');
    expect(scheduled).toHaveLength(1);
    scheduled.shift()?.();
    await expect.poll(() => scheduled.length).toBe(1);
    expect(log.healthy()).toBe(false);

    unlinkSync(path);
    await log.reopen();
    scheduled.shift()?.();
    await expect.poll(() => log.healthy()).toBe(true);
    expect(lines()).toEqual([expect.objectContaining({ notice: 'records-lost', count: 3 })]);
  });

  it('knows which of several lines were written before the disk was full', async () => {
    const child = fork(fileURLToPath(new URL('../../test/contract/audit-file-limited.ts', import.meta.url)), [path], {
      execArgv: ['--import', fileURLToPath(new URL('../../test/contract/typescript-hooks.mjs', import.meta.url))],
    });
    const exited = once(child, 'exit');
    const [report] = (await once(child, 'message')) as [{ written: string[]; refused: string[]; healthy: boolean }];
    await exited;
    expect(report.written.length).toBeGreaterThan(0);
    expect(report.refused.length).toBeGreaterThan(0);
    expect(report.healthy).toBe(false);
    const text = readFileSync(path, 'utf8');
    expect(text.endsWith('\n')).toBe(false);
    const whole = text.split('\n').slice(0, -1);
    expect(whole.map((line) => (JSON.parse(line) as Line).requestId)).toEqual(report.written);
  });
});

describe('a file that blocks', () => {
  it('is refused if that is known beforehand: a named pipe, whether it is read or not', async () => {
    execFileSync('mkfifo', [path]);
    await expect(open()).rejects.toThrow('is neither a file nor a character device');
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    await expect(open()).rejects.toThrow('is neither a file nor a character device');
    closeSync(reader);
  });

  /** Our own stream is a pipe without a reader: writes block once it is full. */
  async function openBlocked(): Promise<{
    log: AuditFile;
    time: ManualClock;
    waiting: Promise<void>;
    drain: () => void;
  }> {
    const fifo = join(folder, 'pipe');
    execFileSync('mkfifo', [fifo]);
    const pipe = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    const time = new ManualClock();
    const log = await openAuditFile({ path: `/proc/self/fd/${pipe}`, clock: time, openWriter });
    opened.push(log);
    const long = { ...event('long'), parameters: { description: 'x'.repeat(1_000_000) } };
    const waiting = log.append(long, { durable: false });
    const reader = createReadStream('', { fd: openSync(fifo, constants.O_RDONLY) });
    const drain = (): void => {
      reader.resume();
      closeSync(pipe);
    };
    return { log, time, waiting, drain };
  }

  it('makes the log unhealthy after a while, and healthy again once it accepts records', async () => {
    const { log, time, waiting, drain } = await openBlocked();
    await setImmediate();
    expect(log.healthy()).toBe(true);
    time.advance(5_001);
    expect(log.healthy()).toBe(false);
    drain();
    await waiting;
    expect(log.healthy()).toBe(true);
  });

  it('bounds the waiting records: near the bound the log is unhealthy, at the bound records are refused', async () => {
    const { log, waiting, drain } = await openBlocked();
    await setImmediate();
    const large = { ...event('large'), parameters: { description: 'x'.repeat(1024 * 1024) } };
    const appended = Array.from({ length: 9 }, () => log.append(large, { durable: false }));
    expect(log.healthy()).toBe(false);
    const rest = Array.from({ length: 30 }, () => log.append(large, { durable: false }));
    const outcomes = Promise.allSettled([...appended, ...rest]);
    drain();
    await waiting;
    const refused = (await outcomes).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(39 - 31);
  });

  it('delays no append longer than asked, and still gets the records', async () => {
    const { log, time, waiting, drain } = await openBlocked();
    const untilMs = time.monotonicMs() + 1_000;
    const overdue: string[] = [];
    const append = (id: string, durable: boolean, moreMs: number): Promise<unknown> =>
      log.append(event(id), { durable, untilMs: untilMs + moreMs }).catch(() => overdue.push(id));
    const appends = [append('1', false, 0), append('2', true, 0), append('3', false, 500), append('4', false, 60_000)];
    await setImmediate();
    time.advance(999);
    await setImmediate();
    expect(overdue).toEqual([]);
    time.advance(1);
    await setImmediate();
    expect(overdue).toEqual(['1', '2']);
    time.advance(500);
    await setImmediate();
    expect(overdue).toEqual(['1', '2', '3']);
    drain();
    await Promise.all([...appends, waiting]);
    expect(overdue).toEqual(['1', '2', '3']);
    await log.append(event('5'), { durable: false });
    expect(log).toMatchObject({ writtenRecords: 6, lostRecords: 0 });
  });

  it('does not delay close beyond its bound', async () => {
    const { log, time, waiting, drain } = await openBlocked();
    const closed = log.close(3_000);
    await setImmediate();
    time.advance(3_000);
    expect(await closed).toBe(false);
    drain();
    await waiting;
  });
});

describe('rotation', () => {
  it('continues in a new file after reopen and loses nothing', async () => {
    const log = await open();
    const appends = ['1', '2'].map((id) => log.append(event(id), { durable: true }));
    await Promise.all(appends);
    renameSync(path, `${path}.1`);
    await log.append(event('3'), { durable: false });
    const last = log.append(event('4'), { durable: true });
    await Promise.all([last, log.reopen(), log.reopen()]);
    await log.append(event('5'), { durable: true });
    expect([...names(`${path}.1`), ...names()]).toEqual(['1', '2', '3', '4', '5']);
    expect(names()).toContain('5');
  });

  it('stays with the old file if no new one can be opened', async () => {
    const log = await open();
    rmSync(folder, { recursive: true });
    await expect(log.reopen()).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(log.append(event('1'), { durable: true })).rejects.toMatchObject({ code: 'ENOENT' });
    expect(log.healthy()).toBe(false);
    folder = mkdtempSync(join(tmpdir(), 'holdfast-audit-'));
  });

  it('makes a new file, and records it, when the file was removed', async () => {
    const log = await open();
    await log.append(event('1'), { durable: true });
    unlinkSync(path);
    await log.append(event('2'), { durable: true });
    expect(names()).toEqual(['file-removed', '2']);
  });

  it.each([
    ['to nothing', 0, ['file-cut-off', '2', '3']],
    ['within a line', 30, ['file-cut-off', '2', '3']],
  ])('says so when the file was cut off %s, once', async (_, length, expected) => {
    const log = await open();
    await log.append(event('1'), { durable: true });
    truncateSync(path, length);
    await log.append(event('2'), { durable: true });
    await log.append(event('3'), { durable: true });
    const torn = length === 0 ? 0 : 1;
    const lines = readFileSync(path, 'utf8').split('\n').slice(torn, -1);
    expect(lines.map((line) => JSON.parse(line) as { notice?: string; requestId?: string })).toEqual(
      expected.map(
        (name) => expect.objectContaining(name.startsWith('file') ? { notice: name } : { requestId: name }) as unknown,
      ),
    );
  });

  it('does not mistake another process’s records, or its own, for a cut line', async () => {
    const log = await open();
    for (let record = 0; record < 5; record += 1) {
      appendFileSync(path, '{"requestId":"another"}\n');
      await log.append(event(`${record}`), { durable: true });
      expect(await log.isInPlace()).toBe(true);
    }
    expect(names()).not.toContain('file-cut-off');
  });

  it('begins on a new line when the new file ends in a torn line', async () => {
    const log = await open();
    renameSync(path, `${path}.1`);
    appendFileSync(path, 'torn');
    await log.reopen();
    await log.append(event('1'), { durable: false });
    expect(readFileSync(path, 'utf8')).toBe(`torn\n${printableJsonLine(event('1'))}\n`);
  });
});

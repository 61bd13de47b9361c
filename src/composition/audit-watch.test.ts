import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openWriter } from '../../test/file-writer.js';
import { ManualClock } from '../../test/manual-clock.js';
import type { AuditEvent } from '../audit/event.js';
import { AuditFile } from '../storage/audit-file.js';
import type { AuditFileTarget, WriteListener } from '../storage/audit-file-handle.js';
import { type AuditEvents, AuditWatch } from './audit-watch.js';

/** A disk with a given amount of room; like a real one it writes the part that fits. */
class Disk implements AuditFileTarget {
  room = Number.POSITIVE_INFINITY;
  syncs: 'succeed' | 'fail' = 'succeed';
  unseen: Error | undefined;
  moved = false;

  write(text: string, onWritten: WriteListener) {
    const writtenBytes = Math.min(Buffer.byteLength(text), this.room);
    this.room -= writtenBytes;
    const error = writtenBytes < Buffer.byteLength(text) ? new Error('ENOSPC') : undefined;
    queueMicrotask(() => onWritten(writtenBytes, error));
  }
  sync() {
    return this.syncs === 'fail' ? Promise.reject(new Error('EIO')) : Promise.resolve();
  }
  look = () => Promise.resolve('whole' as const);
  acceptLength = () => Promise.resolve();
  isAt = () => (this.unseen === undefined ? Promise.resolve(!this.moved) : Promise.reject(this.unseen));
  close = () => Promise.resolve();
}

let clock: ManualClock;
let disk: Disk;
let log: AuditFile;
let watch: AuditWatch;
let told: string[];

beforeEach(() => {
  [clock, disk, told] = [new ManualClock(), new Disk(), []];
  const events: AuditEvents = {
    unwritable: () => told.push('cannot be written'),
    writableAgain: () => told.push('can be written again'),
    movedAway: (unseen) => told.push(unseen === undefined ? 'moved away' : `unseen: ${(unseen as Error).message}`),
    backInPlace: () => told.push('back in place'),
  };
  log = new AuditFile({ path: '/audit.log', clock, openWriter, onLost: () => watch.lookAtTrouble() }, disk);
  watch = new AuditWatch(clock, log, events);
});
afterEach(() => watch.stop());

const record = { requestId: '1', parameters: { padding: 'x'.repeat(200) } } as unknown as AuditEvent;

/** One request: it is refused if its record cannot be written. */
async function request(durable = false): Promise<boolean> {
  const written = await log.append(record, { durable }).then(
    () => true,
    () => false,
  );
  await settled();
  return written;
}

/** Lets the tasks that the clock started finish. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await setImmediate();
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    clock.advance(1_000);
    await settled();
  }
}

describe('a log that recovers', () => {
  test('is reported when a record is written, and not before', async () => {
    disk.room = 0;
    expect(await request()).toBe(false);
    expect(told).toEqual(['cannot be written']);
    disk.room = Number.POSITIVE_INFINITY;
    await pass(3);
    expect(told).toEqual(['cannot be written']);
    expect(await request()).toBe(true);
    await pass(1);
    expect(told).toEqual(['cannot be written', 'can be written again']);
  });

  test('is reported a little later if there are no requests', async () => {
    disk.room = 0;
    await request();
    disk.room = Number.POSITIVE_INFINITY;
    await pass(12);
    expect(told).toEqual(['cannot be written', 'can be written again']);
  });
});

describe('a log that has not recovered is reported once', () => {
  test('if its disk has room for its own notices but not for a record', async () => {
    disk.room = 0;
    for (let second = 0; second < 30; second += 1) {
      expect(await request()).toBe(false);
      // Some space is freed repeatedly, as much as a notice takes.
      disk.room += 120;
      await pass(2);
    }
    expect(told).toEqual(['cannot be written']);
    disk.room = Number.POSITIVE_INFINITY;
    expect(await request()).toBe(true);
    await pass(1);
    expect(told).toEqual(['cannot be written', 'can be written again']);
  });

  test('if it can write but not sync', async () => {
    disk.syncs = 'fail';
    for (let second = 0; second < 30; second += 1) {
      expect(await request(true)).toBe(false);
      await pass(1);
    }
    expect(told).toEqual(['cannot be written']);
    disk.syncs = 'succeed';
    expect(await request(true)).toBe(true);
    await pass(1);
    expect(told).toEqual(['cannot be written', 'can be written again']);
  });
});

describe('the place of the file', () => {
  test('is reported when the file has been moved away for a minute, and when it is back', async () => {
    disk.moved = true;
    await pass(59);
    expect(told).toEqual([]);
    await pass(3);
    disk.moved = false;
    await pass(1);
    expect(told).toEqual(['moved away', 'back in place']);
  });

  test('is not reported as empty if it cannot be examined', async () => {
    disk.unseen = new Error('EACCES');
    await pass(62);
    expect(told).toEqual(['unseen: EACCES']);
  });
});

import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openWriter } from '../../test/file-writer.js';
import { ManualClock } from '../../test/manual-clock.js';
import { FaultyDisk } from '../../test/faulty-disk.js';
import type { AuditEvent } from '../audit/event.js';
import { AuditFile } from './audit-file.js';

const clock = new ManualClock();

function open(): { disk: FaultyDisk; log: AuditFile } {
  const disk = new FaultyDisk();
  return { disk, log: new AuditFile({ path: '/audit.log', clock, openWriter }, disk) };
}

function event(requestId: string): AuditEvent {
  return { requestId, parameters: { description: 'é漢🔑'.repeat(3) } } as unknown as AuditEvent;
}

it.each([false, true])('an append does not settle while the file blocks; durable: %s', async (durable) => {
  const { disk, log } = open();
  disk.faults.blocks = true;
  let settled = false;
  const appended = log.append(event('1'), { durable }).then(() => (settled = true));
  for (let turn = 0; turn < 10; turn += 1) await setImmediate();
  expect(settled).toBe(false);
  disk.faults.blocks = false;
  disk.proceed();
  await appended;
  expect(disk.requestIds()).toEqual(['1']);
});

/** A random generator that repeats itself for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

it.each([1, 2, 3, 4, 5])(
  'each acknowledged record is whole in the file, and each durable one is on the disk: seed %i',
  async (seed) => {
    const { disk, log } = open();
    const random = randomFrom(seed);
    const outcomes = { acknowledged: 0, lost: 0 };
    const appends: Promise<void>[] = [];
    const append = (requestId: string, durable: boolean): Promise<void> =>
      log.append(event(requestId), { durable }).then(
        () => {
          outcomes.acknowledged += 1;
          expect(disk.requestIds(durable ? disk.syncedBytes : undefined)).toContain(requestId);
        },
        () => {
          outcomes.lost += 1;
        },
      );
    for (let turn = 0; turn < 300; turn += 1) {
      disk.faults.blocks = random() < 0.3;
      disk.faults.room = random() < 0.7 ? Number.POSITIVE_INFINITY : Math.floor(random() * 400);
      disk.faults.syncFails = random() < 0.2;
      for (let record = Math.floor(random() * 5); record > 0; record -= 1) {
        appends.push(append(`${turn}-${record}`, random() < 0.3));
      }
      if (random() < 0.5) disk.proceed();
      await setImmediate();
    }
    Object.assign(disk.faults, { blocks: false, room: Number.POSITIVE_INFINITY, syncFails: false });
    const all = Promise.all(appends);
    for (let turn = 0; turn < 20; turn += 1) {
      disk.proceed();
      await setImmediate();
    }
    await all;
    expect(outcomes.acknowledged).toBeGreaterThan(50);
    expect(outcomes.lost).toBeGreaterThan(50);
    expect(log).toMatchObject({ writtenRecords: outcomes.acknowledged, lostRecords: outcomes.lost });
  },
);

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openTestCatalog } from '../../test/catalog-file.js';
import { ManualClock } from '../../test/manual-clock.js';
import type { SqliteCatalog } from '../storage/sqlite.js';
import { LoadWatch } from './load-watch.js';

const clusterId = 'cluster-1a2b3c4d5e6';
const dayMs = 86_400_000;
let folder: string;
let clock: ManualClock;
let catalog: SqliteCatalog;
let errors: unknown[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-loads-'));
  clock = new ManualClock();
  catalog = await openTestCatalog({ path: join(folder, 'catalog.db'), clock });
  errors = [];
});
afterEach(async () => {
  expect(errors).toEqual([]);
  await catalog.close();
  rmSync(folder, { recursive: true });
});

/** A process with one member of two lanes, whose counters the test moves. */
class Process {
  operations = 0;
  busyMs = 0;
  admitted = true;
  readonly watch: LoadWatch;

  constructor(processName: string) {
    this.watch = new LoadWatch({
      ...{ clock, catalog, processName },
      lanes: () => [{ clusterId, members: this.admitted ? [{ name: 'a', ...this.counters }] : [] }],
      onBackgroundError: (error) => void errors.push(error),
    });
  }

  get counters() {
    return { operations: this.operations, busyMs: this.busyMs, lanes: 2 };
  }
}

/** Seven windows of ten seconds at this rate, the same in each process. */
async function minute(rate: number, utilisation: number, ...processes: Process[]): Promise<void> {
  for (let window = 0; window < 7; window += 1) {
    for (const each of processes) {
      each.operations += 10 * rate;
      each.busyMs += 2 * 10_000 * utilisation;
    }
    clock.advance(10_000);
    for (const each of processes) await each.watch.measure();
  }
}

const peaks = () => catalog.listDailyPeaks(clusterId);

test('the loads of processes add up, and the highest minute of a day stays', async () => {
  const [one, other] = [new Process('one'), new Process('other')];
  for (const each of [one, other]) await each.watch.measure();
  await minute(100, 0.5, one, other);
  expect(await peaks()).toMatchObject([{ operationsPerSecond: 200, ceiling: 400 }]);
  await minute(10, 0.05, one, other);
  expect(await peaks()).toMatchObject([{ operationsPerSecond: 200 }]);
  expect(one.watch.memberLoad(clusterId, 'a')).toEqual({ operationsPerSecond: 10, utilisation: 0.05, ceiling: 200 });
  expect(one.watch.capacityOf(clusterId)).toMatchObject({ operationsPerSecond: 10, ceiling: 400, days: 0 });
});

test('a process that has ended counts no more: at once after a stop, soon after a crash', async () => {
  const stopped = new Process('stopped');
  await stopped.watch.measure();
  const now = clock.now();
  const crashed = { clusterId, processName: 'crashed', operationsPerSecond: 100, ceiling: null };
  const day = now.toISOString().slice(0, 10);
  await catalog.recordLoad({ ...crashed, recordedDate: now }, { freshSince: now, day, keptDays: 2 });
  await minute(100, 0.5, stopped);
  await stopped.watch.stop();
  clock.advance(dayMs);
  const next = new Process('next');
  await next.watch.measure();
  await minute(30, 0.5, next);
  expect((await peaks()).map(({ operationsPerSecond }) => operationsPerSecond)).toEqual([200, 30]);
});

test('after seven days of growth it says when the limit comes, and what one more member brings', async () => {
  const one = new Process('one');
  await one.watch.measure();
  for (let day = 0; day < 8; day += 1) {
    // From 100 on, by 10 a day; always half busy, so the last ceiling is twice the last rate.
    await minute(100 + 10 * day, 0.5, one);
    clock.advance(dayMs - 70_000);
    await one.watch.measure();
  }
  const capacity = one.watch.capacityOf(clusterId);
  expect(capacity).toMatchObject({ growthPerDay: 10, ceiling: 340, withOneMore: { ceiling: 680 } });
  const limitMs = capacity?.limitDate?.getTime() ?? 0;
  // The peak of the eighth day was 170; 340 are 17 days later.
  expect(new Date(limitMs).toISOString().slice(0, 10)).toBe(
    new Date(Date.parse((await peaks()).find((peak) => peak.operationsPerSecond === 170)?.day ?? '') + 17 * dayMs)
      .toISOString()
      .slice(0, 10),
  );
  expect(capacity?.withOneMore?.limitDate?.getTime()).toBe(limitMs + 34 * dayMs);
});

test('days older than 90 do not count, and a restart knows the others', async () => {
  const one = new Process('one');
  await one.watch.measure();
  await minute(100, 0.5, one);
  clock.advance(50 * dayMs);
  await minute(100, 0.5, one);
  await one.watch.stop();
  const next = new Process('next');
  await next.watch.measure();
  expect(next.watch.capacityOf(clusterId)?.days).toBe(1);
  clock.advance(45 * dayMs);
  await minute(100, 0.5, next);
  clock.advance(dayMs);
  await minute(100, 0.5, next);
  expect(next.watch.capacityOf(clusterId)?.days).toBe(2);
});

test('as many days are kept as asked for, the latest ones', async () => {
  const load = { clusterId, processName: 'one', recordedDate: clock.now(), operationsPerSecond: 100, ceiling: null };
  const bounds = { freshSince: clock.now(), keptDays: 2 };
  for (const day of ['2026-01-03', '2026-01-01', '2026-01-02', '2026-01-04'])
    await catalog.recordLoad(load, { ...bounds, day });
  expect((await peaks()).map(({ day }) => day)).toEqual(['2026-01-03', '2026-01-04']);
});

test('a clock that was ahead for a while takes no day away, and leaves no ceiling and no load behind', async () => {
  const load = (name: string) => ({ clusterId, processName: name, operationsPerSecond: 700, ceiling: 1_400 });
  const record = (name: string, recordedDate: Date): Promise<void> => {
    const freshSince = new Date(recordedDate.getTime() - 90_000);
    const day = recordedDate.toISOString().slice(0, 10);
    return catalog.recordLoad({ ...load(name), recordedDate }, { freshSince, day, keptDays: 180 });
  };
  await record('earlier', clock.now());
  clock.advance(dayMs);
  await record('killed while the clock was ahead', new Date(clock.now().getTime() + 1_000 * dayMs));
  const next = new Process('next');
  await next.watch.measure();
  await minute(100, 0.5, next);
  expect(next.watch.capacityOf(clusterId)).toMatchObject({ days: 1, ceiling: 200 });
  const today = clock.now().toISOString().slice(0, 10);
  expect((await peaks()).find(({ day }) => day === today)?.operationsPerSecond, 'only its own').toBe(100);
});

test('a member that takes no work has no load, and keeps its ceiling', async () => {
  const one = new Process('one');
  await one.watch.measure();
  await minute(100, 0.5, one);
  one.admitted = false;
  await one.watch.measure();
  expect(one.watch.memberLoad(clusterId, 'a')).toEqual({ operationsPerSecond: 0, utilisation: 0, ceiling: 200 });
  expect(one.watch.capacityOf('cluster-zyxwvutsrqp')).toBeUndefined();
});

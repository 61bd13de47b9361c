import { expect, test } from 'vitest';
import type { Clock } from '../../clock.js';
import { type ConnectionRefusal, RefusalReporter } from './refusals.js';

test('a flood of refusals is one report in ten seconds, with the count of the others', () => {
  let nowMs = 0;
  const clock: Clock = {
    now: () => new Date(nowMs),
    monotonicMs: () => nowMs,
    boot: () => ({ bootId: '', sinceBootMs: 0 }),
    schedule: () => ({ cancel: () => undefined }),
  };
  const reports: ConnectionRefusal[] = [];
  const reporter = new RefusalReporter(clock, (refusal) => reports.push(refusal));
  for (let count = 0; count < 1_000; count += 1) reporter.refused('192.0.2.1', 'first');
  nowMs = 10_000;
  reporter.refused('192.0.2.2', 'second');
  expect(reports).toEqual([
    { sourceAddress: '192.0.2.1', reason: 'first', unreported: 0 },
    { sourceAddress: '192.0.2.2', reason: 'second', unreported: 999 },
  ]);
});

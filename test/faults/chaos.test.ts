import { expect, test } from 'vitest';
import { runChaos } from './chaos.js';

/** Set to replay a run: the faults come in the same order on the same members. */
const seed = Number(process.env['HOLDFAST_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

test(`random faults on two of three members, 64 callers: no wrong result, every failure typed (seed ${seed})`, async () => {
  const report = await runChaos({ durationMs: 10_000, seed, callers: 64 });
  process.stdout.write(`${JSON.stringify({ ...report, sizes: report.sizes.at(-1) })}\n`);
  expect(report.wrongResults).toEqual([]);
  expect(report.untyped).toEqual([]);
  expect(report.failedWhileOneWasWell).toBe(0);
  expect(report.rounds).toBeGreaterThanOrEqual(2);
}, 180_000);

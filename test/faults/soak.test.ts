import { expect, test } from 'vitest';
import { runChaos } from './chaos.js';
import { grown, growthOf } from './growth.js';

/** Set to replay a run, as with `npm run soak -- <minutes> <seed>`, of which this is the short form. */
const seed = Number(process.env['HOLDFAST_CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));

test(`memory, threads and descriptors stay flat under random faults (seed ${seed})`, async () => {
  const { sizes, wrongResults, untyped } = await runChaos({ durationMs: 40_000, fewestRounds: 12, seed, callers: 16 });
  const growth = growthOf(sizes);
  process.stdout.write(`${sizes.length} rounds: ${JSON.stringify(growth)}\n`);
  expect(grown(growth)).toEqual([]);
  expect([...wrongResults, ...untyped]).toEqual([]);
}, 240_000);

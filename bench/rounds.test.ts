import { expect, test } from 'vitest';
import type { Scenario } from './measurement.js';
import { measureRounds } from './rounds.js';

const measurement = { rps: 1, cpuMicrosPerRequest: 1, latencyMs: { p50: 1, p99: 1 } };

test('a server of one variant, which has idled, gets requests before each measurement', async () => {
  const calls: string[] = [];
  const scenario = (name: string, ofVariant?: true): Scenario => ({
    name,
    inFlight: 32,
    ...(ofVariant === undefined ? {} : { ofVariant }),
    measure: () => (calls.push(`measure ${name}`), Promise.resolve(measurement)),
    send: () => (calls.push(`send ${name}`), Promise.resolve()),
  });
  const plan = { rounds: 2, seconds: 1, check: () => undefined, progress: () => undefined };
  await measureRounds([[scenario('variant', true)], [scenario('usual')]], plan);
  const of = (name: string) => calls.filter((call) => call.endsWith(name));
  expect(of('variant')).toEqual(['send variant', 'measure variant', 'send variant', 'measure variant']);
  expect(of('usual')).toEqual(['measure usual', 'measure usual']);
});

import { expect, test } from 'vitest';
import { blockOf, comparedNames, type ServerName, telemetryReport } from './telemetry-pairs.js';

test('in a block each side comes first once, and either may begin', async () => {
  const order: ServerName[] = [];
  const micros = [100, 101, 102, 103];
  const measure = (name: ServerName) => {
    order.push(name);
    return Promise.resolve(micros[(order.length - 1) % 4] ?? 0);
  };
  expect(await blockOf('metrics', measure, () => 0)).toEqual([
    { plainMicros: 100, otherMicros: 101 },
    { plainMicros: 103, otherMicros: 102 },
  ]);
  expect(await blockOf('metrics', measure, () => 0.9)).toEqual([
    { plainMicros: 101, otherMicros: 100 },
    { plainMicros: 102, otherMicros: 103 },
  ]);
  expect(order).toEqual([...['plain', 'metrics', 'metrics', 'plain'], ...['metrics', 'plain', 'plain', 'metrics']]);
});

test('the export of spans is counted for their server only', () => {
  const pair = { plainMicros: 100, otherMicros: 101 };
  const pairs = { control: [pair], tracing: [pair], tracingAll: [pair], metrics: [pair] };
  const report = telemetryReport(pairs, { requestsPerSlice: 10, exportMicrosPerTracedRequest: 50 });
  expect(report).toMatchObject({ plainMicrosPerRequest: 100, exportMicrosPerTracedRequest: 50 });
  expect(comparedNames.map((name) => report[name].overhead)).toEqual([0.01, 0.015, 0.51, 0.01]);
});

import { expect, test } from 'vitest';
import { parseGhz } from './ghz.js';
import { latenciesOf, parseH2load, spread } from './h2load.js';
import { grpcFrame } from './target.js';

const h2load = (unit: string, counts: string) => `TLS Protocol: TLSv1.3

finished in 402.78${unit}, 5975.00 req/s, 1.35MB/s
requests: ${counts}
status codes: 5975 2xx, 0 3xx, 0 4xx, 0 5xx
`;

test('h2load: what succeeded, what did not, and for how long', () => {
  const counts = '5975 total, 5976 started, 5975 done, 5970 succeeded, 2 failed, 1 errored, 2 timeout';
  expect(parseH2load(h2load('ms', counts))).toEqual({
    succeeded: 5970,
    failed: 5,
    elapsedSeconds: expect.closeTo(0.40278) as number,
  });
  expect(parseH2load(h2load('s', counts)).elapsedSeconds).toBe(402.78);
  expect(() => parseH2load('error: cannot connect')).toThrow('h2load printed no result: error: cannot connect');
});

test('h2load: latencies are in its log, in microseconds', () => {
  const log = Array.from({ length: 100 }, (_, index) => `1795477907077607\t200\t${(index + 1) * 1000}\n`).join('');
  expect(latenciesOf(log)).toEqual({ p50: 50, p99: 99 });
});

test.each([
  [1, { connections: 1, streams: 1 }],
  [4, { connections: 4, streams: 1 }],
  [32, { connections: 8, streams: 4 }],
  [256, { connections: 8, streams: 32 }],
])('%i in flight are spread over at most eight connections', (inFlight, expected) => {
  expect(spread(inFlight)).toEqual(expected);
});

test('a load that cannot be spread evenly is refused', () => {
  expect(() => spread(9)).toThrow('no multiple');
});

test('ghz: a measurement with a call that was not answered OK is refused', () => {
  const latencyDistribution = [
    { percentage: 50, latency: 2_000_000 },
    { percentage: 99, latency: 9_500_000 },
  ];
  const report = (statusCodeDistribution: object) =>
    JSON.stringify({ count: 10, rps: 1234.5, statusCodeDistribution, latencyDistribution });
  expect(parseGhz(report({ OK: 10 }))).toEqual({ count: 10, rps: 1234.5, latencyMs: { p50: 2, p99: 9.5 } });
  expect(() => parseGhz(report({ OK: 9, Unavailable: 1 }))).toThrow('"Unavailable":1');
  expect(() => parseGhz(report({}))).toThrow('ghz saw {}');
});

test('a gRPC frame is a flag, the length and the message', () => {
  expect([...grpcFrame(Uint8Array.of(7, 8))]).toEqual([0, 0, 0, 0, 2, 7, 8]);
});

import { expect, test } from 'vitest';
import { plotsOf, renderPlot } from './plot.js';

const result = (name: string, inFlight: number, rps: number) => ({
  name: `${name}@${inFlight}`,
  inFlight,
  rps,
  cpuMicrosPerRequest: 1,
  latencyMs: { p50: 0.3, p99: 4 },
  roundsRps: [rps],
  roundsCpuMicrosPerRequest: [1],
});

test('the plots show every level of both servers under h2load, and nothing else', () => {
  const levels = [256, 1, 16];
  const results = levels.flatMap((level) => [
    result('echo-h2load', level, 20_000),
    result('encrypt-h2load', level, 7_000),
    result('encrypt-ghz', level, 1),
  ]);
  const { throughput, latency } = plotsOf(results);
  expect(throughput.match(/<circle/g)).toHaveLength(6);
  expect(latency.match(/<circle/g)).toHaveLength(12);
  for (const label of ['>1<', '>16<', '>256<', 'Holdfast Encrypt', '>20,000<']) expect(throughput).toContain(label);
  for (const label of ['>0.1<', '>10<', 'Encrypt p99']) expect(latency).toContain(label);
  expect(throughput + latency).not.toMatch(/NaN|Infinity/);
});

test('points rise to the right and upwards', () => {
  const points = [
    { x: 1, y: 1000 },
    { x: 256, y: 5000 },
  ];
  const plot = { title: 'a & b', yLabel: 'y', logarithmic: false, series: [{ label: 'one', colour: 'black', points }] };
  const svg = renderPlot(plot);
  const [x1, y1, x2, y2] = (/points="([^"]+)"/.exec(svg)?.[1] ?? '').split(/[ ,]/).map(Number);
  expect(x1).toBeLessThan(x2!);
  expect(y1).toBeGreaterThan(y2!);
  expect(svg).toContain('a &amp; b');
  expect(() => renderPlot({ ...plot, series: [] })).toThrow('no points');
});

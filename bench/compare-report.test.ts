import { expect, test } from 'vitest';
import { comparedRow, comparisonTable } from './compare-report.js';
import type { Measurement } from './measurement.js';

const measured = (cpuMicrosPerRequest: number, rps = 1000): Measurement => ({
  rps,
  cpuMicrosPerRequest,
  latencyMs: { p50: 2, p99: 4 },
});

/** Rounds on a machine that grows busier: all sides cost more from round to round. */
const busier = [1, 2, 4, 8, 16];
const row = comparedRow('encrypt@32', {
  before: busier.map((load) => measured(100 * load)),
  after: busier.map((load) => measured(80 * load)),
  echo: busier.map((load) => measured(40 * load)),
});
const figure = (name: string) => row.figures.find((found) => found.name === name);

test('ratios are of each round, whatever else the machine does', () => {
  expect(figure('cpuMicrosPerRequest')?.ratio).toEqual({ median: 0.8, confidence95: [0.8, 0.8] });
  expect(figure('toEchoPerCpu')).toMatchObject({
    before: { median: 0.4, confidence95: [0.4, 0.4] },
    after: { median: 0.5, confidence95: [0.5, 0.5] },
    ratio: { median: 1.25 },
  });
  expect(figure('cpuMicrosPerRequest')?.before.median).toBe(400);
  expect(row.echoCpuMicrosPerRequest.median).toBe(160);
});

test('the table says which figures differ', () => {
  const machine = { cpu: 'a CPU', cores: 2, memoryGib: 4, kernel: '6', node: 'v20' };
  const settings = { rounds: 5, seconds: 2, lanes: 1, cheapToken: false };
  const table = comparisonTable({ machine, date: 'today', before: 'a', after: 'b', ...settings, rows: [row] });
  const lineOf = (name: string) => table.split('\n').find((line) => line.includes(name));
  expect(lineOf('cpuMicrosPerRequest')).toMatch(/400\.0 .* 320\.0 .* 0\.8000 .* 0\.800 to 0\.800 .* differs/);
  expect(lineOf('rps')).not.toContain('differs');
  expect(table).toContain('echo of encrypt@32: 160.0 µs CPU');
});

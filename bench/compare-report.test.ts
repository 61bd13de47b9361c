import { expect, test } from 'vitest';
import { comparedRow, comparisonTable } from './compare-report.js';
import type { Measurement } from './measurement.js';

const measured = (cpuMicrosPerRequest: number, rps = 1000): Measurement => ({
  rps,
  cpuMicrosPerRequest,
  latencyMs: { p50: 2, p99: 4 },
});

/** Rounds on a machine that grows busier: all sides cost more from round to round. */
const busier = [1, 2, 4, 8, 16, 32];
const row = comparedRow('encrypt@32', {
  before: busier.map((load) => measured(100 * load)),
  after: busier.map((load) => measured(80 * load)),
  echo: busier.map((load) => measured(40 * load)),
});
const figure = (name: string) => row.figures.find((found) => found.name === name);

test('ratios come from within each round, whatever else the machine does', () => {
  expect(figure('cpuMicrosPerRequest')?.ratio).toEqual({ median: 0.8, confidence95: [0.8, 0.8] });
  expect(figure('toEchoPerCpu')).toMatchObject({
    before: { median: 0.4, confidence95: [0.4, 0.4] },
    after: { median: 0.5, confidence95: [0.5, 0.5] },
    ratio: { median: 1.25 },
  });
  expect(figure('cpuMicrosPerRequest')?.before.median).toBe(600);
  expect(row.echoCpuMicrosPerRequest.median).toBe(240);
});

const machine = { cpu: 'a CPU', cores: 2, memoryGib: 4, kernel: '6', node: 'v20' };
const tableOf = (rounds: number) =>
  comparisonTable({
    machine,
    date: 'today',
    before: 'a',
    after: 'b',
    rounds,
    seconds: 2,
    lanes: 1,
    cheapToken: false,
    rows: [row],
  });

test('the table says which figures differ', () => {
  const table = tableOf(6);
  const lineOf = (name: string) => table.split('\n').find((line) => line.includes(name));
  expect(lineOf('cpuMicrosPerRequest')).toMatch(/600\.0 .* 480\.0 .* 0\.8000 .* 0\.800 to 0\.800 .* differs/);
  expect(lineOf('rps')).not.toContain('differs');
  expect(table).toContain('echo of encrypt@32: 240.0 µs CPU');
});

test('too few rounds have no verdict', () => {
  expect(tableOf(5)).toContain('5 rounds are too few to say what differs: take at least 6.');
  expect(tableOf(5).match(/differs/g)).toHaveLength(1);
});

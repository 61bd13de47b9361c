import Table from 'cli-table3';
import { type Estimate, estimate } from './bootstrap.js';
import type { Measurement } from './measurement.js';
import type { Machine } from './report.js';

/** The servers of a comparison, in the order of the report. */
export const sides = ['before', 'after', 'echo'] as const;
export type Side = (typeof sides)[number];

/** A row's measurements, one for each round. */
export type ComparedRounds = Readonly<Record<Side, readonly Measurement[]>>;

/** A figure of both commits, and its ratio, after ÷ before: the median of the ratios of the rounds. */
export interface ComparedFigure {
  name: string;
  before: Estimate;
  after: Estimate;
  ratio: Estimate;
}

export interface ComparedRow {
  /** E.g. `encrypt@32`. */
  name: string;
  figures: ComparedFigure[];
  /** CPU of the echo with messages of the same sizes. */
  echoCpuMicrosPerRequest: Estimate;
}

/** The output of `compare --json`. */
export interface CompareReport {
  machine: Machine;
  /** Date and time, ISO 8601. */
  date: string;
  before: string;
  after: string;
  rounds: number;
  seconds: number;
  lanes: number;
  cheapToken: boolean;
  rows: ComparedRow[];
}

type Figure = (measurement: Measurement, echo: Measurement) => number;

/** The names are also those of the JSON. */
const figures: Readonly<Record<string, Figure>> = {
  cpuMicrosPerRequest: ({ cpuMicrosPerRequest }) => cpuMicrosPerRequest,
  toEchoPerCpu: ({ cpuMicrosPerRequest }, echo) => echo.cpuMicrosPerRequest / cpuMicrosPerRequest,
  rps: ({ rps }) => rps,
  sleepsPerRequest: ({ sleepsByThread }) => Object.values(sleepsByThread ?? {}).reduce((sum, count) => sum + count, 0),
  p50Ms: ({ latencyMs }) => latencyMs.p50,
  p99Ms: ({ latencyMs }) => latencyMs.p99,
};

export function comparedRow(name: string, rounds: ComparedRounds, random = Math.random): ComparedRow {
  const valuesOf = (side: 'before' | 'after', figure: Figure) =>
    rounds[side].map((measurement, round) => figure(measurement, at(rounds.echo, round)));
  return {
    name,
    figures: Object.entries(figures).map(([figureName, figure]) => {
      const [before, after] = [valuesOf('before', figure), valuesOf('after', figure)];
      const ratios = after.map((value, round) => value / (before[round] ?? Number.NaN));
      return {
        name: figureName,
        before: estimate(before, random),
        after: estimate(after, random),
        ratio: estimate(ratios, random),
      };
    }),
    echoCpuMicrosPerRequest: estimate(
      rounds.echo.map(({ cpuMicrosPerRequest }) => cpuMicrosPerRequest),
      random,
    ),
  };
}

function at(measurements: readonly Measurement[], round: number): Measurement {
  const found = measurements[round];
  if (found === undefined) throw new Error(`Round ${round + 1} has no echo.`);
  return found;
}

/** With fewer rounds the bootstrap's interval is too narrow to judge by: that of a single round has no width at all. */
const minJudgedRounds = 6;

/** The report for people. A ratio whose interval contains 1 shows no difference; few rounds show none either way. */
export function comparisonTable(report: CompareReport): string {
  const table = new Table({
    head: ['scenario', 'figure', 'before', 'after', 'after ÷ before', '95 % confidence', ''],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [], compact: true },
  });
  for (const { name, figures: compared } of report.rows) {
    for (const { name: figure, before, after, ratio } of compared) {
      const medians = [before, after, ratio].map(({ median }) => median.toPrecision(4));
      const [lower, upper] = ratio.confidence95;
      const differs = report.rounds >= minJudgedRounds && (lower > 1 || upper < 1);
      const verdict = differs ? 'differs' : '';
      table.push([name, figure, ...medians, `${lower.toFixed(3)} to ${upper.toFixed(3)}`, verdict]);
    }
  }
  const { machine, rounds, seconds } = report;
  return [
    `before ${report.before}`,
    `after  ${report.after}`,
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${report.date}; ${rounds} rounds of ${seconds} s`,
    table.toString(),
    ...(rounds < minJudgedRounds
      ? [`${rounds} rounds are too few to say what differs: take at least ${minJudgedRounds}.`]
      : []),
    ...report.rows.map(
      ({ name, echoCpuMicrosPerRequest: { median } }) => `echo of ${name}: ${median.toFixed(1)} µs CPU`,
    ),
    '',
  ].join('\n');
}

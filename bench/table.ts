import Table from 'cli-table3';
import type { Comparison } from './comparison.js';
import type { CreateKeyCost } from './create-key-load.js';
import type { OpenLoopResult } from './open-loop.js';
import { replicationLines } from './replication.js';
import type { BenchReport, BenchResult } from './report.js';
import { type ThreadKind, threadKinds } from './thread-cpu.js';

/** The report for people. */
export function asTable(report: BenchReport): string {
  const table = new Table({
    head: ['scenario', 'operations/s', 'rounds', 'CPU µs/operation', ...threadKinds.map(headOf), 'p50 ms', 'p99 ms'],
    colAligns: ['left', ...Array.from({ length: 5 + threadKinds.length }, () => 'right' as const)],
    style: { head: [], border: [] },
  });
  for (const { name, rps, roundsRps, cpuMicrosPerRequest, cpuMicrosByThread: cpu, latencyMs } of report.results) {
    const spread = `${Math.round(Math.min(...roundsRps))}–${Math.round(Math.max(...roundsRps))}`;
    const threads = threadKinds.map((kind) => cpu?.[kind].toFixed(1) ?? '');
    const latencies = [latencyMs.p50, latencyMs.p99].map((value) => value.toPrecision(3));
    table.push([name, String(Math.round(rps)), spread, cpuMicrosPerRequest.toFixed(1), ...threads, ...latencies]);
  }
  const { machine, ratios, telemetry, attempts } = report;
  return [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; ${report.date}; commit ${report.commit ?? 'unknown'}`,
    ...(report.note === null ? [] : [`Note: ${report.note}`]),
    table.toString(),
    `addon / raw C                      ${ratios.addonToRaw.toFixed(3)}  (target 0.85)`,
    `addon / raw C that draws its nonce ${ratios.addonToRawWithNonce.toFixed(3)}`,
    `Encrypt / echo, per server CPU     ${ratios.encryptToEchoPerCpu.toFixed(3)}  (target 0.48)`,
    ...Object.entries(ratios.toEchoPerCpu).map(([name, value]) => `  ${name.padEnd(32)} ${value.toFixed(3)}`),
    ...report.results.filter(({ name }) => sleepersNamed.test(name)).map(sleepsLine),
    ...Object.entries(ratios.encryptGrowth).map(([keys, value]) => `${growthLabel(keys)}${value.toFixed(3)}`),
    `p99 / p50 at 80 % load             ${ratios.p99ToP50At80Percent.toFixed(2)}  (target at most 5)`,
    ...report.openLoop.map(openLoopLine),
    `Encrypt / echo, operations/s       ${ratios.encryptToEchoRps.toFixed(3)}`,
    `tracing 1 % of requests, CPU       ${percent(ratios.tracingAt1PercentOverhead)}  (target at most 3 %): a hundredth of`,
    `  all requests traced              ${inWords(telemetry.tracingAll)}`,
    `  1 % of requests traced           ${inWords(telemetry.tracing)}`,
    `metrics, CPU                       ${inWords(telemetry.metrics)}`,
    `no difference, CPU                 ${inWords(telemetry.control)}`,
    `hedging, CPU of the HSM's part     ${inWords(attempts.hedging)}`,
    `1 % of attempts repeated, the same ${inWords(attempts.repetition)}`,
    `no difference, the same            ${inWords(attempts.control)}`,
    `32 lanes kept busy, HSM of 1 ms    ${ratios.simulatedHsm32Lanes.toFixed(3)}  (target 0.95)`,
    `64 lanes kept busy, HSM of 1 ms    ${ratios.simulatedHsm64Lanes.toFixed(3)}`,
    `latency added at p50, HSM of 1 ms  ${ratios.addedLatencyMs.toFixed(3)} ms  (target 0.3)`,
    `CreateKey, CPU, many keys / few    ${ratios.createKeyGrowth.toFixed(3)}  (target at most 2): ${costsInWords(report.createKey)}`,
    ...replicationLines(report.replication),
    ...report.skipped.map((line) => `Skipped: ${line}`),
    '',
  ].join('\n');
}

/** Those whose loads differ only in how many requests are in flight: they show who waits for whom. */
const sleepersNamed = /^(echo|encrypt)-h2load@/;

function sleepsLine({ name, sleepsByThread: sleeps }: BenchResult): string {
  const counts = threadKinds.map((kind) => `${headOf(kind)} ${sleeps?.[kind].toFixed(2) ?? '–'}`);
  return `${`  sleeps a request, ${name}`.padEnd(35)}${counts.join(', ')}`;
}

function openLoopLine({ name, share, offeredRps, rps, latencyMs, sentLateMs }: OpenLoopResult): string {
  const [p50, p99, p999, late] = [latencyMs.p50, latencyMs.p99, latencyMs.p999, sentLateMs.p99].map((ms) =>
    ms.toPrecision(3),
  );
  const load = `  open loop ${share * 100} %, ${name}`.padEnd(34);
  return `${load} p50 ${p50}, p99 ${p99}, p99.9 ${p999} ms; ${Math.round(rps)} of ${offeredRps}/s; sent up to ${late} ms late (p99)`;
}

function growthLabel(keys: string): string {
  return `Encrypt CPU, ${keys} keys / 1 key`.padEnd(35);
}

/** `V8` and the other kinds as a column's head. */
function headOf(kind: ThreadKind): string {
  return { eventLoop: 'event loop', lanes: 'lanes', libuv: 'libuv', v8: 'V8', other: 'other' }[kind];
}

function costsInWords(costs: readonly CreateKeyCost[]): string {
  return costs
    .map(({ keysOnToken, cpuMicrosPerKey }) => `${Math.round(cpuMicrosPerKey)} µs at ${keysOnToken}`)
    .join(', ');
}

/** Median, its 95 % confidence interval, and the quartiles. */
function inWords({ overhead, confidence95, quartiles, pairs }: Comparison): string {
  const [lower, upper] = confidence95.map(percent);
  return `${percent(overhead)} (${lower} to ${upper} with 95 % confidence; quartiles ${quartiles.map(percent).join(' and ')}; ${pairs} pairs)`;
}

function percent(share: number): string {
  return `${share < 0 ? '' : '+'}${(share * 100).toFixed(1)} %`;
}

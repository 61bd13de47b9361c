import type { ReplicationReport } from './replication.js';
import type { AttemptCostReport } from './attempt-cost.js';
import { createKeyGrowth } from './create-key-cost.js';
import type { CreateKeyCost } from './create-key-load.js';
import type { Measurement, Scenario } from './measurement.js';
import type { OpenLoopResult } from './open-loop.js';
import { serviceTimeMs, simulatedName } from './simulated-hsm.js';
import { median } from './statistics.js';
import type { TelemetryReport } from './telemetry-pairs.js';
import { type ByThread, threadKinds } from './thread-cpu.js';

/** One scenario's medians. */
export interface BenchResult extends Measurement {
  name: string;
  inFlight: number;
  /** The scenario of its floor: the echo with messages of the same sizes. */
  echo?: string;
  /** Operations per second of each round, in order: their spread shows how much the medians are worth. */
  roundsRps: number[];
  roundsCpuMicrosPerRequest: number[];
}

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  kernel: string;
  node: string;
}

/** The ratios that have targets. Each is a median of ratios, of the rounds or of the pairs of `telemetry`. */
export interface Ratios {
  /** Addon at 16 in flight ÷ raw C_EncryptInit + C_Encrypt. Target 0.85. */
  addonToRaw: number;
  /** The same ratio, with a raw loop that draws each nonce from the token, as the addon does. */
  addonToRawWithNonce: number;
  /** Server CPU of the echo ÷ server CPU of Encrypt, at 32 in flight. Target 0.48. */
  encryptToEchoPerCpu: number;
  /**
   * The same ratio for every scenario of a server: CPU of the echo with the same sizes ÷ CPU of the server. The key is
   * the name of the scenario, without the tool: `decrypt@32`.
   */
  toEchoPerCpu: Record<string, number>;
  /** CPU of Encrypt with that many keys on the token ÷ with one, at 32 in flight. Target at most 1.05 at 3,000. */
  encryptGrowth: Record<string, number>;
  /** p99 ÷ p50 of Encrypt at 80 % of its ceiling, open loop. Target at most 5. */
  p99ToP50At80Percent: number;
  /** Operations per second of Encrypt ÷ of the echo, at 32 in flight. */
  encryptToEchoRps: number;
  /** A hundredth of the `overhead` of `telemetry.tracingAll`. Target at most 0.03. */
  tracingAt1PercentOverhead: number;
  /** `overhead` of `telemetry.metrics`. */
  metricsOverhead: number;
  /** Operations per second of 32 lanes on an HSM that takes a millisecond ÷ (32 ÷ its service time, measured). Target 0.95. */
  simulatedHsm32Lanes: number;
  /** The same ratio with 64 lanes. */
  simulatedHsm64Lanes: number;
  /** p50 of one call at a time on that HSM, less its millisecond. Target 0.3. */
  addedLatencyMs: number;
  /** CPU of making a key with many keys on the token ÷ with few (`createKey`). Target at most 2. */
  createKeyGrowth: number;
}

/** The output of `--json`, and the content of `bench/results`. */
export interface BenchReport {
  machine: Machine;
  /** Date and time, ISO 8601. */
  date: string;
  /** Commit of the working copy, followed by `-dirty` if it has changes; null outside of git. */
  commit: string | null;
  note: string | null;
  rounds: number;
  seconds: number;
  lanes: number;
  /** Skipped measurements, and why. */
  skipped: string[];
  results: BenchResult[];
  openLoop: OpenLoopResult[];
  telemetry: TelemetryReport;
  attempts: AttemptCostReport;
  createKey: CreateKeyCost[];
  /** Clusters with `replication: wrapped`. */
  replication: ReplicationReport;
  ratios: Ratios;
}

/** All measurements of a run: by scenario, one for each round. */
export type Rounds = ReadonlyMap<Pick<Scenario, 'name' | 'inFlight' | 'echo'>, readonly Measurement[]>;

/** The medians of each scenario. */
export function summarise(rounds: Rounds): BenchResult[] {
  return [...rounds].map(([{ name, inFlight, echo }, measurements]) => {
    const medianOf = (value: (measurement: Measurement) => number) => rounded(median(measurements.map(value)));
    return {
      name,
      inFlight,
      ...(echo === undefined ? {} : { echo }),
      rps: medianOf(({ rps }) => rps),
      cpuMicrosPerRequest: medianOf((measurement) => measurement.cpuMicrosPerRequest),
      latencyMs: {
        p50: medianOf(({ latencyMs }) => latencyMs.p50),
        p99: medianOf(({ latencyMs }) => latencyMs.p99),
      },
      ...threadsOf(measurements),
      ...serviceTimeOf(measurements),
      roundsRps: measurements.map(({ rps }) => rounded(rps)),
      roundsCpuMicrosPerRequest: measurements.map((measurement) => rounded(measurement.cpuMicrosPerRequest)),
    };
  });
}

/** The median of each kind of thread, by itself: their sum is not quite the median of the sum. */
function threadsOf(measurements: readonly Measurement[]): Pick<Measurement, 'cpuMicrosByThread' | 'sleepsByThread'> {
  return {
    ...mediansOf(measurements, 'cpuMicrosByThread'),
    ...mediansOf(measurements, 'sleepsByThread'),
  };
}

function mediansOf(measurements: readonly Measurement[], figure: 'cpuMicrosByThread' | 'sleepsByThread') {
  const measured = measurements.flatMap((measurement) => measurement[figure] ?? []);
  if (measured.length === 0) return {};
  const medians = threadKinds.map((kind) => [kind, rounded(median(measured.map((byThread) => byThread[kind])))]);
  return { [figure]: Object.fromEntries(medians) as ByThread };
}

function serviceTimeOf(measurements: readonly Measurement[]): Pick<Measurement, 'serviceTimeMs'> {
  const times = measurements.flatMap(({ serviceTimeMs: time }) => (time === undefined ? [] : [time]));
  return times.length === 0 ? {} : { serviceTimeMs: rounded(median(times)) };
}

/** Results that are not measured in rounds with the rest. */
export interface MeasuredApart {
  openLoop: readonly Pick<OpenLoopResult, 'name' | 'share' | 'latencyMs'>[];
  telemetry: Pick<TelemetryReport, 'tracingAll' | 'metrics'>;
  createKey: readonly CreateKeyCost[];
}

/** Throws if a scenario that a ratio needs was not measured. */
export function ratiosOf(
  results: readonly BenchResult[],
  { openLoop, telemetry: { tracingAll, metrics }, createKey }: MeasuredApart,
): Ratios {
  const rps = (name: string) => resultNamed(results, name).roundsRps;
  const cpu = (name: string) => resultNamed(results, name).roundsCpuMicrosPerRequest;
  return {
    addonToRaw: ratio(rps('addon-encrypt@16'), rps('raw-encrypt')),
    addonToRawWithNonce: ratio(rps('addon-encrypt@16'), rps('raw-random-encrypt')),
    encryptToEchoPerCpu: ratio(cpu('echo-h2load@32'), cpu('encrypt-h2load@32')),
    toEchoPerCpu: toEchoPerCpu(results),
    encryptGrowth: encryptGrowth(results),
    p99ToP50At80Percent: p99ToP50(openLoop),
    encryptToEchoRps: ratio(rps('encrypt-h2load@32'), rps('echo-h2load@32')),
    tracingAt1PercentOverhead: rounded(tracingAll.overhead / 100),
    metricsOverhead: metrics.overhead,
    simulatedHsm32Lanes: laneUse(results, 32),
    simulatedHsm64Lanes: laneUse(results, 64),
    addedLatencyMs: rounded(resultNamed(results, simulatedName(32, 1)).latencyMs.p50 - serviceTimeMs),
    createKeyGrowth: rounded(createKeyGrowth(createKey)),
  };
}

/** Ratios by the name of the scenario, without the tool. */
export function toEchoPerCpu(results: readonly BenchResult[]): Record<string, number> {
  const ratios = results.flatMap(({ name, echo, roundsCpuMicrosPerRequest: cpu }) => {
    if (echo === undefined) return [];
    const echoCpu = resultNamed(results, echo).roundsCpuMicrosPerRequest;
    return [[name.replace('-h2load@', '@'), ratio(echoCpu, cpu)] as const];
  });
  return Object.fromEntries(ratios);
}

function p99ToP50(results: MeasuredApart['openLoop']): number {
  const found = results.find(({ name, share }) => name === 'encrypt' && share === 0.8);
  if (found === undefined) throw new Error('The open loop was not measured.');
  return rounded(found.latencyMs.p99 / found.latencyMs.p50);
}

const manyKeys = /^encrypt-(\d+)-keys-h2load@32$/;

function encryptGrowth(results: readonly BenchResult[]): Record<string, number> {
  const one = resultNamed(results, 'encrypt-h2load@32').roundsCpuMicrosPerRequest;
  const growths = results.flatMap(({ name, roundsCpuMicrosPerRequest: cpu }) => {
    const keys = manyKeys.exec(name)?.[1];
    return keys === undefined ? [] : [[keys, ratio(cpu, one)] as const];
  });
  return Object.fromEntries(growths);
}

/**
 * Operations per second ÷ what the lanes could do if they never waited, by the measured service time: on a loaded
 * machine sleeps are longer than requested. Twice as many operations are in flight as there are lanes.
 */
function laneUse(results: readonly BenchResult[], lanes: number): number {
  const { rps, serviceTimeMs: measuredMs = serviceTimeMs } = resultNamed(results, simulatedName(lanes, 2 * lanes));
  return rounded(rps / (lanes * (1000 / measuredMs)));
}

function resultNamed(results: readonly BenchResult[], name: string): BenchResult {
  const found = results.find((result) => result.name === name);
  if (found === undefined) throw new Error(`${name} was not measured.`);
  return found;
}

/** The median of the rounds' own ratios: a disturbance of a whole round affects both sides of its ratio. */
function ratio(numerators: readonly number[], denominators: readonly number[]): number {
  return rounded(median(numerators.map((numerator, round) => numerator / (denominators[round] ?? Number.NaN))));
}

/** Five significant digits: more would be noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(5));
}

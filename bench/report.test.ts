import { expect, test } from 'vitest';
import { comparisonOf } from './comparison.js';
import type { Measurement } from './measurement.js';
import { ratiosOf, summarise } from './report.js';
import { simulatedName } from './simulated-hsm.js';

const measurement = (rps: number, cpuMicrosPerRequest: number, p50 = 1): Measurement => ({
  rps,
  cpuMicrosPerRequest,
  latencyMs: { p50, p99: p50 * 2 },
});

const telemetry = { tracingAll: comparisonOf([1.25, 1.5, 1.1]), metrics: comparisonOf([0.99]) };

const scenario = (name: string, ...rounds: [number, number][]) => scenarioBesideEcho(name, undefined, ...rounds);

const scenarioBesideEcho = (name: string, echo: string | undefined, ...rounds: [number, number][]) =>
  [
    { name, inFlight: 32, ...(echo === undefined ? {} : { echo }) },
    rounds.map(([rps, cpu], index) => measurement(rps, cpu, index + 1)),
  ] as const;

const openLoop = [{ name: 'encrypt', share: 0.8, latencyMs: { p50: 1, p99: 4, p999: 9 } }];

test('a result is the median of each figure by itself, beside what each round gave', () => {
  const [result] = summarise(new Map([scenario('a', [300, 10], [100, 30], [200, 20.000001])]));
  expect(result).toEqual({
    name: 'a',
    inFlight: 32,
    rps: 200,
    cpuMicrosPerRequest: 20,
    latencyMs: { p50: 2, p99: 4 },
    roundsRps: [300, 100, 200],
    roundsCpuMicrosPerRequest: [10, 30, 20],
  });
});

test('a ratio is the median of the rounds’ own ratios, unaffected by a slow round', () => {
  const results = summarise(
    new Map([
      scenario('raw-encrypt', [100, 1], [50, 1], [100, 1]),
      scenario('raw-random-encrypt', [80, 1], [40, 1], [80, 1]),
      scenario('addon-encrypt@16', [80, 1], [40, 1], [80, 1]),
      scenario('echo-h2load@32', [1000, 60], [500, 120], [1000, 60]),
      scenarioBesideEcho('encrypt-h2load@32', 'echo-h2load@32', [500, 120], [250, 240], [500, 120]),
      scenario('echo-decrypt-h2load@32', [500, 40], [500, 40], [500, 90]),
      scenarioBesideEcho('decrypt-h2load@32', 'echo-decrypt-h2load@32', [500, 80], [500, 160], [500, 100]),
      scenarioBesideEcho('encrypt-3000-keys-h2load@32', 'echo-h2load@32', [500, 126], [500, 240], [500, 150]),
      scenario(simulatedName(32, 1), [900, 1], [900, 1], [900, 1]),
      scenario(simulatedName(32, 64), [31_000, 1], [16_000, 1], [30_400, 1]),
      scenario(simulatedName(64, 128), [32_000, 1], [30_000, 1], [32_000, 1]),
    ]),
  );
  const createKey = [
    { keysOnToken: 30, cpuMicrosPerKey: 800 },
    { keysOnToken: 3_000, cpuMicrosPerKey: 1_000 },
  ];
  expect(ratiosOf(results, { openLoop, telemetry, createKey })).toEqual({
    addonToRaw: 0.8,
    addonToRawWithNonce: 1,
    encryptToEchoPerCpu: 0.5,
    toEchoPerCpu: { 'encrypt@32': 0.5, 'decrypt@32': 0.5, 'encrypt-3000-keys@32': 0.47619 },
    encryptGrowth: { 3000: 1.05 },
    p99ToP50At80Percent: 4,
    encryptToEchoRps: 0.5,
    tracingAt1PercentOverhead: 0.0025,
    metricsOverhead: -0.01,
    simulatedHsm32Lanes: 0.95,
    simulatedHsm64Lanes: 0.5,
    addedLatencyMs: 1,
    createKeyGrowth: 1.25,
  });
});

test('ratios without a measurement are refused', () => {
  expect(() => ratiosOf([], { openLoop, telemetry, createKey: [] })).toThrow('addon-encrypt@16 was not measured.');
});

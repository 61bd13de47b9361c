import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BenchArguments, parseBenchArguments, UsageError, usage } from './arguments.js';
import { buildAll, nativePrograms, requireBuilt } from './build.js';
import { compareMain } from './compare.js';
import { measureCreateKey } from './create-key-cost.js';
import { installGhz } from './ghz.js';
import { machineName, measuredCommit, thisMachine } from './machine.js';
import type { Measurement, Scenario } from './measurement.js';
import { measuredMethods } from './methods.js';
import { plotsOf } from './plot.js';
import { isInstalled, ProgramFailure } from './program.js';
import { shuffledBlocks } from './random-order.js';
import { type BenchReport, ratiosOf, summarise } from './report.js';
import { comparedLevel, type Plan, scenariosOf } from './scenarios.js';
import { asTable } from './table.js';
import { Workbench } from './workbench.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const resultsFolder = join(root, 'bench/results');

/** The warm-up of each method takes as long as V8 needs to optimise its code; a quick run makes do with most of it. */
const levels = {
  full: {
    addonLevels: [1, 4, 16, 64],
    serverLevels: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    keysOnToken: [100, 3_000],
    seconds: 4,
    warmUpSeconds: 5,
    telemetry: { warmUpRequests: 40_000, requestsPerSlice: 3_000, blocks: 20 },
    createKey: { levels: [30, 3_000], keysPerLevel: 60 },
  },
  quick: {
    addonLevels: [16],
    serverLevels: [1, 8, 32],
    keysOnToken: [],
    seconds: 0.4,
    warmUpSeconds: 1,
    telemetry: { warmUpRequests: 4_000, requestsPerSlice: 600, blocks: 2 },
    createKey: { levels: [30, 300], keysPerLevel: 30 },
  },
};

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function bench(options: BenchArguments): Promise<BenchReport> {
  if (!isInstalled('h2load')) throw new UsageError('h2load is missing: install the package nghttp2-client.');
  if (options.build) buildAll(progress);
  requireBuilt();
  const {
    seconds: planned,
    warmUpSeconds,
    telemetry: telemetryPlan,
    createKey: createKeyPlan,
    keysOnToken,
    ...chosen
  } = options.quick ? levels.quick : levels.full;
  const seconds = options.seconds ?? planned;
  const ghz = installGhz();
  const skipped = 'reason' in ghz ? [`ghz: ${ghz.reason}`] : [];
  for (const line of skipped) progress(`Skipped: ${line}`);
  const plan = { ...chosen, lanes: options.lanes, ghzPath: 'path' in ghz ? ghz.path : undefined };
  progress(`CreateKey with up to ${createKeyPlan.levels.at(-1)} keys on the token`);
  const createKey = await measureCreateKey(createKeyPlan);
  const workbench = await Workbench.start({ lanes: plan.lanes, keysOnToken });
  const [results, telemetry] = await stoppedAfter(workbench, async () => [
    summarise(await measureAll(workbench, plan, options.rounds, { seconds, warmUpSeconds })),
    await workbench.telemetry.measure(
      { ...telemetryPlan, inFlight: comparedLevel },
      nativePrograms.clientCertificateLibrary,
      progress,
    ),
  ]);
  return {
    machine: thisMachine(),
    date: new Date().toISOString(),
    commit: measuredCommit(root),
    note: options.note ?? null,
    rounds: options.rounds,
    seconds,
    lanes: options.lanes,
    skipped,
    results,
    telemetry,
    createKey,
    ratios: ratiosOf(results, telemetry, createKey),
  };
}

/** Cleans up in every case. */
async function stoppedAfter<T extends unknown[]>(
  workbench: Workbench,
  measure: () => Promise<[...T]>,
): Promise<[...T]> {
  try {
    return await measure();
  } finally {
    await workbench.stop();
  }
}

/**
 * Round by round, in random order: a temporary disturbance of the machine affects every scenario, and none always comes
 * after the same other one.
 */
async function measureAll(
  workbench: Workbench,
  plan: Plan,
  rounds: number,
  { seconds, warmUpSeconds }: { seconds: number; warmUpSeconds: number },
): Promise<Map<Scenario, Measurement[]>> {
  const blocks = scenariosOf(plan, workbench, nativePrograms);
  const measurements = new Map(blocks.flat().map((scenario) => [scenario, [] as Measurement[]]));
  await warmUp(blocks, warmUpSeconds);
  for (let round = 1; round <= rounds; round += 1) {
    for (const scenario of shuffledBlocks(blocks)) {
      const measurement = await scenario.measure(seconds);
      workbench.checkAudit();
      measurements.get(scenario)?.push(measurement);
      const figures = `${Math.round(measurement.rps)}/s, ${measurement.cpuMicrosPerRequest.toFixed(1)} µs CPU`;
      progress(`round ${round}/${rounds}  ${scenario.name}: ${figures}`);
    }
  }
  return measurements;
}

/**
 * V8 compiles the servers as they run; a server that has just started is not like one in production. A server that is
 * loaded with one method gets as much of it as the others get of all.
 */
async function warmUp(blocks: readonly (readonly Scenario[])[], seconds: number): Promise<void> {
  for (const scenario of blocks.flat()) {
    if (!scenario.name.endsWith(`-h2load@${comparedLevel}`)) continue;
    await scenario.measure(scenario.ofVariant === true ? seconds * measuredMethods.length : seconds);
  }
}

/** `bench/results/<date>-<machine>.json`, and the plots beside it. */
function store(report: BenchReport): void {
  mkdirSync(resultsFolder, { recursive: true });
  const name = join(resultsFolder, `${report.date.slice(0, 10)}-${machineName(report.machine)}`);
  const { throughput, latency } = plotsOf(report.results);
  writeFileSync(`${name}.json`, `${JSON.stringify(report, null, 2)}\n`);
  writeFileSync(`${name}-throughput.svg`, throughput);
  writeFileSync(`${name}-latency.svg`, latency);
  progress(`Stored as ${name}.json`);
}

async function main(): Promise<void> {
  const [command, ...parameters] = process.argv.slice(2);
  if (command === 'compare') {
    await compareMain(parameters, progress);
    return;
  }
  const options = parseBenchArguments(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(usage);
    return;
  }
  const report = await bench(options);
  if (options.store) store(report);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : asTable(report));
}

try {
  await main();
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\nnpm run bench -- --help tells the options.\n`);
    process.exitCode = 2;
  } else if (error instanceof ProgramFailure) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  } else throw error;
}

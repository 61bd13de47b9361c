import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BenchArguments, parseBenchArguments, UsageError, usage } from './arguments.js';
import { measureAttemptCost } from './attempt-cost.js';
import { nativePrograms, prepareBench } from './build.js';
import { compareMain } from './compare.js';
import { measureCreateKey } from './create-key-cost.js';
import { installGhz } from './ghz.js';
import { machineName, measuredCommit, thisMachine } from './machine.js';
import { ceilingOf, measureOpenLoop } from './open-loop.js';
import { plotsOf } from './plot.js';
import { ProgramFailure } from './program.js';
import { backupLines, measureBackups } from './backup.js';
import { measureReplication, replicationLines } from './replication.js';
import { type BenchReport, ratiosOf, summarise } from './report.js';
import { measureRounds, warmUp } from './rounds.js';
import { comparedLevel, scenariosOf } from './scenarios.js';
import { Regression, runSmoke, smokeTable } from './smoke.js';
import { asTable } from './table.js';
import type { Target } from './target.js';
import { TelemetryCost, type TelemetryPlan } from './telemetry-cost.js';
import type { TelemetryReport } from './telemetry-pairs.js';
import { Workbench } from './workbench.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const resultsFolder = join(root, 'bench/results');

/** The warm-up of a full run lets V8 optimise all code of a request, that of a quick run most of it. */
const levels = {
  full: {
    addonLevels: [1, 4, 16, 64],
    serverLevels: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    keysOnToken: [100, 3_000],
    seconds: 4,
    warmUpRequests: 20_000,
    telemetry: { warmUpRequests: 40_000, requestsPerSlice: 3_000, blocks: 20 },
    attempts: { inFlight: 16, warmUpOperations: 40_000, operationsPerSlice: 10_000, blocks: 20 },
    createKey: { levels: [30, 3_000], keysPerLevel: 60 },
    replication: {
      memberCounts: [1, 2, 3],
      levels: [30, 3_000],
      keysPerLevel: 60,
      reconciledKeys: 10_000,
      pairs: 15,
      encryptionsPerSlice: 20_000,
    },
    backup: { levels: [1_000, 10_000], pairs: 15, encryptionsPerSlice: 20_000 },
  },
  quick: {
    addonLevels: [16],
    serverLevels: [1, 8, 32],
    keysOnToken: [],
    seconds: 0.4,
    warmUpRequests: 3_000,
    telemetry: { warmUpRequests: 4_000, requestsPerSlice: 600, blocks: 2 },
    attempts: { inFlight: 16, warmUpOperations: 5_000, operationsPerSlice: 2_000, blocks: 2 },
    createKey: { levels: [30, 300], keysPerLevel: 30 },
    replication: {
      memberCounts: [1, 3],
      levels: [30, 300],
      keysPerLevel: 20,
      reconciledKeys: 300,
      pairs: 3,
      encryptionsPerSlice: 10_000,
    },
    backup: { levels: [100, 1_000], pairs: 3, encryptionsPerSlice: 10_000 },
  },
};

function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function bench(options: BenchArguments): Promise<BenchReport> {
  prepareBench(options.build, progress);
  const plan = options.quick ? levels.quick : levels.full;
  const ghz = installGhz();
  const skipped = 'reason' in ghz ? [`ghz: ${ghz.reason}`] : [];
  for (const line of skipped) progress(`Skipped: ${line}`);
  const seconds = options.seconds ?? plan.seconds;
  const { rounds, lanes, note } = options;
  progress(`CreateKey with up to ${plan.createKey.levels.at(-1)} keys on the token`);
  const createKey = await measureCreateKey(plan.createKey);
  progress(`Replicated keys, and up to ${plan.replication.reconciledKeys} of them for a fresh member`);
  const replication = await measureReplication(plan.replication);
  progress('Hedged and repeated attempts');
  const attempts = await measureAttemptCost(plan.attempts);
  const workbench = await Workbench.start({ lanes, keysOnToken: plan.keysOnToken });
  try {
    const ghzPath = 'path' in ghz ? ghz.path : undefined;
    const { addonLevels, serverLevels } = plan;
    const blocks = scenariosOf({ lanes, addonLevels, serverLevels, ghzPath }, workbench, nativePrograms);
    const pace = { rounds, seconds, check: () => workbench.checkAudit(), progress };
    await warmUp(blocks, plan.warmUpRequests);
    const results = summarise(await measureRounds(blocks, pace));
    const openLoop = await measureOpenLoop(openLoopTargets(workbench), {
      ...pace,
      closedCeilingRps: ceilingOf(results),
    });
    const telemetry = await measureTelemetry(workbench, plan.telemetry);
    return {
      machine: thisMachine(),
      date: new Date().toISOString(),
      commit: measuredCommit(root),
      note: note ?? null,
      ...{ rounds, seconds, lanes, skipped, results, openLoop, telemetry, attempts, createKey, replication },
      ratios: ratiosOf(results, { openLoop, telemetry, createKey }),
    };
  } finally {
    await workbench.stop();
  }
}

function openLoopTargets({ echo, holdfast }: Workbench): Record<string, Target> {
  return { echo: echo.target('encrypt'), encrypt: holdfast.target('encrypt') };
}

/** Servers on the workbench's token and key, in one process that ends with this one. */
async function measureTelemetry(
  { holdfast }: Workbench,
  plan: Omit<TelemetryPlan, 'inFlight'>,
): Promise<TelemetryReport> {
  const telemetry = await TelemetryCost.start(holdfast.deployment, holdfast.target('encrypt'));
  try {
    const inFlight = comparedLevel;
    return await telemetry.measure({ ...plan, inFlight }, nativePrograms.clientCertificateLibrary, progress);
  } finally {
    telemetry.stop();
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

async function smoke({ build, json, lanes }: BenchArguments): Promise<void> {
  prepareBench(build, progress);
  const report = await runSmoke(lanes, progress);
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : smokeTable(report));
}

/** `npm run bench -- replication`: this part alone. */
async function replicationMain(parameters: readonly string[]): Promise<void> {
  const { help, build, quick, json } = parseBenchArguments(parameters);
  if (help) {
    process.stdout.write(usage);
    return;
  }
  prepareBench(build, progress);
  const report = await measureReplication((quick ? levels.quick : levels.full).replication);
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${replicationLines(report).join('\n')}\n`);
}

/** `npm run bench -- backup`: backups alone. */
async function backupMain(parameters: readonly string[]): Promise<void> {
  const { help, build, quick, json } = parseBenchArguments(parameters);
  if (help) {
    process.stdout.write(usage);
    return;
  }
  prepareBench(build, progress);
  const report = await measureBackups((quick ? levels.quick : levels.full).backup);
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : `${backupLines(report).join('\n')}\n`);
}

async function main(): Promise<void> {
  const [command, ...parameters] = process.argv.slice(2);
  if (command === 'replication') {
    await replicationMain(parameters);
    return;
  }
  if (command === 'backup') {
    await backupMain(parameters);
    return;
  }
  if (command === 'compare') {
    await compareMain(parameters, progress);
    return;
  }
  const options = parseBenchArguments(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(usage);
    return;
  }
  if (options.smoke) {
    await smoke(options);
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
  } else if (error instanceof ProgramFailure || error instanceof Regression) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  } else throw error;
}

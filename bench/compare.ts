import { fileURLToPath } from 'node:url';
import { nativePrograms, prepareBench } from './build.js';
import { checkOut, type Checkout, requireCommitted, resolveCommit } from './checkout.js';
import { type CompareArguments, compareUsage, parseCompareArguments } from './compare-arguments.js';
import {
  comparedRow,
  comparisonTable,
  type ComparedRounds,
  type CompareReport,
  type Side,
  sides,
} from './compare-report.js';
import { Echo } from './echo.js';
import { measureWithH2load, sendWithH2load } from './h2load.js';
import { thisMachine } from './machine.js';
import { MeasuredServer } from './measured-server.js';
import type { Measurement } from './measurement.js';
import { measuredMethods, type MethodName } from './methods.js';
import { shuffled, shuffledBlocks } from './random-order.js';
import { comparedLevel } from './scenarios.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Each method with many requests in flight; Encrypt also with one and eight. */
const rows: readonly { method: MethodName; inFlight: number }[] = [
  { method: 'encrypt', inFlight: 1 },
  { method: 'encrypt', inFlight: 8 },
  ...measuredMethods.map(({ name }) => ({ method: name, inFlight: comparedLevel })),
];

type Progress = (line: string) => void;
type Servers = Readonly<Record<Side, MeasuredServer | Echo>>;

/** `npm run bench -- compare …`. @throws UsageError, ProgramFailure */
export async function compareMain(parameters: readonly string[], progress: Progress): Promise<void> {
  const options = parseCompareArguments(parameters);
  if (options.help) {
    process.stdout.write(compareUsage);
    return;
  }
  const report = await compare(options, progress);
  process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : comparisonTable(report));
}

async function compare(options: CompareArguments, progress: Progress): Promise<CompareReport> {
  const [before = '', after = ''] = options.commits.map((name) => resolveCommit(root, name));
  requireCommitted(root);
  prepareBench(options.build, progress);
  const checkouts: Checkout[] = [];
  try {
    for (const commit of new Set([before, after])) checkouts.push(await checkOut(root, commit, progress));
    const programOf = (commit: string) => checkouts.find((checkout) => checkout.commit === commit)?.program;
    const measured = await withServers(options, [programOf(before), programOf(after)], (servers) =>
      measureRounds(options, servers, progress),
    );
    const { rounds, seconds, lanes, cheapToken } = options;
    return {
      machine: thisMachine(),
      date: new Date().toISOString(),
      ...{ before, after, rounds, seconds, lanes, cheapToken },
      rows: [...measured].map(([name, ofRow]) => comparedRow(name, ofRow)),
    };
  } finally {
    for (const checkout of checkouts) checkout.remove();
  }
}

/** Runs the servers of both commits, and the echo, which repeats the answers of the first commit's server. */
async function withServers<T>(
  { lanes, cheapToken }: CompareArguments,
  programs: readonly (string | undefined)[],
  work: (servers: Servers) => Promise<T>,
): Promise<T> {
  const started: { stop(): Promise<void> | void }[] = [];
  const start = async (program: string | undefined) => {
    const server = await MeasuredServer.start({ lanes, cheapToken, program });
    started.push(server);
    return server;
  };
  try {
    const [before, after] = [await start(programs[0]), await start(programs[1])];
    const echo = await Echo.start(before);
    started.push(echo);
    return await work({ before, after, echo });
  } finally {
    for (const server of started) await server.stop();
  }
}

/** Every round has new processes: two processes of one server differ by more than most changes. */
async function measureRounds(
  options: CompareArguments,
  servers: Servers,
  progress: Progress,
): Promise<Map<string, ComparedRounds>> {
  const { rounds, seconds } = options;
  const measured = new Map<(typeof rows)[number], Record<Side, Measurement[]>>(
    rows.map((row) => [row, { before: [], after: [], echo: [] }]),
  );
  const blocks = rows.map((row) => sides.map((side) => ({ row, side })));
  for (let round = 1; round <= rounds; round += 1) {
    if (round > 1) for (const side of shuffled(sides)) await servers[side].restart();
    await warmUp(servers, options.warmUpRequests);
    for (const { row, side } of shuffledBlocks(blocks)) {
      const measurement = await measure(servers[side], row.method, row.inFlight, seconds);
      measured.get(row)?.[side].push(measurement);
      const figures = `${Math.round(measurement.rps)}/s, ${measurement.cpuMicrosPerRequest.toFixed(1)} µs CPU`;
      progress(`round ${round}/${rounds}  ${row.method}@${row.inFlight} ${side}: ${figures}`);
    }
  }
  return new Map([...measured].map(([{ method, inFlight }, ofRow]) => [`${method}@${inFlight}`, ofRow]));
}

async function warmUp(servers: Servers, requests: number): Promise<void> {
  for (const side of shuffled(sides)) {
    for (const { name } of measuredMethods) {
      await sendWithH2load(
        servers[side].target(name),
        nativePrograms.clientCertificateLibrary,
        comparedLevel,
        requests,
      );
    }
  }
}

async function measure(
  server: MeasuredServer | Echo,
  method: MethodName,
  inFlight: number,
  seconds: number,
): Promise<Measurement> {
  const library = nativePrograms.clientCertificateLibrary;
  const measurement = await measureWithH2load(server.target(method), library, inFlight, seconds);
  if (server instanceof MeasuredServer) server.checkAudit();
  return measurement;
}

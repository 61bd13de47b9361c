import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Measurement } from './measurement.js';
import { ProgramFailure, runProgram } from './program.js';
import { percentile } from './statistics.js';
import { pathOf, type Target } from './target.js';
import { perOperation, withThreadUse } from './thread-cpu.js';

/** The maximum number of connections that carry the load; the requests in flight are spread over them. */
const maxConnections = 8;

/** If no answer comes for longer than this, a busy machine cannot be the reason. */
const maxSeconds = 10;

/** How `inFlight` requests are spread: one connection each, then streams on them. */
export function spread(inFlight: number): { connections: number; streams: number } {
  const connections = Math.min(maxConnections, inFlight);
  if (inFlight % connections !== 0) throw new Error(`${inFlight} is no multiple of ${connections} connections.`);
  return { connections, streams: inFlight / connections };
}

/** Loads a server with h2load, to which `clientCertificateLibrary` gives the client's certificate. */
export async function measureWithH2load(
  target: Target,
  clientCertificateLibrary: string,
  inFlight: number,
  seconds: number,
): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  const logPath = join(folder, 'requests.tsv');
  const amount = ['--duration', `${Math.round(seconds * 1000)}ms`, '--log-file', logPath];
  try {
    const { result, use } = await withThreadUse(target.pid, () =>
      runH2load(target, clientCertificateLibrary, inFlight, amount),
    );
    const { succeeded, elapsedSeconds } = result;
    if (succeeded === 0) {
      if (seconds > maxSeconds) throw new Error(`Nothing was answered in ${seconds} s.`);
      return await measureWithH2load(target, clientCertificateLibrary, inFlight, 2 * seconds);
    }
    return {
      rps: succeeded / elapsedSeconds,
      ...perOperation(use, succeeded),
      latencyMs: latenciesOf(readFileSync(logPath, 'utf8')),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Sends exactly this many requests, and resolves when all have been answered. */
export async function sendWithH2load(
  target: Target,
  clientCertificateLibrary: string,
  inFlight: number,
  requests: number,
): Promise<void> {
  const { succeeded } = await runH2load(target, clientCertificateLibrary, inFlight, ['--requests', String(requests)]);
  if (succeeded !== requests) throw new Error(`Of ${requests} requests ${succeeded} were answered.`);
}

async function runH2load(
  target: Target,
  clientCertificateLibrary: string,
  inFlight: number,
  amount: readonly string[],
): Promise<ReturnType<typeof parseH2load>> {
  const { connections, streams } = spread(inFlight);
  const parameters = [
    ...['--clients', String(connections), '--max-concurrent-streams', String(streams), '--threads', '1'],
    ...amount,
    ...['--data', target.framePath, '--header', 'content-type: application/grpc', '--header', 'te: trailers'],
    `https://127.0.0.1:${target.port}${pathOf(target)}`,
  ];
  const environment = {
    LD_PRELOAD: clientCertificateLibrary,
    HOLDFAST_BENCH_CERTIFICATE: target.clientCertificatePath,
    HOLDFAST_BENCH_KEY: target.clientKeyPath,
  };
  const output = await runProgram({ program: 'h2load', parameters, environment });
  const parsed = parseH2load(output);
  if (parsed.failed > 0) throw new ProgramFailure('h2load', 'saw failures', output);
  return parsed;
}

/**
 * The figures in the output of h2load.
 * @throws ProgramFailure if they are not in it: h2load has ended early
 */
export function parseH2load(output: string): { succeeded: number; failed: number; elapsedSeconds: number } {
  const finished = /^finished in ([\d.]+)(us|ms|s|m|h),/m.exec(output);
  const requests = /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/m.exec(output);
  if (finished === null || requests === null) throw new ProgramFailure('h2load', 'printed no result', output);
  const unitSeconds = { us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 }[finished[2] ?? ''] ?? Number.NaN;
  const [succeeded = 0, ...failures] = requests.slice(1).map(Number);
  return {
    succeeded,
    failed: failures.reduce((sum, count) => sum + count, 0),
    elapsedSeconds: Number(finished[1]) * unitSeconds,
  };
}

/** The requests in h2load's `--log-file`: start (µs), HTTP status, duration (µs), one line per request. */
export function latenciesOf(log: string): Measurement['latencyMs'] {
  const durationsMs = log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split('\t')[2]) / 1000);
  return { p50: percentile(durationsMs, 0.5), p99: percentile(durationsMs, 0.99) };
}

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { spread } from './h2load.js';
import type { Measurement } from './measurement.js';
import { runProgram } from './program.js';
import { service, type Target } from './target.js';
import { perOperation, withThreadUse } from './thread-cpu.js';

const installer = fileURLToPath(new URL('../scripts/install-go-program.mjs', import.meta.url));
/** Descriptors of the services, written by the build. */
const descriptors = fileURLToPath(new URL('../dist/faces/grpc/gen/descriptor.binpb', import.meta.url));

/** Path of ghz, which is installed if missing, or why it is unavailable. */
export function installGhz(): { path: string } | { reason: string } {
  try {
    return { path: execFileSync(process.execPath, [installer, 'ghz'], { encoding: 'utf8', stdio: 'pipe' }).trim() };
  } catch (error) {
    return { reason: (error as { stderr: string }).stderr.trim() };
  }
}

/** Loads a server with ghz: a complete gRPC client in Go, which takes about as much CPU as the server. */
export async function measureWithGhz(
  ghzPath: string,
  target: Target,
  inFlight: number,
  seconds: number,
): Promise<Measurement> {
  const { result, use } = await withThreadUse(target.pid, () =>
    runProgram({ program: ghzPath, parameters: ghzParameters(target, inFlight, seconds) }),
  );
  const { count, ...measurement } = parseGhz(result);
  return {
    ...measurement,
    ...perOperation(use, count),
  };
}

function ghzParameters(target: Target, inFlight: number, seconds: number): string[] {
  return [
    ...['--protoset', descriptors, '--call', `${service}.${target.method}`],
    ...['--binary-file', target.messagePath],
    ...['--cacert', target.authorityPath, '--cert', target.clientCertificatePath, '--key', target.clientKeyPath],
    ...['--connections', String(spread(inFlight).connections), '--concurrency', String(inFlight)],
    ...['--duration', `${Math.round(seconds * 1000)}ms`, '--duration-stop', 'wait', '--format', 'json'],
    `localhost:${target.port}`,
  ];
}

interface GhzReport {
  count: number;
  rps: number;
  statusCodeDistribution: Record<string, number>;
  latencyDistribution: { percentage: number; latency: number }[];
}

/** The figures in ghz's JSON. Throws if a call was not answered OK. */
export function parseGhz(output: string): { count: number; rps: number; latencyMs: Measurement['latencyMs'] } {
  const report = JSON.parse(output) as GhzReport;
  const { OK: count = 0, ...others } = report.statusCodeDistribution;
  if (count === 0 || Object.keys(others).length > 0) {
    throw new Error(`ghz saw ${JSON.stringify(report.statusCodeDistribution)}.`);
  }
  const at = (wanted: number): number => {
    const found = report.latencyDistribution.find(({ percentage }) => percentage === wanted);
    if (found === undefined) throw new Error(`ghz tells no percentile ${wanted}.`);
    return found.latency / 1e6;
  };
  return { count, rps: report.rps, latencyMs: { p50: at(50), p99: at(99) } };
}

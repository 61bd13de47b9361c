import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Message } from '../test/e2e/client.js';
import type { Deployment } from '../test/e2e/deployment.js';
import { requireNoRefusals } from './audit-check.js';
import { sendWithH2load } from './h2load.js';
import { preflight } from './preflight.js';
import { startProcess, whenReady } from './processes.js';
import { shuffled } from './random-order.js';
import { SpanReceiver } from './span-receiver.js';
import { median } from './statistics.js';
import type { Target } from './target.js';
import {
  blockOf,
  comparedNames,
  type Pairs,
  ratioOf,
  sampleRatios,
  type ServerName,
  serverNames,
  type TelemetryReport,
  telemetryReport,
} from './telemetry-pairs.js';

export interface TelemetryPlan {
  inFlight: number;
  /** Requests to each server before the measurement: V8 must have optimised the code of a request. */
  warmUpRequests: number;
  requestsPerSlice: number;
  /** Blocks of each comparison; a block has two pairs. */
  blocks: number;
}

interface ComparedServer {
  target: Target;
  auditPath: string;
}

type Servers = Readonly<Record<ServerName, ComparedServer>>;

/**
 * Servers that differ only in their telemetry, in one process (`telemetry-server.mjs`), of which one is loaded at a
 * time. They use the tokens, the catalog and the key of the workbench.
 */
export class TelemetryCost {
  readonly #child: ChildProcess;
  readonly #receiver: SpanReceiver;
  readonly #output: () => string;
  readonly #servers: Servers;

  static async start(deployment: Deployment, shared: Omit<Target, 'port' | 'pid'>): Promise<TelemetryCost> {
    const receiver = await SpanReceiver.start();
    const configurations = writeConfigurations(deployment, receiver.endpoint);
    const logPath = join(deployment.folder, 'telemetry-server.log');
    const child = startChild(
      configurations.map(({ path }) => path),
      logPath,
    );
    const output = () => readFileSync(logPath, 'utf8');
    const told = nextMessage<{ ports: number[] }>(child);
    const { ports } = await whenReady('The process of the telemetry servers', told, output, child);
    const servers = configurations.map(({ name, auditPath }, index) => {
      return [name, { auditPath, target: { ...shared, port: ports[index] ?? 0, pid: child.pid ?? 0 } }];
    });
    const cost = new TelemetryCost(child, receiver, output, Object.fromEntries(servers) as Servers);
    await whenReady('A key store of the telemetry servers', cost.#allAnswer(), output, child);
    return cost;
  }

  private constructor(child: ChildProcess, receiver: SpanReceiver, output: () => string, servers: Servers) {
    this.#child = child;
    this.#receiver = receiver;
    this.#output = output;
    this.#servers = servers;
  }

  /** Throws if a request was refused, or nothing was traced: the measurement is then void. */
  async measure(
    plan: TelemetryPlan,
    clientCertificateLibrary: string,
    progress: (line: string) => void,
  ): Promise<TelemetryReport> {
    const send = (name: ServerName, requests: number) =>
      this.#send(name, requests, plan.inFlight, clientCertificateLibrary);
    for (const name of serverNames) await send(name, plan.warmUpRequests);
    const pairs: Pairs = { control: [], tracing: [], tracingAll: [], metrics: [] };
    const { exportMicros: exportedBefore } = await this.#used('export');
    for (let block = 1; block <= plan.blocks; block += 1) {
      for (const name of shuffled(comparedNames)) {
        pairs[name].push(...(await blockOf(name, (server) => send(server, plan.requestsPerSlice))));
      }
      const soFar = comparedNames.map((name) => `${name} ${median(pairs[name].map(ratioOf)).toFixed(3)}`);
      progress(`telemetry ${block}/${plan.blocks}  CPU ÷ plain so far: ${soFar.join(', ')}`);
    }
    const { exportMicros } = await this.#used('export');
    if (this.#receiver.bytes === 0) throw new Error('The traced server has sent no spans.');
    const { requestsPerSlice } = plan;
    const traced = pairs.tracing.length * sampleRatios.tracing + pairs.tracingAll.length * sampleRatios.tracingAll;
    return telemetryReport(pairs, {
      requestsPerSlice,
      exportMicrosPerTracedRequest: (exportMicros - exportedBefore) / (traced * requestsPerSlice),
    });
  }

  stop(): void {
    this.#child.kill('SIGKILL');
    this.#receiver.close();
  }

  /** @returns the CPU time of a request, in microseconds, without the export of spans. */
  async #send(name: ServerName, requests: number, inFlight: number, clientCertificateLibrary: string): Promise<number> {
    const { target, auditPath } = this.#servers[name];
    const before = await this.#used();
    await sendWithH2load(target, clientCertificateLibrary, inFlight, requests);
    const after = await this.#used();
    requireNoRefusals(auditPath);
    return (after.cpuMicros - before.cpuMicros) / requests;
  }

  async #used(message: 'used' | 'export' = 'used'): Promise<{ cpuMicros: number; exportMicros: number }> {
    const answer = nextMessage<{ cpuMicros: number; exportMicros: number }>(this.#child);
    this.#child.send(message);
    return whenReady('The answer of the telemetry servers', answer, this.#output, this.#child);
  }

  async #allAnswer(): Promise<void> {
    for (const { target, auditPath } of Object.values(this.#servers)) {
      await answered(target);
      // Requests that came before the key store was connected are not failures of the load.
      truncateSync(auditPath);
    }
  }
}

async function answered(target: Target): Promise<void> {
  for (;;) {
    try {
      await preflight(target);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function startChild(configurationPaths: readonly string[], logPath: string): ChildProcess {
  const log = openSync(logPath, 'a');
  const script = fileURLToPath(new URL('telemetry-server.mjs', import.meta.url));
  const child = startProcess(process.execPath, [script, ...configurationPaths], {
    stdio: ['ignore', 'ignore', log, 'ipc'],
  });
  closeSync(log);
  return child;
}

/** The next message of `telemetry-server.mjs`. */
async function nextMessage<Message>(child: ChildProcess): Promise<Message> {
  const [message] = (await once(child, 'message')) as [Message];
  return message;
}

interface WrittenConfiguration {
  name: ServerName;
  path: string;
  auditPath: string;
}

function writeConfigurations(deployment: Deployment, tracesEndpoint: string): WrittenConfiguration[] {
  const telemetry: Record<ServerName, Message> = {
    plain: {},
    control: {},
    tracing: { tracing: { endpoint: tracesEndpoint, sampleRatio: sampleRatios.tracing } },
    tracingAll: { tracing: { endpoint: tracesEndpoint, sampleRatio: sampleRatios.tracingAll } },
    metrics: { metrics: { port: 0 } },
  };
  return serverNames.map((name) => {
    const configuration = parse(readFileSync(deployment.configurationPath, 'utf8')) as Message;
    const auditPath = join(deployment.folder, `audit-${name}.log`);
    const path = join(deployment.folder, `${name}.yaml`);
    configuration['telemetry'] = { logLevel: 'info', ...telemetry[name] };
    configuration['audit'] = { file: auditPath };
    // One socket has one server.
    configuration['listeners'] = (configuration['listeners'] as Message[]).filter(({ kind }) => kind === 'tls');
    writeFileSync(path, stringify(configuration));
    return { name, path, auditPath };
  });
}

import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EncryptRequest } from '../src/faces/grpc/gen/holdfast/kms/v1/cryptography_service.js';
import { issueServerCertificate } from '../test/certificates.js';
import { type ClusterOfTest, Deployment, type SpawnedServer } from '../test/e2e/deployment.js';
import type { Message } from '../test/e2e/client.js';
import type { EchoOptions } from './echo-server.js';
import { requireNoRefusals } from './audit-check.js';
import { preflight } from './preflight.js';
import { exitOnSignals, startProcess, whenReady } from './processes.js';
import { collect } from './program.js';
import { grpcFrame, type Target } from './target.js';
import { TelemetryCost } from './telemetry-cost.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';

/** Length of the plaintext in all scenarios. */
export const plaintextBytes = 32;
const alias = 'alias/app';

export interface WorkbenchOptions {
  lanes: number;
  /** For the server's process. */
  environment?: NodeJS.ProcessEnv;
}

/**
 * All measured parts, running: SoftHSM with a token for the server and one for the addon and the raw loop, the server
 * as an operator would run it, and the echo. The load is the user `app`, which may use one key through its alias.
 */
export class Workbench {
  readonly #deployment: Deployment;
  readonly #server: SpawnedServer;
  readonly #echo: ChildProcess;
  readonly #disposeAtExit: () => void;
  /** The real server. */
  readonly holdfast: Target;
  readonly echo: Target;
  /** The real server with and without tracing and metrics. */
  readonly telemetry: TelemetryCost;

  static async start(options: WorkbenchOptions): Promise<Workbench> {
    const deployment = new Deployment({
      customClusters: ['bench'],
      configure: (configuration) => configure(configuration, options.lanes),
    });
    // Also when the bench is interrupted, or fails outside a caller: no server outlives it.
    const disposeAtExit = () => deployment.dispose();
    process.once('exit', disposeAtExit);
    exitOnSignals();
    try {
      return new Workbench(deployment, disposeAtExit, await startOn(deployment, options));
    } catch (error) {
      process.off('exit', disposeAtExit);
      deployment.dispose();
      throw error;
    }
  }

  private constructor(deployment: Deployment, disposeAtExit: () => void, started: Started) {
    this.#deployment = deployment;
    this.#disposeAtExit = disposeAtExit;
    this.#server = started.server;
    this.#echo = started.echo.child;
    this.holdfast = started.holdfast;
    this.echo = started.echo.target;
    this.telemetry = started.telemetry;
  }

  get softHsm(): { libraryPath: string; environment: { SOFTHSM2_CONF: string }; directory: string } {
    return this.#deployment.softHsm;
  }

  /** The token that the server does not use. */
  get benchToken(): ClusterOfTest {
    return this.#deployment.customCluster;
  }

  /** Throws if a request to the real server has failed since the last call. */
  checkAudit(): void {
    requireNoRefusals(this.#deployment.auditPath);
  }

  async stop(): Promise<void> {
    this.#echo.kill();
    this.telemetry.stop();
    try {
      await this.#server.end('SIGTERM');
    } finally {
      process.off('exit', this.#disposeAtExit);
      this.#deployment.dispose();
    }
  }
}

interface Started {
  server: SpawnedServer;
  holdfast: Target;
  echo: StartedEcho;
  telemetry: TelemetryCost;
}

/** Like a production deployment: the log has what an operator must know, and the audit file is on a disk. */
function configure(configuration: Message, lanes: number): void {
  configuration['telemetry'] = { logLevel: 'info' };
  for (const cluster of configuration['clusters'] as { members: { lanes: number }[] }[]) {
    for (const member of cluster.members) member.lanes = lanes;
  }
}

async function startOn(deployment: Deployment, options: WorkbenchOptions): Promise<Started> {
  const server = await deployment.spawn(options.environment);
  const operator = server.client('operator');
  const log = () => readFileSync(deployment.logPath, 'utf8');
  await whenReady("The server's key store", server.defaultKeyStoreConnected(operator), log, server.child);
  // Requests that came before the key store was connected are not failures of the load.
  truncateSync(deployment.auditPath);
  const created = await operator.call('CreateKey', {});
  const { key_id: keyId } = created['key_metadata'] as Message;
  await operator.call('CreateAlias', { alias_name: alias, target_key_id: keyId });
  const shared = { ...writeRequest(deployment), ...clientFiles(deployment) };
  const holdfast = { ...shared, ...placeOf(server) };
  const response = await preflight(holdfast);
  const echo = await startEcho(deployment, response, shared);
  await preflight(echo.target);
  return { server, holdfast, echo, telemetry: await TelemetryCost.start(deployment, shared) };
}

function placeOf(server: SpawnedServer): { port: number; pid: number } {
  return { port: server.port, pid: pidOf(server.child) };
}

function clientFiles(deployment: Deployment) {
  const { certificatePath, keyPath } = deployment.certificateOf('app');
  const authorityPath = deployment.authority.certificatePath;
  return { authorityPath, clientCertificatePath: certificatePath, clientKeyPath: keyPath };
}

function writeRequest(deployment: Deployment) {
  const plaintext = randomBytes(plaintextBytes);
  const message = EncryptRequest.encode(EncryptRequest.fromPartial({ keyId: alias, plaintext })).finish();
  const messagePath = join(deployment.folder, 'request.message');
  const framePath = join(deployment.folder, 'request.frame');
  writeFileSync(messagePath, message);
  writeFileSync(framePath, grpcFrame(message));
  return { messagePath, framePath };
}

interface StartedEcho {
  child: ChildProcess;
  target: Target;
}

async function startEcho(
  deployment: Deployment,
  response: Buffer,
  shared: Omit<Target, 'port' | 'pid'>,
): Promise<StartedEcho> {
  const { certificatePath, keyPath } = issueServerCertificate(deployment.authority);
  const clientAuthorityPath = deployment.authority.certificatePath;
  const options: EchoOptions = { certificatePath, keyPath, clientAuthorityPath, response: response.toString('base64') };
  const script = fileURLToPath(new URL('echo-server.ts', import.meta.url));
  const child = startProcess(process.execPath, ['--import', typescriptHooks, script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: withoutHooks(),
  });
  if (child.stdout === null) throw new Error('The echo server has no output.');
  const [line] = (await whenReady('The echo server', once(child.stdout, 'data'), collect(child.stderr), child)) as [
    Buffer,
  ];
  return { child, target: { ...shared, port: Number(line.toString()), pid: pidOf(child) } };
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('The process did not start.');
  return child.pid;
}

import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EncryptRequest } from '../src/faces/grpc/gen/holdfast/kms/v1/cryptography_service.js';
import { issueServerCertificate } from '../test/certificates.js';
import { type ClusterOfTest, Deployment, type SpawnedServer } from '../test/e2e/deployment.js';
import type { Message } from '../test/e2e/client.js';
import type { EchoOptions } from './echo-server.js';
import { ObservedServers } from './observed-servers.js';
import { preflight } from './preflight.js';
import { grpcFrame, type Target } from './target.js';

/** Length of the plaintext that everything encrypts. */
export const plaintextBytes = 32;
const alias = 'alias/app';

export const typescriptHooks = fileURLToPath(new URL('../test/contract/typescript-hooks.mjs', import.meta.url));

export interface WorkbenchOptions {
  lanes: number;
  /** For the server's process. */
  environment?: NodeJS.ProcessEnv;
}

/**
 * Everything that is measured, running: SoftHSM with a token for the server and one for the addon and the raw loop, the
 * server as an operator would run it, and the echo. The load is the user `app`, which may use one key through its alias.
 */
export class Workbench {
  readonly #deployment: Deployment;
  readonly #server: SpawnedServer;
  readonly #echo: ChildProcess;
  readonly #observed: ObservedServers;
  /** The real server. */
  readonly holdfast: Target;
  readonly echo: Target;
  /** The real server with 1 % of its requests traced. */
  readonly traced: Target;
  /** The real server with metrics. */
  readonly counted: Target;

  static async start(options: WorkbenchOptions): Promise<Workbench> {
    const deployment = new Deployment({
      customClusters: ['bench'],
      configure: (configuration) => configure(configuration, options.lanes),
    });
    try {
      return await startOn(deployment, options);
    } catch (error) {
      deployment.dispose();
      throw error;
    }
  }

  constructor(
    deployment: Deployment,
    server: SpawnedServer,
    holdfast: Target,
    echo: StartedEcho,
    observed: ObservedServers,
  ) {
    this.#deployment = deployment;
    this.#server = server;
    this.#echo = echo.child;
    this.holdfast = holdfast;
    this.echo = echo.target;
    this.#observed = observed;
    this.traced = { ...holdfast, ...placeOf(observed.traced.server) };
    this.counted = { ...holdfast, ...placeOf(observed.counted.server) };
  }

  get softHsm(): { libraryPath: string; environment: { SOFTHSM2_CONF: string }; directory: string } {
    return this.#deployment.softHsm;
  }

  /** The token that the server does not use. */
  get benchToken(): ClusterOfTest {
    return this.#deployment.customCluster;
  }

  /**
   * Throws where the audit log tells of a request that did not succeed: h2load counts those too. Then empties the log,
   * which a fast server fills with gigabytes.
   */
  checkAudit(): void {
    const { traced, counted } = this.#observed;
    for (const path of [this.#deployment.auditPath, traced.auditPath, counted.auditPath]) {
      const refused = readFileSync(path, 'utf8').split('\n').filter(isRefusal);
      truncateSync(path);
      if (refused.length > 0) throw new Error(`${refused.length} requests were refused, e.g. ${refused[0]}`);
    }
  }

  async stop(): Promise<void> {
    this.#echo.kill();
    await this.#observed.stop();
    await this.#server.end('SIGTERM');
    this.#deployment.dispose();
  }
}

/** What h2load had in flight when its time was over, it cancels. */
function isRefusal(line: string): boolean {
  const isFine = ['"outcome":"success"', '"errorCode":"CANCELLED"', '"notice":'].some((sign) => line.includes(sign));
  return line !== '' && !isFine;
}

/** As a deployment in production: the log says what an operator must know, and the audit file is on a disk. */
function configure(configuration: Message, lanes: number): void {
  configuration['telemetry'] = { logLevel: 'info' };
  for (const cluster of configuration['clusters'] as { members: { lanes: number }[] }[]) {
    for (const member of cluster.members) member.lanes = lanes;
  }
}

async function startOn(deployment: Deployment, options: WorkbenchOptions): Promise<Workbench> {
  const server = await deployment.spawn(options.environment);
  const operator = server.client('operator');
  await server.defaultKeyStoreConnected(operator);
  // Requests that came before the key store was there are no failures of the load.
  truncateSync(deployment.auditPath);
  const created = await operator.call('CreateKey', {});
  const { key_id: keyId } = created['key_metadata'] as Message;
  await operator.call('CreateAlias', { alias_name: alias, target_key_id: keyId });
  const shared = { ...writeRequest(deployment), ...clientFiles(deployment) };
  const holdfast = { ...shared, ...placeOf(server) };
  const response = await preflight(holdfast);
  const echo = await startEcho(deployment, response, shared);
  await preflight(echo.target);
  return new Workbench(deployment, server, holdfast, echo, await ObservedServers.start(deployment));
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
  const child = spawn(process.execPath, ['--import', typescriptHooks, script, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: withoutHooks(),
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (line: Buffer) => resolve(Number(line.toString())));
    child.once('exit', () => reject(new Error('The echo server ended.')));
  });
  return { child, target: { ...shared, port, pid: pidOf(child) } };
}

/** The hooks mark the process that they run in; a child must register its own. */
export function withoutHooks(): NodeJS.ProcessEnv {
  return { ...process.env, HOLDFAST_TYPESCRIPT_HOOKS: undefined };
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('The process did not start.');
  return child.pid;
}

import type { ChildProcess } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EncryptResponse } from '../src/faces/grpc/gen/holdfast/kms/v1/cryptography_service.js';
import type { HoldfastClient, Message } from '../test/e2e/client.js';
import { Deployment, type SpawnedServer } from '../test/e2e/deployment.js';
import { requireNoRefusals } from './audit-check.js';
import { alias, type MeasuredMethod, measuredMethods, type MethodName } from './methods.js';
import { preflight } from './preflight.js';
import { exitOnSignals, whenReady } from './processes.js';
import { grpcFrame, type Target } from './target.js';

export interface MeasuredServerOptions {
  lanes: number;
  /** Environment variables for the server's process. */
  environment?: NodeJS.ProcessEnv;
  /** The compiled command; default: this working copy's. */
  program?: string | undefined;
  /** Keys on its token; default 1. */
  keysOnToken?: number;
  /** Whether the token encrypts at next to no cost, which shows the service's own share (docs/faults.md, `builtinCipher`). */
  cheapToken?: boolean;
}

/** The maximum number of keys being created at once. */
const creationsAtATime = 8;

/**
 * The server as an operator would run it, on a SoftHSM token of its own. The load is the user `app`, who may use one key
 * through its alias.
 */
export class MeasuredServer {
  /** The deployment. It also has a token that the server does not use: the custom cluster's. */
  readonly deployment: Deployment;
  readonly #options: MeasuredServerOptions;
  readonly #disposeAtExit: () => void;
  readonly #answers = new Map<MethodName, Buffer>();
  #server: SpawnedServer;

  static async start(options: MeasuredServerOptions): Promise<MeasuredServer> {
    const cheapToken = options.cheapToken ?? false;
    const deployment = new Deployment({
      customClusters: ['bench'],
      faulty: cheapToken ? ['default'] : [],
      configure: (configuration) => configure(configuration, options.lanes),
    });
    // No server outlives the bench, even if it is interrupted, or fails outside a caller.
    const disposeAtExit = () => deployment.dispose();
    process.once('exit', disposeAtExit);
    exitOnSignals();
    try {
      if (cheapToken) deployment.fault('default').set('builtinCipher', 1);
      const server = new MeasuredServer(deployment, options, disposeAtExit, await spawn(deployment, options));
      await server.#prepare();
      return server;
    } catch (error) {
      process.off('exit', disposeAtExit);
      deployment.dispose();
      throw error;
    }
  }

  private constructor(
    deployment: Deployment,
    options: MeasuredServerOptions,
    disposeAtExit: () => void,
    server: SpawnedServer,
  ) {
    this.deployment = deployment;
    this.#options = options;
    this.#disposeAtExit = disposeAtExit;
    this.#server = server;
  }

  /** What to load for a method. Valid until the next restart. */
  target(name: MethodName): Target {
    const { method } = methodNamed(name);
    const { certificatePath, keyPath } = this.deployment.certificateOf('app');
    return {
      port: this.#server.port,
      pid: pidOf(this.#server.child),
      method,
      authorityPath: this.deployment.authority.certificatePath,
      clientCertificatePath: certificatePath,
      clientKeyPath: keyPath,
      messagePath: join(this.deployment.folder, `${name}.message`),
      framePath: join(this.deployment.folder, `${name}.frame`),
    };
  }

  /** The response message to a method's request. */
  answerOf(name: MethodName): Buffer {
    const answer = this.#answers.get(name);
    if (answer === undefined) throw new Error(`${name} was not answered.`);
    return answer;
  }

  /** Throws if a request has failed since the last call. */
  checkAudit(): void {
    requireNoRefusals(this.deployment.auditPath);
  }

  /** Starts the server again in a new process: V8 compiles the same code differently in each. */
  async restart(): Promise<void> {
    await this.#server.end('SIGTERM');
    this.#server = await spawn(this.deployment, this.#options);
    await this.#connected();
  }

  async stop(): Promise<void> {
    try {
      await this.#server.end('SIGTERM');
    } finally {
      process.off('exit', this.#disposeAtExit);
      this.deployment.dispose();
    }
  }

  async #prepare(): Promise<void> {
    const operator = await this.#connected();
    const created = await operator.call('CreateKey', {});
    const { key_id: keyId } = created['key_metadata'] as Message;
    await operator.call('CreateAlias', { alias_name: alias, target_key_id: keyId });
    await createKeys(operator, (this.#options.keysOnToken ?? 1) - 1);
    let ciphertextBlob: Buffer = Buffer.alloc(0);
    for (const measured of measuredMethods) {
      const { name } = measured;
      const target = this.target(name);
      const message = measured.message(ciphertextBlob);
      writeFileSync(target.messagePath, message);
      writeFileSync(target.framePath, grpcFrame(message));
      this.#answers.set(name, await preflight(target));
      if (name === 'encrypt')
        ciphertextBlob = EncryptResponse.decode(this.answerOf(name)).ciphertextBlob ?? ciphertextBlob;
    }
  }

  async #connected(): Promise<HoldfastClient> {
    const operator = this.#server.client('operator');
    const log = () => readFileSync(this.deployment.logPath, 'utf8');
    const connected = this.#server.defaultKeyStoreConnected(operator);
    await whenReady("The server's key store", connected, log, this.#server.child);
    // Requests that came before the key store was connected are not failures of the load.
    truncateSync(this.deployment.auditPath);
    return operator;
  }
}

function spawn(deployment: Deployment, { environment, program }: MeasuredServerOptions): Promise<SpawnedServer> {
  return deployment.spawn(environment, { program });
}

/** A configuration like that of production: the log has what an operator must know, and the audit file is on a disk. */
function configure(configuration: Message, lanes: number): void {
  configuration['telemetry'] = { logLevel: 'info' };
  for (const cluster of configuration['clusters'] as { members: { lanes: number }[] }[]) {
    for (const member of cluster.members) member.lanes = lanes;
  }
}

async function createKeys(operator: HoldfastClient, count: number): Promise<void> {
  let left = count;
  const creator = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1;
      await operator.call('CreateKey', {});
    }
  };
  await Promise.all(Array.from({ length: creationsAtATime }, creator));
}

function methodNamed(name: MethodName): MeasuredMethod {
  const found = measuredMethods.find((method) => method.name === name);
  if (found === undefined) throw new Error(`There is no method ${name}.`);
  return found;
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('The process did not start.');
  return child.pid;
}

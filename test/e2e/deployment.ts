/** A whole deployment in a temporary folder: SoftHSM tokens, certificates, configuration, and servers on it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { stringify } from 'yaml';
import { compose } from '../../src/compose.js';
import type { HoldfastServer } from '../../src/composition/running-server.js';
import { loadConfiguration } from '../../src/config/load.js';
import { newClusterId } from '../../src/config/new-id.js';
import { resolveSecrets } from '../../src/config/secrets.js';
import type { CompositionOverrides } from '../../src/composition/foundation.js';
import { createLogger } from '../../src/telemetry/logger.js';
import { CertificateAuthority, type IssuedCertificate, issueServerCertificate } from '../certificates.js';
import { type FaultHsm, putFaultsBefore } from '../native/fault-hsm.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { HoldfastClient, type Message } from './client.js';
import { SecretLedger } from './secret-ledger.js';

/** The callers of a deployment. */
export type Caller = 'operator' | 'app' | 'stranger';

export const account = '111122223333';
export const region = 'eu-central-1';

/** The compiled command. */
export const commandLine = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** How often a starting server is polled, and how long: many times the need of a busy machine. */
const startPollMs = 20;
const startBoundMs = 60_000;

/** A random PIN of ASCII letters and digits. */
export function randomPin(): string {
  return `pin-${randomBytes(8).toString('hex')}`;
}

export interface ClusterOfTest {
  clusterId: string;
  tokenLabel: string;
  pin: string;
}

export interface DeploymentOptions {
  /** Names of custom clusters besides the default one; one token each. Default: one, `custom`. */
  customClusters?: string[];
  /** Names of the clusters (including `default`) that are reached through the fault-injecting module. Default: none. */
  faulty?: string[];
  /** Keys that the user `app` may use. Default `alias/app`. */
  appKeys?: string[];
  /** Changes the configuration before it is written. */
  configure?: (configuration: Message, defaultCluster: ClusterOfTest, customCluster: ClusterOfTest) => void;
}

export interface SpawnOptions {
  configurationPath?: string;
  /** Another version's compiled command. */
  program?: string | undefined;
}

export class Deployment {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'));
  readonly ledger = new SecretLedger();
  readonly authority = new CertificateAuthority();
  readonly otherAuthority = new CertificateAuthority('An authority that nobody trusts');
  readonly softHsm: SoftHsm;
  readonly defaultCluster: ClusterOfTest;
  readonly customClusters: readonly ClusterOfTest[];
  readonly configurationPath: string;
  readonly auditPath: string;
  readonly logPath: string;
  readonly trustAnchor: string;
  readonly #faults: ReadonlyMap<string, FaultHsm>;
  readonly #certificates = new Map<string, IssuedCertificate>();
  readonly #clients: HoldfastClient[] = [];
  readonly #children: ChildProcess[] = [];
  #errors = '';

  constructor(options: DeploymentOptions = {}) {
    const names = ['default', ...(options.customClusters ?? ['custom'])];
    const clusters = names.map((tokenLabel) => ({ clusterId: newClusterId(), tokenLabel, pin: randomPin() }));
    for (const { tokenLabel, pin } of clusters) this.ledger.add(`PIN of ${tokenLabel}`, pin);
    const [defaultCluster, ...customClusters] = clusters;
    if (defaultCluster === undefined) throw new Error('A deployment has a default cluster.');
    this.defaultCluster = defaultCluster;
    this.customClusters = customClusters;
    this.softHsm = createSoftHsm({
      tokens: clusters.map(({ tokenLabel, pin }) => ({ label: tokenLabel, userPin: pin })),
    });
    this.#faults = new Map((options.faulty ?? []).map((name) => [name, putFaultsBefore(this.softHsm, name)]));
    this.trustAnchor = this.authority.certificate.toString();
    this.auditPath = join(this.folder, 'audit.log');
    this.logPath = join(this.folder, 'server.log');
    this.configurationPath = join(this.folder, 'holdfast.yaml');
    this.#writeFiles(options);
  }

  /** The first custom cluster. */
  get customCluster(): ClusterOfTest {
    const [cluster] = this.customClusters;
    if (cluster === undefined) throw new Error('This deployment has no custom cluster.');
    return cluster;
  }

  /** The faults of a cluster that is named in `faulty`. */
  fault(name: string): FaultHsm {
    const fault = this.#faults.get(name);
    if (fault === undefined) throw new Error(`Cluster ${name} has no faults.`);
    return fault;
  }

  /** The folder of backups. */
  get backupFolder(): string {
    return join(this.folder, 'backups');
  }

  /** Path of the operator's Unix socket. */
  get socketPath(): string {
    return join(this.folder, 'holdfast.sock');
  }

  /** Composes a server in this process: for tests that need another clock. */
  async start(
    overrides: CompositionOverrides = {},
    configurationPath = this.configurationPath,
  ): Promise<RunningServer> {
    const configuration = await loadConfiguration(configurationPath);
    const destination = { write: (line: string) => writeFileSync(this.logPath, line, { flag: 'a' }) };
    const logger = createLogger('trace', destination);
    const server = await compose(configuration, await resolveSecrets(configuration), logger, overrides);
    const [tls] = server.bound;
    if (tls === undefined || tls.kind !== 'tls') throw new Error('The first listener is the TLS listener.');
    return new RunningServer(this, tls.port, server);
  }

  /** Starts the compiled server as a process of its own: for tests that kill it. Run `npm run build:ts` before. */
  async spawn(
    environment: NodeJS.ProcessEnv = {},
    { configurationPath = this.configurationPath, program = commandLine }: SpawnOptions = {},
  ): Promise<SpawnedServer> {
    const log = openSync(this.logPath, 'a');
    const before = readFileSync(this.logPath, 'utf8').length;
    const child = spawn(process.execPath, [program, 'serve', '--config', configurationPath], {
      stdio: ['ignore', 'ignore', log],
      env: { ...process.env, ...environment },
    });
    this.#children.push(child);
    closeSync(log);
    const port = await this.#listeningPort(child, before);
    return new SpawnedServer(this, port, child);
  }

  /** A client with the certificate of a caller; `anonymous` has none, `foreign` one of another authority. */
  client(port: number, caller: Caller | 'anonymous' | 'foreign'): HoldfastClient {
    const credentials = this.credentials(caller);
    return this.#remember(new HoldfastClient({ target: `localhost:${port}`, credentials }));
  }

  /** A client on the Unix socket. */
  socketClient(): HoldfastClient {
    const credentials = grpc.credentials.createInsecure();
    return this.#remember(new HoldfastClient({ target: `unix:${this.socketPath}`, credentials }));
  }

  credentials(caller: Caller | 'anonymous' | 'foreign'): grpc.ChannelCredentials {
    const { certificate } = this.authority;
    if (caller === 'anonymous') return grpc.credentials.createSsl(certificate);
    const issued = this.certificateOf(caller);
    return grpc.credentials.createSsl(certificate, issued.key, issued.certificate);
  }

  certificateOf(caller: Caller | 'foreign'): IssuedCertificate {
    const existing = this.#certificates.get(caller);
    if (existing !== undefined) return existing;
    const authority = caller === 'foreign' ? this.otherAuthority : this.authority;
    const commonName = caller === 'foreign' ? 'operator' : caller;
    const issued = authority.issue({ commonName, usage: 'client' });
    this.#certificates.set(caller, issued);
    return issued;
  }

  /** Every file that was written: configuration and PIN files contain secrets by design, the rest must not. */
  findSecrets(): string[] {
    const written = this.ledger.findBelow(this.folder, /(\.pin|sealing\.key)$/);
    return [...written, ...this.ledger.findIn('errors that clients got', Buffer.from(this.#errors))];
  }

  auditRecords(): Message[] {
    const lines = readFileSync(this.auditPath, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    const records = lines.map((line) => JSON.parse(line) as Message);
    // The log's own notices are not records of requests.
    return records.filter((record) => !('notice' in record));
  }

  /** The server's log, parsed. */
  logLines(): Message[] {
    const lines = readFileSync(this.logPath, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Message);
  }

  dispose(): void {
    // A server that a failed test left running.
    for (const child of this.#children) child.kill('SIGKILL');
    for (const client of this.#clients) client.close();
    this.softHsm.dispose();
    this.authority[Symbol.dispose]();
    this.otherAuthority[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #remember(client: HoldfastClient): HoldfastClient {
    client.onError = (error) => {
      const metadata = JSON.stringify(error.metadata.toJSON());
      this.#errors += `${error.message}\n${JSON.stringify(error.fieldViolations)}\n${metadata}\n`;
    };
    this.#clients.push(client);
    return client;
  }

  #writeFiles(options: DeploymentOptions): void {
    mkdirSync(join(this.folder, 'locks'), { mode: 0o700 });
    mkdirSync(this.backupFolder, { mode: 0o700 });
    const sealingKey = randomBytes(32);
    this.ledger.add('sealing key', sealingKey);
    this.#writeSecret('sealing.key', sealingKey.toString('base64'));
    this.#writeSecret('default.pin', this.defaultCluster.pin);
    writeFileSync(this.logPath, '');
    const server = issueServerCertificate(this.authority);
    const configuration = this.#configuration(server, options.appKeys ?? ['alias/app']);
    options.configure?.(configuration, this.defaultCluster, this.customClusters[0] ?? this.defaultCluster);
    writeFileSync(this.configurationPath, stringify(configuration));
  }

  #configuration(server: IssuedCertificate, appKeys: string[]): Message {
    return {
      version: 1,
      identity: { partition: 'aws', region, accounts: [account] },
      listeners: [
        {
          kind: 'tls',
          address: '127.0.0.1',
          port: 0,
          certificate: server.certificatePath,
          key: server.keyPath,
          clientCertificateAuthority: this.authority.certificatePath,
        },
        { kind: 'unix', path: this.socketPath, principal: 'operator' },
      ],
      principals: {
        administrators: [{ name: 'operator', certificate: { commonName: 'operator' } }],
        users: [{ name: 'app', certificate: { commonName: 'app' }, keys: appKeys }],
      },
      modules: this.#modules(),
      clusters: [this.defaultCluster, ...this.customClusters].map(({ clusterId, tokenLabel }) => ({
        id: clusterId,
        name: tokenLabel,
        trustAnchorCertificate: this.authority.certificatePath,
        replication: 'none',
        minimumMembers: 1,
        members: [{ name: 'a', module: this.#faults.has(tokenLabel) ? tokenLabel : 'softhsm', tokenLabel, lanes: 2 }],
      })),
      defaultKeyStore: { cluster: this.defaultCluster.clusterId, pin: { file: join(this.folder, 'default.pin') } },
      catalog: { kind: 'sqlite', path: join(this.folder, 'catalog.sqlite'), create: true },
      backup: { folder: this.backupFolder },
      sealingKeys: [{ id: 'seal-1', key: { file: join(this.folder, 'sealing.key') } }],
      audit: { file: this.auditPath },
      telemetry: { logLevel: 'trace' },
      lockDirectory: join(this.folder, 'locks'),
    };
  }

  /** One module for the working clusters, and one for each faulty cluster. */
  #modules(): Message {
    const { libraryPath: path, environment } = this.softHsm;
    const faulty = [...this.#faults].map(([name, { module }]) => [
      name,
      { path: module.libraryPath, environment: module.environment, privateInstance: true },
    ]);
    return { softhsm: { path, environment }, ...(Object.fromEntries(faulty) as Message) };
  }

  #writeSecret(name: string, value: string): void {
    writeFileSync(join(this.folder, name), value, { mode: 0o600 });
  }

  /** Reads the port from the line that the server logs when it serves. */
  async #listeningPort(child: ChildProcess, logOffset: number): Promise<number> {
    for (let tries = 0; ; tries += 1) {
      const lines = readFileSync(this.logPath, 'utf8').slice(logOffset).split('\n');
      const serving = lines.find((line) => line.includes('"msg":"serving"'));
      if (serving !== undefined) {
        const { listening } = JSON.parse(serving) as { listening: { kind: string; port: number }[] };
        const tls = listening.find(({ kind }) => kind === 'tls');
        if (tls !== undefined) return tls.port;
      }
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`The server ended before it served: ${lines.slice(-5).join('\n')}`);
      }
      if (tries * startPollMs > startBoundMs) {
        throw new Error(`The server did not serve within ${startBoundMs} ms: ${lines.slice(-5).join('\n')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, startPollMs));
    }
  }
}

/** A server of a deployment, in this process or in one of its own. */
abstract class ServerOfTest {
  constructor(
    protected readonly deployment: Deployment,
    readonly port: number,
  ) {}

  client(caller: Caller | 'anonymous' | 'foreign' = 'operator'): HoldfastClient {
    return this.deployment.client(this.port, caller);
  }

  /** Resolves when a key can be made in the default key store. */
  async defaultKeyStoreConnected(client = this.client()): Promise<void> {
    await eventually(() => client.call('GenerateRandom', { number_of_bytes: 1 }));
  }
}

export class RunningServer extends ServerOfTest {
  constructor(
    deployment: Deployment,
    port: number,
    readonly server: HoldfastServer,
  ) {
    super(deployment, port);
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }
}

export class SpawnedServer extends ServerOfTest {
  constructor(
    deployment: Deployment,
    port: number,
    readonly child: ChildProcess,
  ) {
    super(deployment, port);
  }

  /** Sends a signal and resolves with the exit code, or the name of the signal that ended it. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    const ended = new Promise<number | NodeJS.Signals>((resolve) => {
      this.child.once('exit', (code, endedBy) => resolve(code ?? endedBy ?? -1));
    });
    if (this.child.exitCode !== null) return this.child.exitCode;
    this.child.kill(signal);
    return ended;
  }
}

/** Retries until it succeeds; the test's own time-out is the bound. */
export async function eventually<T>(attempt: () => Promise<T>, intervalMs = 50): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch {
      await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
  }
}

/** Creates and connects a custom key store on a cluster; resolves with its id when it is CONNECTED. */
export async function connectedKeyStore(
  client: HoldfastClient,
  deployment: Deployment,
  cluster = deployment.customCluster,
): Promise<string> {
  const created = await client.call('CreateCustomKeyStore', {
    custom_key_store_name: cluster.tokenLabel,
    cloud_hsm_cluster_id: cluster.clusterId,
    trust_anchor_certificate: deployment.trustAnchor,
    key_store_password: cluster.pin,
  });
  const id = created['custom_key_store_id'] as string;
  await client.call('ConnectCustomKeyStore', { custom_key_store_id: id });
  await connectionState(client, id, 'CONNECTED');
  return id;
}

/** Resolves with the store's entry when it is in this state. */
export async function connectionState(client: HoldfastClient, id: string, state: string): Promise<Message> {
  return eventually(async () => {
    const { custom_key_stores: stores } = await client.call('DescribeCustomKeyStores', { custom_key_store_id: id });
    const [store] = stores as Message[];
    if (store?.['connection_state'] !== `CONNECTION_STATE_${state}`) throw new Error(JSON.stringify(store));
    return store;
  });
}

/**
 * The whole server over real gRPC on several members to which it has copied the same keys, each an "HSM" of its own with
 * the fault-injecting module in front.
 */
import type { Clock } from '../../src/clock.js';
import { compose } from '../../src/compose.js';
import type { HoldfastServer } from '../../src/composition/running-server.js';
import { loadConfiguration } from '../../src/config/load.js';
import { resolveSecrets } from '../../src/config/secrets.js';
import type { ClusterOptions, MemberOptions } from '../../src/hsm/clusters.js';
import { createLogger } from '../../src/telemetry/logger.js';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { Deployment } from '../e2e/deployment.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import type { SoftHsm } from '../softhsm.js';
import { newMember, runCeremony, type SoftHsmMember } from '../wrapped-cluster.js';
import { defaultBreakerSettings, defaultRecoverySettings } from '../hsm/default-settings.js';

export interface ReplicaMember {
  name: string;
  hsm: SoftHsm;
  fault: FaultHsm;
}

export interface ReplicatedServerOptions {
  memberCount: number;
  /** Keys made before the members can fall ill. */
  keyCount: number;
  lanes: number;
  /** The time for one attempt of one operation. */
  operationTimeoutMs: number;
  requestTimeoutMs: number;
  /** Changes the section `recovery` of the configuration. */
  recovery?: Message;
  /** Whether nothing is logged; `events` then stays empty. */
  silent?: boolean;
  /** Default: the system's. */
  clock?: Clock;
  /** Changes the server's options for its cluster. */
  cluster?: Partial<ClusterOptions>;
}

/** A part of `MemberStatus` of the admin service. */
export interface MemberState {
  /** Without the prefix of the enum. */
  state: string;
  unaccountedMaterials: number;
}

interface LoggedError {
  message?: string;
  cause?: LoggedError;
}

function deepestCause(error: LoggedError | undefined): string {
  return error?.cause === undefined ? (error?.message ?? 'unknown') : deepestCause(error.cause);
}

/** The max number of noted lines in one round. */
const maxNotes = 100;

/** The lines of the server's log, counted by message and member. */
class EventCounts {
  readonly #counts = new Map<string, number>();
  readonly #sinceMark: string[] = [];

  /** The number of different lines so far. */
  get size(): number {
    return this.#counts.size;
  }

  /** Takes one line of the log. */
  note(line: string): void {
    const { msg, memberName, err } = JSON.parse(line) as { msg?: string; memberName?: string; err?: LoggedError };
    if (msg === 'request failed') this.#count(`why: ${deepestCause(err)}`);
    if (msg !== undefined && this.#sinceMark.length < maxNotes)
      this.#sinceMark.push([msg, memberName, deepestCause(err)].join(' / '));
    for (const key of [msg, `${msg}/${memberName}`]) {
      if (key !== undefined) this.#count(key);
    }
  }

  /** The lines since the last call, the first ones of them. */
  takeNotes(): string[] {
    return this.#sinceMark.splice(0);
  }

  /** Why requests failed, in the HSM's own words. */
  causes(): Record<string, number> {
    return Object.fromEntries([...this.#counts].filter(([key]) => key.startsWith('why: ')));
  }

  #count(key: string): void {
    this.#counts.set(key, this.of(key) + 1);
  }

  /** How often `message`, or `message/member`, was logged. */
  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }
}

/** Short, which lets a test see many recoveries; everything else has its default. */
export const shortDelays = {
  breaker: { ...defaultBreakerSettings, probeDelayMs: 30 },
  recovery: { ...defaultRecoverySettings, openTimeoutMs: 5_000, maximumProbeDelayMs: 100 },
};

export class ReplicatedServer {
  readonly events = new EventCounts();
  readonly #clients: HoldfastClient[] = [];

  private constructor(
    readonly options: ReplicatedServerOptions,
    readonly deployment: Deployment,
    readonly members: readonly ReplicaMember[],
    /** Ids of the keys that every member holds. */
    readonly keyIds: readonly string[],
  ) {}

  #server: HoldfastServer | undefined;

  /** Makes members with a generation and keys, closes everything, and serves from them behind their faults. */
  static async start(options: ReplicatedServerOptions): Promise<ReplicatedServer> {
    let members: SoftHsmMember[] = [];
    const deployment = new Deployment({
      customClusters: [],
      // The token that every deployment makes stays unused.
      configure: (configuration, of) => {
        members = Array.from({ length: options.memberCount }, (_, index) => newMember(memberName(index), of));
        configureMembers(configuration, members, of.tokenLabel);
        const { requestTimeoutMs } = options;
        configuration['limits'] = { requestTimeoutMs, drainTimeoutMs: 3_000, reconcileCopiesPerSecond: 1_000 };
        configuration['recovery'] = options.recovery ?? {};
      },
    });
    await runCeremony(members, 1, deployment.defaultCluster);
    const keyIds = await makeKeys(deployment, options.keyCount);
    const server = new ReplicatedServer(options, deployment, members, keyIds);
    await server.serve();
    return server;
  }

  /** Starts to serve; resolves when every member is admitted. */
  async serve(): Promise<void> {
    const configuration = await loadConfiguration(this.deployment.configurationPath);
    const { operationTimeoutMs, silent = false } = this.options;
    const own = { ...shortDelays, operationTimeoutMs, members: this.#memberOptions() };
    const cluster = { ...own, ...this.options.cluster };
    const logger = createLogger(silent ? 'silent' : 'info', { write: (line: string) => this.events.note(line) });
    const overrides = { cluster, ...(this.options.clock === undefined ? {} : { clock: this.options.clock }) };
    this.#server = await compose(configuration, await resolveSecrets(configuration), logger, overrides);
    await until('it answers', () =>
      this.client()
        .call('GenerateRandom', { number_of_bytes: 1 })
        .then(
          () => true,
          () => false,
        ),
    );
    await this.everyMemberServes();
  }

  /** Resolves when every member takes work. */
  async everyMemberServes(): Promise<void> {
    await until('every member serves', async () =>
      (await this.#memberStatuses()).every(({ state }) => state === 'SERVING'),
    );
  }

  /** The server in this process, for its jobs. */
  get running(): HoldfastServer {
    if (this.#server === undefined) throw new Error('The server does not serve.');
    return this.#server;
  }

  /** Resolves when the server asks to be replaced by another process. */
  get replacementAsked(): Promise<void> {
    return this.running.replacementAsked;
  }

  /** A member's entry in GetStatus. */
  async memberStatus(index: number): Promise<MemberState> {
    const found = (await this.#memberStatuses())[index];
    if (found === undefined) throw new Error(`There is no member ${index}.`);
    return found;
  }

  member(index: number): ReplicaMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`There is no member ${index}.`);
    return member;
  }

  /** One client for tests that need no more. */
  client(): HoldfastClient {
    const [first] = this.#clients;
    return first ?? this.newClient();
  }

  /** A client with a connection of its own. */
  newClient(): HoldfastClient {
    const tls = this.#server?.bound.find((address) => address.kind === 'tls');
    if (tls?.kind !== 'tls') throw new Error('The server does not serve.');
    const client = this.deployment.client(tls.port, 'operator');
    this.#clients.push(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const { fault } of this.members) fault.heal();
    for (const client of this.#clients.splice(0)) client.close();
    await this.#server?.stop();
    this.#server = undefined;
  }

  async dispose(): Promise<void> {
    await this.stop();
    this.deployment.dispose();
    for (const { hsm } of this.members) hsm.dispose();
  }

  async #memberStatuses(): Promise<MemberState[]> {
    const { key_stores: keyStores } = await this.client().call('GetStatus');
    const [{ members }] = keyStores as [{ members: Message[] }];
    return members.map((member) => ({
      state: (member['state'] as string).replace('MEMBER_STATE_', ''),
      unaccountedMaterials: member['unaccounted_materials'] as number,
    }));
  }

  #memberOptions(): MemberOptions[] {
    const { tokenLabel } = this.deployment.defaultCluster;
    return this.members.map(({ name, fault }) => ({
      name,
      module: fault.module,
      tokenLabel,
      tokenSerialNumber: null,
      laneCount: this.options.lanes,
    }));
  }
}

/** The keys are made without the faults: nothing has been called through them then. */
function configureMembers(configuration: Message, members: readonly SoftHsmMember[], tokenLabel: string): void {
  const [cluster] = configuration['clusters'] as [Message];
  const minimumMembers = Math.min(2, members.length);
  const tokens = members.map(({ name }) => ({ name, module: name, tokenLabel, lanes: 2 }));
  Object.assign(cluster, { replication: 'wrapped', minimumMembers, members: tokens });
  const modules = members.map(({ name, hsm: { libraryPath: path, environment } }) => [name, { path, environment }]);
  configuration['modules'] = Object.fromEntries(modules) as Message;
}

async function makeKeys(deployment: Deployment, count: number): Promise<string[]> {
  const server = await deployment.start();
  try {
    const client = server.client();
    await server.defaultKeyStoreConnected(client);
    const keyIds: string[] = [];
    for (let made = 0; made < count; made += 1) {
      const { key_metadata: metadata } = await client.call('CreateKey');
      keyIds.push((metadata as Message)['key_id'] as string);
    }
    return keyIds;
  } finally {
    await server.stop();
  }
}

/** `a`, `b`, `c`, … */
export function memberName(index: number): string {
  return String.fromCharCode('a'.charCodeAt(0) + index);
}

/** Resolves when `holds` is true. @throws after the bound, which is far longer than a busy machine needs */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  boundMs = 30_000,
  intervalMs = 10,
): Promise<void> {
  const end = performance.now() + boundMs;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Not within ${boundMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}

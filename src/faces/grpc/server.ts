import type { X509Certificate } from 'node:crypto';
import { Server, setLogger } from '@grpc/grpc-js';
import { type Clock, delay } from '../../clock.js';
import type { Dispatcher } from '../../api/dispatcher.js';
import type { Identifiers } from '../../ids.js';
import type { Principal } from '../../calls/principal.js';
import type { Readiness } from '../../status/readiness.js';
import type { RequestTracer } from '../../calls/trace.js';
import type { DescriptorBounds } from './accept-guard.js';
import { Connections } from './connections.js';
import { addServices } from './handler.js';
import { Health } from './health.js';
import { ConnectionInjection } from './connection-injection.js';
import { defaultLimits, type GrpcFaceLimits, requestAssemblyLimits, serverOptions } from './limits.js';
import type { BoundAddress, Listener } from './listener.js';
import { OpenStreams } from './open-streams.js';
import { type PlaintextListenerOptions, startPlaintextListener } from './plaintext-listener.js';
import { RequestAssembly } from './request-assembly.js';
import { addReflection } from './reflection.js';
import { ownReasons, type RefusalReason } from './refusal-reason.js';
import { type ConnectionRefusal, RefusalReporter } from './refusals.js';
import { TlsListener, type TlsListenerOptions, type TlsMaterial } from './tls-listener.js';
import { answerUnknownMethods } from './unknown-methods.js';
import { startUnixListener, type UnixListenerOptions } from './unix-listener.js';

/** A listener with its certificates read and its principal found; `composition/listener-options.ts` makes it. */
export type GrpcListenerOptions = TlsListenerOptions | UnixListenerOptions | PlaintextListenerOptions;

/** What `compose.ts` gives the face. `listeners` are started in their order, and `reload` names them by it. */
export interface GrpcFaceOptions {
  dispatcher: Dispatcher;
  clock: Clock;
  identifiers: Identifiers;
  listeners: readonly GrpcListenerOptions[];
  /** Whom the configuration knows by a client certificate whose chain, dates and revocation were verified. */
  principalOf(certificate: X509Certificate): Principal | undefined;
  /** Told of each kind at most every ten seconds. */
  onConnectionRefused(refusal: ConnectionRefusal): void;
  /** Told of every refusal, for a metric. */
  onRefusalCounted?: (kind: RefusalReason) => void;
  /** What grpc-js would print to stderr. It quotes what clients send. */
  onLibraryLine?: (line: string) => void;
  /** For a call whose client names no deadline, and the most for one that does. Default 10 s. */
  requestTimeoutMs?: number;
  /** Undefined where nothing is traced. */
  tracer?: RequestTracer | undefined;
  limits?: Partial<GrpcFaceLimits>;
  /** How many file descriptors connections may use; left out: all that there are. */
  descriptors?: DescriptorBounds;
}

/** The running gRPC face: package holdfast.kms.v1, health and reflection. */
export interface GrpcFace {
  /** In the order of the options' listeners, with the ports that were given for 0. */
  readonly bound: readonly BoundAddress[];
  /**
   * Replaces the certificates of the TLS listener at this index of the options, and has its clients connect again, so
   * that a revoked one loses its connection. Throws, and changes nothing, when the material is broken.
   */
  reload(listenerIndex: number, material: TlsMaterial): void;
  /** How many connections are open, and the memory of requests that have not arrived whole. */
  load(): { connections: number; unfinishedRequestBytes: number };
  /** What health answers; NOT_SERVING until told otherwise, and from a drain on. */
  setReadiness(readiness: Readiness): void;
  /** What health answers for the process: false where it wants to be replaced. */
  setSound(sound: boolean): void;
  /**
   * Health NOT_SERVING; no new connections and calls; what is in flight finishes within `boundMs`, then it is cut off.
   * Resolves when all connections are closed.
   */
  drain(boundMs: number): Promise<void>;
}

const defaultRequestTimeoutMs = 10_000;

/** Starts every listener, or none: a listener that cannot start stops the others and rejects with its reason. */
export async function startGrpcFace(options: GrpcFaceOptions): Promise<GrpcFace> {
  const say = (line: unknown): void => options.onLibraryLine?.(String(line));
  setLogger({ error: say, info: say, debug: say });
  const face = new RunningGrpcFace(options);
  await face.listen();
  return face;
}

class RunningGrpcFace implements GrpcFace {
  readonly #options: GrpcFaceOptions;
  readonly #limits: GrpcFaceLimits;
  readonly #server: Server;
  readonly #connections = new Connections();
  readonly #streams = new OpenStreams();
  readonly #health = new Health();
  readonly #refusals: RefusalReporter;
  readonly #requestAssembly: RequestAssembly;
  readonly #open: { listener: Listener; injection: ConnectionInjection }[] = [];

  constructor(options: GrpcFaceOptions) {
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    const report = (refusal: ConnectionRefusal): void => options.onConnectionRefused(refusal);
    this.#refusals = new RefusalReporter(options.clock, report, options.onRefusalCounted);
    const bounds = { ...requestAssemblyLimits(this.#limits), refusals: this.#refusals, connections: this.#connections };
    this.#requestAssembly = new RequestAssembly({ ...bounds, clock: options.clock });
    this.#server = new Server(serverOptions(this.#limits, this.#requestAssembly.interceptor));
    const { dispatcher, clock, identifiers, tracer, requestTimeoutMs = defaultRequestTimeoutMs } = options;
    const connections = this.#connections;
    addServices(this.#server, { dispatcher, clock, identifiers, requestTimeoutMs, connections, tracer });
    const host = this.#streams.host(this.#server);
    this.#health.addTo(host);
    addReflection(host);
    answerUnknownMethods(this.#server, (peer) => this.#unknownMethod(peer));
  }

  async listen(): Promise<void> {
    try {
      for (const options of this.#options.listeners) {
        const injection = new ConnectionInjection(this.#server, this.#connections);
        this.#open.push({ listener: await this.#start(options, injection), injection });
      }
    } catch (error) {
      for (const { listener } of this.#open) listener.stop();
      this.#server.forceShutdown();
      throw error;
    }
  }

  get bound(): readonly BoundAddress[] {
    return this.#open.map(({ listener }) => listener.bound);
  }

  reload(listenerIndex: number, material: TlsMaterial): void {
    const open = this.#open[listenerIndex];
    if (!(open?.listener instanceof TlsListener)) throw new Error(`Listener ${listenerIndex} is no TLS listener.`);
    open.listener.replaceMaterial(material);
    open.injection.renew(this.#limits.connectionGraceMs);
  }

  load(): { connections: number; unfinishedRequestBytes: number } {
    return { connections: this.#connections.size, unfinishedRequestBytes: this.#requestAssembly.bytes };
  }

  setReadiness(readiness: Readiness): void {
    this.#health.setReadiness(readiness);
  }

  setSound(sound: boolean): void {
    this.#health.setSound(sound);
  }

  async drain(boundMs: number): Promise<void> {
    this.#health.drain();
    this.#streams.endAll();
    for (const { listener, injection } of this.#open) {
      listener.stop();
      injection.close(boundMs);
    }
    const bound = new AbortController();
    await Promise.race([this.#connections.empty(), delay(this.#options.clock, boundMs, bound.signal)]);
    bound.abort();
    this.#server.forceShutdown();
    await this.#connections.empty();
  }

  #unknownMethod(peer: string): void {
    const { sourceAddress = 'unknown', certificate } = this.#connections.find(peer) ?? {};
    this.#refusals.refused(sourceAddress, ownReasons.unknownMethod, { certificate });
  }

  #start(options: GrpcListenerOptions, injection: ConnectionInjection): Promise<Listener> {
    const { maximumConnections, handshakeTimeoutMs } = this.#limits;
    const refusals = this.#refusals;
    const { descriptors } = this.#options;
    const accept = injection.accept.bind(injection);
    switch (options.kind) {
      case 'tls': {
        const principalOf = (certificate: X509Certificate) => this.#options.principalOf(certificate);
        const usable = Math.min(maximumConnections, descriptors?.firstReserved ?? maximumConnections);
        const maximumHandshakes = Math.min(this.#limits.maximumHandshakes, Math.ceil(usable / 2));
        const maximumStrangers = Math.ceil(usable / 4);
        const bounds = { maximumConnections, maximumHandshakes, maximumStrangers, handshakeTimeoutMs, descriptors };
        return TlsListener.start(options, { principalOf, accept, refusals, ...bounds });
      }
      case 'unix':
        return startUnixListener(options, { accept, maximumConnections, refusals, descriptors });
      case 'plaintext':
        return startPlaintextListener(options, { accept, maximumConnections, refusals, descriptors });
    }
  }
}

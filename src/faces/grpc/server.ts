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
import {
  type ConfiguredLimits,
  fixedLimits,
  type GrpcFaceLimits,
  requestAssemblyLimits,
  serverOptions,
} from './limits.js';
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

/** A listener with its certificates read and its principal looked up; `composition/listener-options.ts` makes it. */
export type GrpcListenerOptions = TlsListenerOptions | UnixListenerOptions | PlaintextListenerOptions;

/** The options of the face. `listeners` are started in order, and `reload` refers to them by index. */
export interface GrpcFaceOptions {
  dispatcher: Dispatcher;
  clock: Clock;
  identifiers: Identifiers;
  listeners: readonly GrpcListenerOptions[];
  /** The principal that a client certificate maps to, once its chain, dates and revocation are verified. */
  principalOf(certificate: X509Certificate): Principal | undefined;
  /** Called at most every ten seconds for each kind. */
  onConnectionRefused(refusal: ConnectionRefusal): void;
  /** Called for every refusal, for a metric. */
  onRefusalCounted?: (kind: RefusalReason) => void;
  /** Lines that grpc-js would print to stderr. They quote what clients send. */
  onLibraryLine?: (line: string) => void;
  /** The deadline of a call whose client sets none, and the maximum for one whose client does. */
  requestTimeoutMs: number;
  /** Undefined if tracing is off. */
  tracer?: RequestTracer | undefined;
  limits: ConfiguredLimits & Partial<GrpcFaceLimits>;
  /** The bound on the file descriptors of connections; left out: none. */
  descriptors?: DescriptorBounds;
}

/** The running gRPC face: package holdfast.kms.v1, health and reflection. */
export interface GrpcFace {
  /** The bound addresses in the order of the options' listeners, with the assigned ports in place of 0. */
  readonly bound: readonly BoundAddress[];
  /**
   * Replaces the certificates of the TLS listener at this index of the options, and makes its clients reconnect: a
   * revoked one loses its connection. Throws, and changes nothing, if the material is broken.
   */
  reload(listenerIndex: number, material: TlsMaterial): void;
  /** The number of open connections, and the memory of requests that have not fully arrived. */
  load(): { connections: number; unfinishedRequestBytes: number };
  /** Sets the answers of health. They are NOT_SERVING before the first call, and from a drain on. */
  setReadiness(readiness: Readiness): void;
  /** Sets health's answer for the process: false if it wants to be replaced. */
  setSound(sound: boolean): void;
  /**
   * Health NOT_SERVING; no new connections and calls; calls in flight may finish within `boundMs` and are then cut off.
   * Resolves when all connections are closed.
   */
  drain(boundMs: number): Promise<void>;
}

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
    this.#limits = { ...fixedLimits, ...options.limits };
    const report = (refusal: ConnectionRefusal): void => options.onConnectionRefused(refusal);
    this.#refusals = new RefusalReporter(options.clock, report, options.onRefusalCounted);
    const bounds = { ...requestAssemblyLimits(this.#limits), refusals: this.#refusals, connections: this.#connections };
    this.#requestAssembly = new RequestAssembly({ ...bounds, clock: options.clock });
    this.#server = new Server(serverOptions(this.#limits, this.#requestAssembly.interceptor));
    const { dispatcher, clock, identifiers, tracer, requestTimeoutMs } = options;
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

import type { ServerInterceptor, ServerOptions } from '@grpc/grpc-js';

/** The bounds on one client, or on all of them, at the face. */
export interface GrpcFaceLimits {
  /**
   * Maximum length of a request message, in bytes. The longest that the model allows is a CreateKey with a policy of
   * 131,072 characters, or an attestation document of 262,144 bytes. A longer one is refused at its head:
   * LIMIT_EXCEEDED without an audit record, since no part of it was read.
   */
  maximumMessageBytes: number;
  /** Concurrent calls on one connection; a client queues the rest. */
  maximumConcurrentStreams: number;
  /** Concurrent connections on one listener. */
  maximumConnections: number;
  /** The time that a request may take to arrive whole: see `RequestAssembly`. */
  messageTimeoutMs: number;
  /** Memory of all unfinished requests. */
  maximumReceptionBytes: number;
  /** Memory of one HTTP/2 session, in MiB, before it refuses new streams. */
  maximumSessionMemoryMib: number;
  handshakeTimeoutMs: number;
  /** Concurrent TLS handshakes on one listener, and at most half of its connections. */
  maximumHandshakes: number;
  /** A connection without a call is closed after this time, even one that never sends anything. */
  idleTimeoutMs: number;
  /**
   * A connection is closed (GOAWAY, give or take 10 %) after this time, and its certificate is checked again when it
   * reconnects.
   */
  connectionAgeMs: number;
  /**
   * The time that calls in flight may continue after a GOAWAY for age or `reload`; bounds a request that never ends.
   */
  connectionGraceMs: number;
  /** A ping after this much silence, to detect dead peers. */
  keepaliveMs: number;
  keepaliveTimeoutMs: number;
}

/** The limits that configuration sets. */
export type ConfiguredLimits = Pick<GrpcFaceLimits, 'maximumMessageBytes' | 'maximumConnections'>;

/** All other limits, which only tests change. */
export const fixedLimits: Omit<GrpcFaceLimits, keyof ConfiguredLimits> = {
  maximumConcurrentStreams: 100,
  messageTimeoutMs: 10_000,
  maximumReceptionBytes: 64 * 1024 * 1024,
  maximumSessionMemoryMib: 64,
  handshakeTimeoutMs: 10_000,
  maximumHandshakes: 256,
  idleTimeoutMs: 300_000,
  connectionAgeMs: 3_600_000,
  connectionGraceMs: 30_000,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};

/**
 * The minimum memory for one connection. A connection gets eight maximum messages if that is more, or two without a
 * principal: all its calls are denied.
 */
const minConnectionBytes = 8 * 1024 * 1024;
const minUnknownBytes = 2 * 1024 * 1024;

/** The limits that `RequestAssembly` enforces: the memory of unfinished requests, in total and per connection. */
export function requestAssemblyLimits(limits: GrpcFaceLimits) {
  return {
    messageTimeoutMs: limits.messageTimeoutMs,
    maximumMessageBytes: limits.maximumMessageBytes,
    maximumBytes: limits.maximumReceptionBytes,
    maximumBytesOfConnection: Math.max(minConnectionBytes, 8 * limits.maximumMessageBytes),
    maximumBytesOfUnknown: Math.max(minUnknownBytes, 2 * limits.maximumMessageBytes),
  };
}

/**
 * The limits that grpc-js enforces, under its option names. `interceptor` is the only one: see
 * `RequestAssembly.interceptor`.
 */
export function serverOptions(limits: GrpcFaceLimits, interceptor: ServerInterceptor): ServerOptions {
  return {
    interceptors: [interceptor],
    // `RequestAssembly` has refused longer ones by then, with our error.
    'grpc.max_receive_message_length': limits.maximumMessageBytes,
    'grpc.max_concurrent_streams': limits.maximumConcurrentStreams,
    'grpc-node.max_session_memory': limits.maximumSessionMemoryMib,
    'grpc.max_connection_idle_ms': limits.idleTimeoutMs,
    'grpc.max_connection_age_ms': limits.connectionAgeMs,
    'grpc.max_connection_age_grace_ms': limits.connectionGraceMs,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    // Channelz is not used here, and it costs time on each call.
    'grpc.enable_channelz': 0,
  };
}

import type { ServerInterceptor, ServerOptions } from '@grpc/grpc-js';

/** What one client, or all of them, may take of the face. */
export interface GrpcFaceLimits {
  /**
   * Longest request message, in bytes. The longest that the model allows is a CreateKey with a policy of 131,072
   * characters, or an attestation document of 262,144 bytes. A longer one is refused at its head: LIMIT_EXCEEDED without
   * an audit record, since nothing of it was read.
   */
  maximumMessageBytes: number;
  /** Calls at a time on one connection; a client queues the rest. */
  maximumConcurrentStreams: number;
  /** Connections at a time on one listener. */
  maximumConnections: number;
  /** For a request to arrive whole: see `RequestAssembly`. */
  messageTimeoutMs: number;
  /** Memory of all unfinished requests. */
  maximumReceptionBytes: number;
  /** Memory of one HTTP/2 session, in MiB, before it refuses new streams. */
  maximumSessionMemoryMib: number;
  handshakeTimeoutMs: number;
  /** TLS handshakes under way at a time on one listener, and at most a half of its connections. */
  maximumHandshakes: number;
  /** A connection without a call is closed after this time: also one that never says anything. */
  idleTimeoutMs: number;
  /** A connection is closed (GOAWAY, give or take 10 %) after this time, so that its certificate is checked again. */
  connectionAgeMs: number;
  /** How long calls in flight may go on after a GOAWAY of age or of `reload`; bounds a request that never ends. */
  connectionGraceMs: number;
  /** A ping after this much silence, to find dead peers. */
  keepaliveMs: number;
  keepaliveTimeoutMs: number;
}

/** What applies where `GrpcFaceOptions.limits` says nothing. Configuration sets the longest message and the connections. */
export const defaultLimits: GrpcFaceLimits = {
  maximumMessageBytes: 1024 * 1024,
  maximumConcurrentStreams: 100,
  messageTimeoutMs: 10_000,
  maximumReceptionBytes: 64 * 1024 * 1024,
  maximumConnections: 2_000,
  maximumSessionMemoryMib: 64,
  handshakeTimeoutMs: 10_000,
  maximumHandshakes: 256,
  idleTimeoutMs: 300_000,
  connectionAgeMs: 3_600_000,
  connectionGraceMs: 30_000,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};

/** Of one connection, eight longest messages; of one without a principal, whose calls are all denied, two. Not under: */
const leastConnectionBytes = 8 * 1024 * 1024;
const leastUnknownBytes = 2 * 1024 * 1024;

/** The part that `RequestAssembly` keeps: what unfinished requests may hold, in all and by connection. */
export function requestAssemblyLimits(limits: GrpcFaceLimits) {
  return {
    messageTimeoutMs: limits.messageTimeoutMs,
    maximumMessageBytes: limits.maximumMessageBytes,
    maximumBytes: limits.maximumReceptionBytes,
    maximumBytesOfConnection: Math.max(leastConnectionBytes, 8 * limits.maximumMessageBytes),
    maximumBytesOfUnknown: Math.max(leastUnknownBytes, 2 * limits.maximumMessageBytes),
  };
}

/** The part that grpc-js keeps, by the names of its options. `interceptor` is the only one: see `RequestAssembly.interceptor`. */
export function serverOptions(limits: GrpcFaceLimits, interceptor: ServerInterceptor): ServerOptions {
  return {
    interceptors: [interceptor],
    // `RequestAssembly` has refused a longer one by then, in our words.
    'grpc.max_receive_message_length': limits.maximumMessageBytes,
    'grpc.max_concurrent_streams': limits.maximumConcurrentStreams,
    'grpc-node.max_session_memory': limits.maximumSessionMemoryMib,
    'grpc.max_connection_idle_ms': limits.idleTimeoutMs,
    'grpc.max_connection_age_ms': limits.connectionAgeMs,
    'grpc.max_connection_age_grace_ms': limits.connectionGraceMs,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveTimeoutMs,
    // Nobody reads channelz here, and it costs on each call.
    'grpc.enable_channelz': 0,
  };
}

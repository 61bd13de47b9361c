import { constants, type ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCallInterface, ServerInterceptor } from '@grpc/grpc-js';
import { type Clock, type Deadline, Deadlines } from '../../clock.js';
import { HoldfastError, toHoldfastError } from '../../errors.js';
import { internalsOf } from './call-internals.js';
import type { Connections } from './connections.js';
import { decompress } from './decompression.js';
import { toCallError } from './errors.js';
import { explainEveryError } from './library-errors.js';
import { ReceivedCall } from './received-call.js';
import { ownReasons } from './refusal-reason.js';
import type { RefusalReporter } from './refusals.js';
import { headBytes, RequestFrames } from './request-frames.js';

/** The options of `RequestAssembly`. `requestAssemblyLimits` derives the bounds from those of the face. */
export interface ReceptionOptions {
  clock: Clock;
  connections: Connections;
  refusals: RefusalReporter;
  /** Maximum time from a call's headers to the end of its request; on a stream of requests, from one to the next. */
  messageTimeoutMs: number;
  /** The maximum for one message, before and after decompression. */
  maximumMessageBytes: number;
  /** The memory of unfinished requests: in total, of one connection, and of a connection without a principal. */
  maximumBytes: number;
  maximumBytesOfConnection: number;
  maximumBytesOfUnknown: number;
}

/** A call whose request has not fully arrived. */
interface PendingRequest {
  call: ServerInterceptingCallInterface;
  stream: ServerHttp2Stream;
  frames: RequestFrames;
  peer: Peer;
  bytes: number;
  /** The arrived pieces of an incomplete message; zeroed afterwards, because it may contain a secret. */
  pieces: Buffer[];
  /** The memory that contains the last piece. */
  lastMemory: ArrayBufferLike | undefined;
  deadline: Deadline;
}

/** The unfinished calls of one connection. */
interface Peer {
  name: string;
  maximumBytes: number;
  arrivals: Set<PendingRequest>;
  bytes: number;
}

/** The cost of a piece besides its bytes: many small frames would be many objects. */
const pieceOverheadBytes = 256;

/**
 * Bounds the memory of incoming requests. grpc-js keeps the pieces of a message until it is complete, without a
 * deadline: 600 unfinished messages of 1 MiB, on one connection of an unknown caller, held 700 MiB. A call that takes
 * too long is ended with DEADLINE_EXCEEDED, one that takes too much with RESOURCE_EXHAUSTED, one that is not a gRPC
 * request (no message, two, half of one) with INVALID_ARGUMENT, without an audit record since no part of it was read.
 * Its stream is reset, so a client that keeps sending does not keep it open.
 */
export class RequestAssembly {
  readonly #options: ReceptionOptions;
  readonly #deadlines: Deadlines;
  readonly #peers = new Map<string, Peer>();
  #bytes = 0;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
  }

  /** The memory of all unfinished requests. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Must be the only interceptor of the server: it has to be next to the stream. */
  readonly interceptor: ServerInterceptor = (method, call) => {
    explainEveryError(call);
    const arrival = this.#begin(call, method.requestStream);
    return new ReceivedCall(call, arrival.peer.name, {
      onMessage: () => {
        if (method.requestStream) this.#restart(arrival);
        else wipePieces(arrival);
      },
      onHalfClose: () => this.#ended(arrival),
      onEnd: () => {
        // grpc-js has answered for us (the client's deadline): the rest is not read.
        if (this.#finish(arrival)) arrival.stream.close(constants.NGHTTP2_NO_ERROR);
      },
    });
  };

  #begin(call: ServerInterceptingCallInterface, isStream: boolean): PendingRequest {
    const { maximumMessageBytes } = this.#options;
    const internals = internalsOf(call);
    const arrival: PendingRequest = {
      call,
      stream: internals.stream,
      frames: new RequestFrames({ maximumMessageBytes, isStream, encoding: internals.incomingEncoding }),
      peer: this.#peerOf(call.getPeer()),
      bytes: 0,
      pieces: [],
      lastMemory: undefined,
      deadline: this.#scheduleEnd(() => arrival),
    };
    arrival.peer.arrivals.add(arrival);
    wipeWhenWritten(arrival.stream);
    internals.decompressMessage = (frame, encoding) => this.#messageOf(arrival, frame, encoding);
    // Before grpc-js, which ignores the data of a call that has its answer. It has paused the stream: one more listener
    // does not make it flow.
    arrival.stream.prependListener('data', (piece: Buffer) => this.#received(arrival, piece));
    // grpc-js would not report the end of a stream that ended before grpc-js began to read.
    if (arrival.stream.destroyed) this.#finish(arrival);
    return arrival;
  }

  /** @returns false if the call is answered with a refusal */
  #ended(arrival: PendingRequest): boolean {
    const fault = arrival.frames.end();
    if (fault !== undefined) this.#refuse(arrival, fault);
    else this.#finish(arrival);
    return fault === undefined;
  }

  /** The bytes of a message. If it throws, the call is already answered: grpc-js only has to stop. */
  #messageOf(arrival: PendingRequest, frame: Buffer, encoding: string): Buffer {
    if (encoding === 'identity') return frame.subarray(headBytes);
    try {
      const message = decompress(frame, encoding, this.#options.maximumMessageBytes);
      this.#hold(arrival, message.length);
      return message;
    } catch (thrown) {
      this.#refuse(arrival, toHoldfastError(thrown));
      throw thrown;
    }
  }

  #peerOf(name: string): Peer {
    const known = this.#peers.get(name);
    if (known !== undefined) return known;
    const { connections, maximumBytesOfConnection, maximumBytesOfUnknown } = this.#options;
    const isPrincipal = connections.find(name)?.principal !== undefined;
    const maximumBytes = isPrincipal ? maximumBytesOfConnection : maximumBytesOfUnknown;
    const peer: Peer = { name, maximumBytes, arrivals: new Set(), bytes: 0 };
    this.#peers.set(name, peer);
    return peer;
  }

  #received(arrival: PendingRequest, piece: Buffer): void {
    arrival.pieces.push(piece);
    if (!arrival.peer.arrivals.has(arrival)) {
      wipePieces(arrival);
      return;
    }
    const fault = arrival.frames.read(piece);
    if (fault !== undefined) {
      this.#refuse(arrival, fault);
      return;
    }
    // A piece keeps alive the whole memory into which its frame was read, however small it is itself.
    const isNewMemory = piece.buffer !== arrival.lastMemory;
    arrival.lastMemory = piece.buffer;
    this.#hold(arrival, pieceOverheadBytes + (isNewMemory ? piece.buffer.byteLength : 0));
  }

  #hold(arrival: PendingRequest, bytes: number): void {
    const { peer } = arrival;
    if (!peer.arrivals.has(arrival)) return;
    this.#count(arrival, bytes);
    if (peer.bytes > peer.maximumBytes) this.#endTooMuch(peer);
    if (this.#bytes > this.#options.maximumBytes) this.#endTooMuch(this.#largestPeer(peer));
  }

  #largestPeer(first: Peer): Peer {
    return [...this.#peers.values()].reduce((largest, peer) => (peer.bytes > largest.bytes ? peer : largest), first);
  }

  #endTooMuch(peer: Peer): void {
    const message = ownReasons.requestTooLarge;
    const error = new HoldfastError('LIMIT_EXCEEDED', message, { retryable: true });
    for (const arrival of [...peer.arrivals]) {
      // A call that has sent nothing yet holds no memory.
      if (arrival.bytes > 0) this.#end(arrival, error, message);
    }
  }

  /** Ends a call because of its input. */
  #refuse(arrival: PendingRequest, error: HoldfastError): void {
    this.#end(arrival, error, error.code === 'LIMIT_EXCEEDED' ? ownReasons.messageTooLong : ownReasons.malformed);
  }

  #scheduleEnd(arrival: () => PendingRequest): Deadline {
    const { clock, messageTimeoutMs } = this.#options;
    return this.#deadlines.add(clock.monotonicMs() + messageTimeoutMs, () => {
      const message = ownReasons.requestTooSlow;
      this.#end(arrival(), new HoldfastError('DEPENDENCY_TIMEOUT', message, { callerDeadline: true }), message);
    });
  }

  #end(arrival: PendingRequest, error: HoldfastError, reason: string): void {
    if (!this.#finish(arrival)) return;
    const { connections, refusals } = this.#options;
    refusals.refused(connections.find(arrival.peer.name)?.sourceAddress ?? 'unknown', reason);
    arrival.call.sendStatus(toCallError(error, undefined));
    // After the complete answer: asks the client not to send the rest (RFC 9113 §8.1).
    arrival.stream.close(constants.NGHTTP2_NO_ERROR);
  }

  #restart(arrival: PendingRequest): void {
    if (!arrival.peer.arrivals.has(arrival)) return;
    // Not zeroed: they may contain a part of the next message, which grpc-js has not copied. No stream of requests
    // carries secrets.
    arrival.pieces = [];
    this.#count(arrival, -arrival.bytes);
    arrival.lastMemory = undefined;
    arrival.deadline.cancel();
    arrival.deadline = this.#scheduleEnd(() => arrival);
  }

  /** @returns false if the request was finished before. */
  #finish(arrival: PendingRequest): boolean {
    const { peer } = arrival;
    wipePieces(arrival);
    if (!peer.arrivals.delete(arrival)) return false;
    this.#count(arrival, -arrival.bytes);
    arrival.lastMemory = undefined;
    arrival.deadline.cancel();
    if (peer.arrivals.size === 0) this.#peers.delete(peer.name);
    return true;
  }

  #count(arrival: PendingRequest, bytes: number): void {
    arrival.bytes += bytes;
    arrival.peer.bytes += bytes;
    this.#bytes += bytes;
  }
}

/** grpc-js has copied the pieces into the message by now, and zeroes nothing. */
function wipePieces(arrival: PendingRequest): void {
  for (const piece of arrival.pieces) piece.fill(0);
  arrival.pieces = [];
}

type WriteCallback = (error: Error | null | undefined) => void;

/** The frame that grpc-js makes of an answer is a copy: it is zeroed once HTTP/2 no longer needs it. */
function wipeWhenWritten(stream: ServerHttp2Stream): void {
  const write = stream.write.bind(stream) as (frame: Buffer, written: WriteCallback) => boolean;
  stream.write = ((frame: Buffer, written: WriteCallback) =>
    write(frame, (error) => {
      frame.fill(0);
      written(error);
    })) as typeof stream.write;
}

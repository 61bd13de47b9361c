import type { ServerHttp2Stream } from 'node:http2';
import type { ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** The parts of a call that `RequestAssembly` needs and grpc-js does not offer. */
export interface CallInternals {
  /** Used to reset the stream of a finished call. */
  readonly stream: ServerHttp2Stream;
  /** The value of the `grpc-encoding` header. */
  readonly incomingEncoding: string;
  /** Called for each message, with its head, as soon as it has arrived. */
  decompressMessage(frame: Buffer, encoding: string): Buffer | Promise<Buffer>;
}

/** Throws if an update of grpc-js has moved a part, so the first call of a test fails. */
export function internalsOf(call: ServerInterceptingCallInterface): CallInternals {
  const { stream, incomingEncoding, decompressMessage } = call as Partial<CallInternals>;
  if (stream === undefined || incomingEncoding === undefined || decompressMessage === undefined) {
    throw new Error('grpc-js has moved the internals of a call.');
  }
  return call as ServerInterceptingCallInterface & CallInternals;
}

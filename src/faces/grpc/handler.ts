import {
  type handleUnaryCall,
  Metadata,
  type sendUnaryData,
  type Server,
  type ServerUnaryCall,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { type Cancellation, RequestCancellation } from '../../calls/cancellation.js';
import type { Clock } from '../../clock.js';
import { systemClock } from '../../clock-system.js';
import type { Dispatcher, IncomingCall } from '../../api/dispatcher.js';
import type { OperationName } from '../../operations/registry.js';
import { toHoldfastError } from '../../errors.js';
import type { Identifiers } from '../../ids.js';
import type { OperationTrace, RequestTracer } from '../../calls/trace.js';
import { generatedCodecs } from './gen/codecs.js';
import type { Connection, Connections } from './connections.js';
import { toCallError } from './errors.js';
import type { MethodCodec } from './method-codec.js';
import { endAnswered, endFailed, traceStart } from './request-trace.js';
import { methodOf, services } from './services.js';

/** Converts each method's messages to requests and responses of the domain. A method without an rpc does not compile. */
export const codecs: Readonly<Record<OperationName, MethodCodec>> = generatedCodecs;

/** Shared by the handlers of all methods; `server.ts` makes it once per face. */
export interface HandlerDependencies {
  dispatcher: Dispatcher;
  clock: Clock;
  identifiers: Identifiers;
  connections: Connections;
  /** The deadline of a call whose client sets none, and the maximum for one whose client does. */
  requestTimeoutMs: number;
  /** Undefined if tracing is off. */
  tracer?: RequestTracer | undefined;
}

type UnaryCall = ServerUnaryCall<Buffer, Uint8Array>;

/**
 * The part of a client's deadline that is reserved for sending the answer: once the deadline has passed, grpc-js
 * answers for us, without a request id.
 */
const answerReserveMs = 20;

/** Registers every method of every generated service. Bytes pass through undecoded: the dispatcher decodes. */
export function addServices(server: Server, dependencies: HandlerDependencies): void {
  for (const service of services) {
    const methods = Object.entries(service as ServiceDefinition);
    const definition = methods.map(([name, method]) => [
      name,
      { ...method, requestDeserialize: (bytes: Buffer) => bytes, responseSerialize: asBuffer },
    ]);
    const handlers = methods.map(([name, method]) => [name, handlerOf(method.path, dependencies)]);
    server.addService(
      Object.fromEntries(definition) as ServiceDefinition,
      Object.fromEntries(handlers) as Record<string, handleUnaryCall<Buffer, Uint8Array>>,
    );
  }
}

function handlerOf(path: string, dependencies: HandlerDependencies): handleUnaryCall<Buffer, Uint8Array> {
  const method = methodOf(path);
  const startTrace = traceStart(path, dependencies.tracer);
  return (call, callback) => {
    const connection = dependencies.connections.find(call.getPeer());
    if (connection === undefined) callback({ code: status.CANCELLED, details: 'The connection has closed.' });
    else {
      const trace = startTrace(call.metadata, connection.principal !== undefined);
      void answer(method, call, callback, connection, trace, dependencies);
    }
  };
}

async function answer(
  method: OperationName,
  call: UnaryCall,
  callback: sendUnaryData<Uint8Array>,
  connection: Connection,
  trace: OperationTrace | undefined,
  dependencies: HandlerDependencies,
): Promise<void> {
  const requestId = dependencies.identifiers.requestId();
  let response: Uint8Array | undefined;
  try {
    response = await dispatch(method, call, connection, requestId, trace, dependencies);
    call.sendMetadata(requestIdMetadata(requestId));
    callback(null, response);
    endAnswered(trace, requestId);
  } catch (thrown) {
    const error = toHoldfastError(thrown);
    const answer = toCallError(error, requestId);
    callback(answer);
    endFailed(trace, requestId, error, answer.code);
  } finally {
    // grpc-js has copied the response into its frame by now; the request may never have been decoded.
    if (codecs[method].carriesSecrets) {
      call.request.fill(0);
      response?.fill(0);
    }
  }
}

function dispatch(
  method: OperationName,
  call: UnaryCall,
  connection: Connection,
  requestId: string,
  trace: OperationTrace | undefined,
  dependencies: HandlerDependencies,
): Promise<Uint8Array> {
  return dependencies.dispatcher.dispatch(new GrpcRequest(method, call, connection, requestId, trace, dependencies));
}

/** A call as the dispatcher sees it. */
class GrpcRequest implements IncomingCall {
  readonly face = 'grpc';
  readonly method: OperationName;
  readonly principal: Connection['principal'];
  readonly certificate: Connection['certificate'];
  readonly sourceAddress: string;
  readonly requestId: string;
  readonly deadlineMs: number;
  readonly deadlineIsCallers: boolean;
  readonly trace: OperationTrace | undefined;
  readonly cancellation: Cancellation;
  readonly #message: Buffer;

  constructor(
    method: OperationName,
    call: UnaryCall,
    connection: Connection,
    requestId: string,
    trace: OperationTrace | undefined,
    dependencies: HandlerDependencies,
  ) {
    const { deadlineMs, deadlineIsCallers } = deadlineOf(call, dependencies);
    this.method = method;
    this.principal = connection.principal;
    this.certificate = connection.certificate;
    this.sourceAddress = connection.sourceAddress;
    this.requestId = requestId;
    this.deadlineMs = deadlineMs;
    this.deadlineIsCallers = deadlineIsCallers;
    this.trace = trace;
    this.cancellation = cancellationOf(call);
    this.#message = call.request;
  }

  decode(): object {
    const codec = codecs[this.method];
    try {
      return codec.decode(this.#message);
    } finally {
      if (codec.carriesSecrets) this.#message.fill(0);
    }
  }

  encode(response: object): Uint8Array {
    return codecs[this.method].encode(response);
  }
}

function cancellationOf(call: UnaryCall): Cancellation {
  const cancellation = new RequestCancellation();
  if (call.cancelled) cancellation.cancel();
  else {
    call.once('cancelled', () => {
      cancellation.cancel();
    });
  }
  return cancellation;
}

/** The client's deadline or the service's, whichever is earlier. */
function deadlineOf(
  call: UnaryCall,
  { clock, requestTimeoutMs }: HandlerDependencies,
): { deadlineMs: number; deadlineIsCallers: boolean } {
  // grpc-js gives the client's deadline in the machine's wall time, whatever clock this server was composed with.
  const clientMs = Number(call.getDeadline()) - systemClock.now().getTime();
  const usableMs = clientMs - Math.min(answerReserveMs, clientMs / 10);
  const deadlineMs = clock.monotonicMs() + Math.min(requestTimeoutMs, usableMs);
  return { deadlineMs, deadlineIsCallers: usableMs < requestTimeoutMs };
}

function requestIdMetadata(requestId: string): Metadata {
  const metadata = new Metadata();
  metadata.set('x-request-id', requestId);
  return metadata;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

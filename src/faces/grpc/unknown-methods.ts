import { type handleBidiStreamingCall, type Server, status } from '@grpc/grpc-js';

/** A method in grpc-js's table. Its type is not exported. */
interface RegisteredMethod {
  path: string;
  /** `bidi` begins before any message has arrived, whatever kind of call the client makes. */
  type: 'bidi';
  func: handleBidiStreamingCall<Buffer, Buffer>;
  serialize(message: Buffer): Buffer;
  deserialize(bytes: Buffer): Buffer;
}

/** The maximum length of a path quoted in an answer, in characters. */
const maxPathLength = 200;

/**
 * Treats calls of unregistered methods like all others: bounded by `RequestAssembly`, and answered
 * UNSUPPORTED_OPERATION with details. grpc-js alone answers such calls on a path that skips the interceptors. Call it
 * after all services were added.
 * @param onCall called with the peer of each such call: they are not audited
 */
export function answerUnknownMethods(server: Server, onCall: (peer: string) => void): void {
  const internals = server as unknown as { handlers: unknown };
  // A test calls unknown methods, so an update of grpc-js that moves the table fails it.
  if (!(internals.handlers instanceof Map)) throw new Error('grpc-js has moved the table of its methods.');
  internals.handlers = new CompleteMethodTable(internals.handlers as Map<string, unknown>, onCall);
}

/** A table that has an entry for every path. Only `get` is complete: `has` answers for registered methods only. */
class CompleteMethodTable extends Map<string, unknown> {
  readonly #services: ReadonlySet<string>;
  readonly #onCall: (peer: string) => void;

  constructor(registered: Map<string, unknown>, onCall: (peer: string) => void) {
    super(registered);
    this.#onCall = onCall;
    this.#services = new Set([...registered.keys()].map(serviceOf));
  }

  override get(path: string): unknown {
    return super.get(path) ?? this.#unknown(path);
  }

  #unknown(path: string): RegisteredMethod {
    const kind = this.#services.has(serviceOf(path)) ? 'method' : 'service';
    const quoted = path.length <= maxPathLength ? path : `${path.slice(0, maxPathLength)}…`;
    const details = `This version of Holdfast does not have the ${kind} of ${quoted}. Is the client newer than the server?`;
    return {
      path,
      type: 'bidi',
      func: (call) => {
        this.#onCall(call.getPeer());
        call.emit('error', { code: status.UNIMPLEMENTED, details });
      },
      serialize: (message) => message,
      deserialize: (bytes) => bytes,
    };
  }
}

/** The service of `/package.Service/Method`. */
function serviceOf(path: string): string {
  return path.split('/')[1] ?? '';
}

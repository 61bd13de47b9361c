import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** What becomes known of a call on its way in. */
export interface ReceptionSteps {
  /** A whole message has arrived. */
  onMessage(): void;
  /** The client has said all that it has to say. */
  onHalfClose(): void;
  /** The call is over: answered, cancelled, or its stream closed. */
  onEnd(): void;
}

/** grpc-js does not export the types by name. */
type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type CallStatus = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/**
 * A call as the server's only interceptor passes it on. `ServerInterceptingCall` offers a hook for each step in each
 * direction, with a chain of closures a call; this one goes straight through.
 */
export class ReceivedCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #peer: string;
  readonly #answersOnce: boolean;
  readonly #steps: ReceptionSteps;

  /**
   * @param peer what `call.getPeer()` answers: it goes through a proxy of the socket each time.
   * @param answersOnce the method has one response message.
   */
  constructor(call: ServerInterceptingCallInterface, peer: string, answersOnce: boolean, steps: ReceptionSteps) {
    super(call);
    this.#call = call;
    this.#peer = peer;
    this.#answersOnce = answersOnce;
    this.#steps = steps;
  }

  override start(listener: Listener): void {
    const steps = this.#steps;
    // grpc-js goes on to tell what arrives for a call that we have ended: it must not be begun then.
    let isOver = false;
    this.#call.start({
      onReceiveMetadata: (metadata: Metadata) => listener.onReceiveMetadata(metadata),
      onReceiveMessage: (message: unknown) => {
        if (isOver) return;
        steps.onMessage();
        listener.onReceiveMessage(message);
      },
      onReceiveHalfClose: () => {
        if (isOver) return;
        steps.onHalfClose();
        listener.onReceiveHalfClose();
      },
      onCancel: () => {
        isOver = true;
        steps.onEnd();
        listener.onCancel();
      },
    });
  }

  override sendMetadata(metadata: Metadata): void {
    this.#call.sendMetadata(metadata);
  }

  /**
   * The status follows a single response at once, and not when its write is done: HEADERS, DATA and trailers leave in one
   * TLS record and one system call. HTTP/2 keeps them in order, also where flow control holds the data back.
   */
  override sendMessage(message: unknown, callback: () => void): void {
    if (!this.#answersOnce) {
      this.#call.sendMessage(message, callback);
      return;
    }
    this.#call.sendMessage(message, () => undefined);
    callback();
  }

  override sendStatus(status: CallStatus): void {
    this.#call.sendStatus(status);
  }

  override startRead(): void {
    this.#call.startRead();
  }

  override getPeer(): string {
    return this.#peer;
  }
}

import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** What becomes known of a call on its way in. */
export interface ReceptionSteps {
  /** A whole message has arrived. */
  onMessage(): void;
  /** The client has said all that it has to say. @returns whether it is a request: if not it was answered */
  onHalfClose(): boolean;
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
  readonly #steps: ReceptionSteps;

  /** @param peer what `call.getPeer()` answers: it goes through a proxy of the socket each time. */
  constructor(call: ServerInterceptingCallInterface, peer: string, steps: ReceptionSteps) {
    super(call);
    this.#call = call;
    this.#peer = peer;
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
        if (isOver || !steps.onHalfClose()) return;
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

  override sendMessage(message: unknown, callback: () => void): void {
    this.#call.sendMessage(message, callback);
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

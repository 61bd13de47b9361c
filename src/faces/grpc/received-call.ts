import { type Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js';

/** The steps of a call on its way in. */
export interface ReceptionSteps {
  /** A whole message has arrived. */
  onMessage(): void;
  /** The client has finished sending. @returns whether it sent a request; if not, the call was answered */
  onHalfClose(): boolean;
  /** The call is over: answered, cancelled, or its stream closed. */
  onEnd(): void;
}

/** grpc-js does not export these types by name. */
type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type CallStatus = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/**
 * A call as the server's only interceptor passes it on. `ServerInterceptingCall` offers a hook for each step in each
 * direction, with a chain of closures per call; this class passes straight through.
 */
export class ReceivedCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #peer: string;
  readonly #steps: ReceptionSteps;

  /** @param peer the value of `call.getPeer()`, which goes through a proxy of the socket each time. */
  constructor(call: ServerInterceptingCallInterface, peer: string, steps: ReceptionSteps) {
    super(call);
    this.#call = call;
    this.#peer = peer;
    this.#steps = steps;
  }

  override start(listener: Listener): void {
    const steps = this.#steps;
    // grpc-js still delivers what arrives for a call that we have ended: the call must not start then.
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

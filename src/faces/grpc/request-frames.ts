import { HoldfastError } from '../../errors.js';

/** The rules for the messages of one call. */
export interface RequestFrameRules {
  maximumMessageBytes: number;
  /** Whether the method takes any number of messages; all others take exactly one. */
  isStream: boolean;
  /** The value of the `grpc-encoding` header of the call. */
  encoding: string;
}

/** One byte of flags and four of length precede each message. */
export const headBytes = 5;
const compressedFlag = 1;

/**
 * Follows the messages of one request, without keeping them ("Length-Prefixed-Message" of gRPC over HTTP/2). grpc-js
 * alone accepts a message followed by a part of another one, ignores unknown flags, and begins to decompress every
 * message that arrives, even if the method takes only one: 90 calls with 800 messages of 25 bytes each kept it busy for
 * three seconds.
 */
export class RequestFrames {
  readonly #rules: RequestFrameRules;
  #messages = 0;
  /** The bytes of the head that were read, and the length that they give so far. */
  #headRead = 0;
  #length = 0;
  /** Bytes of the message that have not arrived. */
  #left = 0;

  constructor(rules: RequestFrameRules) {
    this.#rules = rules;
  }

  /** @returns why the request is refused, as soon as that is known */
  read(piece: Uint8Array): HoldfastError | undefined {
    let at = 0;
    while (at < piece.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, piece.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      const fault = this.#readHead(piece[at] ?? 0);
      if (fault !== undefined) return fault;
      at += 1;
    }
    return undefined;
  }

  /** The client has ended its side. @returns why the data is not a request */
  end(): HoldfastError | undefined {
    if (this.#headRead > 0 || this.#left > 0) return malformed('The request ends within its message.');
    if (this.#messages === 0 && !this.#rules.isStream) return malformed('The request has no message.');
    return undefined;
  }

  #readHead(byte: number): HoldfastError | undefined {
    this.#headRead += 1;
    if (this.#headRead === 1) return this.#begin(byte);
    this.#length = this.#length * 256 + byte;
    if (this.#headRead < headBytes) return undefined;
    this.#headRead = 0;
    this.#left = this.#length;
    return this.#length > this.#rules.maximumMessageBytes ? tooLong(this.#length, this.#rules) : undefined;
  }

  #begin(flags: number): HoldfastError | undefined {
    this.#messages += 1;
    this.#length = 0;
    if (this.#messages > 1 && !this.#rules.isStream) return malformed('The request has more than one message.');
    if (flags > compressedFlag) return malformed(`The message of the request has unknown flags: ${flags}.`);
    if (flags === compressedFlag && this.#rules.encoding === 'identity') {
      return malformed('The message of the request is marked as compressed, and grpc-encoding does not say how.');
    }
    return undefined;
  }
}

function malformed(message: string): HoldfastError {
  return new HoldfastError('VALIDATION', message);
}

function tooLong(bytes: number, { maximumMessageBytes }: RequestFrameRules): HoldfastError {
  const message = `The message of the request has ${bytes} bytes. This server takes ${maximumMessageBytes}.`;
  return new HoldfastError('LIMIT_EXCEEDED', message, { retryable: false });
}

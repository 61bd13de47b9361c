import { HoldfastError } from '../errors.js';

/** The message of CANCELLED, however far the request had come. */
export const cancelledMessage = 'The caller cancelled the request.';

/** Receives a cancellation, once; it must not throw. An object and not a closure: one is made for every request. */
export interface CancellationListener {
  cancelled(): void;
}

/** Signals that the caller is no longer waiting. */
export interface Cancellation {
  readonly isCancelled: boolean;
  /** @throws CANCELLED once the request is cancelled. */
  throwIfCancelled(): void;
  /** Notifies the listener when the request is cancelled, or at once if it already is. */
  onCancel(listener: CancellationListener): void;
}

/** The cancellation of one request, held by its face. One is made for every request, so it is kept small. */
export class RequestCancellation implements Cancellation {
  #isCancelled = false;
  #listeners: CancellationListener[] | undefined;

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  throwIfCancelled(): void {
    if (this.#isCancelled) throw new HoldfastError('CANCELLED', cancelledMessage);
  }

  onCancel(listener: CancellationListener): void {
    if (this.#isCancelled) listener.cancelled();
    else (this.#listeners ??= []).push(listener);
  }

  /** Idempotent. */
  cancel(): void {
    this.#isCancelled = true;
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const listener of listeners) listener.cancelled();
  }
}

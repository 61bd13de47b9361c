import { HoldfastError } from '../errors.js';

/** Tells who works for a request that nobody waits for it any more. */
export interface Cancellation {
  readonly isCancelled: boolean;
  /** @throws CANCELLED once it is cancelled. */
  throwIfCancelled(): void;
  /** Calls the listener when it is cancelled; at once where it is already. It must not throw. */
  onCancel(listener: () => void): void;
}

/** The cancellation of one request, for the face that hears of it. One is made for every request: it is kept small. */
export class RequestCancellation implements Cancellation {
  #isCancelled = false;
  #listeners: (() => void)[] | undefined;

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  throwIfCancelled(): void {
    if (this.#isCancelled) throw new HoldfastError('CANCELLED', 'The caller cancelled the request.');
  }

  onCancel(listener: () => void): void {
    if (this.#isCancelled) listener();
    else (this.#listeners ??= []).push(listener);
  }

  /** Once is enough; more does nothing. */
  cancel(): void {
    this.#isCancelled = true;
    const listeners = this.#listeners ?? [];
    this.#listeners = undefined;
    for (const listener of listeners) listener();
  }
}

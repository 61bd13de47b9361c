import type { Clock, ScheduledTask } from '../clock.js';
import { type Readiness, type ReadinessFacts, readinessOf } from '../status/readiness.js';
import { oneAtATime } from './inventory-check.js';

/** How old what it says may be, where no event told of the change. */
const lookEveryMs = 1_000;

/** What it asks at each look, and whom it tells. */
export interface ReadinessWatchTools {
  clock: Clock;
  /** Of now; never rejects. */
  facts(): Promise<ReadinessFacts>;
  /** Told after each look. */
  onLook(readiness: Readiness): void;
  /** Told when `cryptography` or `control` changed. */
  onChange(readiness: Readiness): void;
}

/** Keeps health true: it looks once a second, and when something happens to a key store or a member. */
export class ReadinessWatch {
  readonly #tools: ReadinessWatchTools;
  #last: Readiness = { control: false, cryptography: false, keyStores: new Map() };
  #next: ScheduledTask | undefined;
  readonly #lookOnce = oneAtATime(() => this.#lookNow());
  #stopped = false;

  constructor(tools: ReadinessWatchTools) {
    this.#tools = tools;
  }

  get ready(): boolean {
    return this.#last.cryptography;
  }

  /** Resolves after the first look. */
  start(): Promise<void> {
    return this.look();
  }

  /** What was under way when it was asked for may have seen the state before: it looks once more then. */
  look(): Promise<void> {
    return this.#lookOnce('');
  }

  stop(): void {
    this.#stopped = true;
    this.#next?.cancel();
  }

  async #lookNow(): Promise<void> {
    if (this.#stopped) return;
    const tools = this.#tools;
    const readiness = readinessOf(await tools.facts());
    if (this.#isStopped()) return;
    const { control, cryptography } = this.#last;
    this.#last = readiness;
    tools.onLook(readiness);
    if (readiness.control !== control || readiness.cryptography !== cryptography) tools.onChange(readiness);
    this.#next?.cancel();
    this.#next = tools.clock.schedule(lookEveryMs, () => void this.look());
  }

  #isStopped(): boolean {
    return this.#stopped;
  }
}

import type { Clock, ScheduledTask } from '../clock.js';
import { type Readiness, type ReadinessFacts, readinessOf } from '../status/readiness.js';
import { oneAtATime } from './inventory-check.js';

/** The maximum age of the reported readiness if no event announced a change. */
const lookEveryMs = 1_000;

/** The facts and the listeners of the watch. */
export interface ReadinessWatchTools {
  clock: Clock;
  /** The present facts; never rejects. */
  facts(): Promise<ReadinessFacts>;
  /** Called after each check. */
  onLook(readiness: Readiness): void;
  /** Called when `cryptography` or `control` changed. */
  onChange(readiness: Readiness): void;
}

/** Keeps health true: it checks once a second, and at each event of a key store or a member. */
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

  /** A check that was already running may have seen the earlier state, so another one follows. */
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

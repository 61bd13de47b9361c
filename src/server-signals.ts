/**
 * The signals of a server. Imports nothing and is imported first: without a listener Node ends the process at SIGHUP
 * and SIGUSR2, which systemd takes for a clean exit, and opens its inspector at SIGUSR1.
 */

/** The signals that stop a server. */
export type StopSignal = 'SIGTERM' | 'SIGINT';

/** Signals that have no meaning for a server, and must neither end it nor open its inspector. */
const meaninglessSignals = ['SIGUSR1', 'SIGUSR2'] as const;
/** A signal that a server ignores. */
export type MeaninglessSignal = (typeof meaninglessSignals)[number];

/** The reactions of a running server to signals. */
export interface SignalActions {
  /** SIGHUP. If one came before the actions were set, this is called at once: the log may have been rotated. */
  reload(): void;
  /** Called for a second SIGTERM or SIGINT. */
  stopAtOnce(): void;
  ignored(signal: MeaninglessSignal): void;
}

/** A terminal and a launcher may both pass on one Ctrl-C: a signal so soon after the first counts as the same. */
const sameSignalMs = 500;

/** Catches the signals for the rest of the process's life, and remembers those that come before the actions are set. */
export class ServerSignals {
  /** Resolves with the first SIGTERM or SIGINT. */
  readonly stopRequested: Promise<StopSignal>;
  #stop: (signal: StopSignal) => void = () => undefined;
  #stopRequestedMs: number | undefined;
  #reloadWanted = false;
  #ignored: MeaninglessSignal[] = [];
  #actions: SignalActions | undefined;

  constructor(source: NodeJS.EventEmitter) {
    this.stopRequested = new Promise((resolve) => (this.#stop = resolve));
    for (const signal of ['SIGTERM', 'SIGINT'] as const) source.on(signal, () => this.#stopAt(signal));
    source.on('SIGHUP', () => this.#hangUp());
    for (const signal of meaninglessSignals) source.on(signal, () => this.#ignore(signal));
  }

  /** Sets the reactions. Before the first call, a second SIGTERM or SIGINT ends the process: it serves nothing yet. */
  act(actions: SignalActions): void {
    this.#actions = actions;
    for (const signal of this.#ignored.splice(0)) actions.ignored(signal);
    if (!this.#reloadWanted) return;
    this.#reloadWanted = false;
    actions.reload();
  }

  #stopAt(signal: StopSignal): void {
    const nowMs = performance.now();
    if (this.#stopRequestedMs === undefined) {
      this.#stopRequestedMs = nowMs;
      this.#stop(signal);
      return;
    }
    if (nowMs - this.#stopRequestedMs < sameSignalMs) return;
    if (this.#actions === undefined) process.exit(1);
    this.#actions.stopAtOnce();
  }

  #hangUp(): void {
    if (this.#actions === undefined) this.#reloadWanted = true;
    else this.#actions.reload();
  }

  #ignore(signal: MeaninglessSignal): void {
    if (this.#actions === undefined) this.#ignored.push(signal);
    else this.#actions.ignored(signal);
  }
}

let caught: ServerSignals | undefined;

/** The signals of this process, caught from the first call on. */
export function serverSignals(): ServerSignals {
  caught ??= new ServerSignals(process);
  return caught;
}

/** For a command that is not a server: signals end it, but none opens the inspector of a process with secrets. */
export function ignoreInspectorSignal(): void {
  process.on('SIGUSR1', () => undefined);
}

import type { Clock, ScheduledTask } from '../clock.js';
import type { ClusterStatus } from './clusters.js';

/** When a process in which an HSM hangs asks to be replaced. */
export interface ReplacementSettings {
  /** Whether it asks at all; if not, it only reports that it is stuck. */
  replaceWhenStuck: boolean;
  /** How long nothing must have served: members that are being retried have had their chance. */
  replaceAfterMs: number;
  /**
   * How long it must have run before it asks: an HSM that hangs at every start must not cause a loop of restarts and
   * logins.
   */
  leastUptimeMs: number;
}

/**
 * - `none`: no member is stuck.
 * - `put-off`: a member is stuck, but another still serves (or replacing is switched off): exiting would take working
 *   members from callers.
 * - `due`: a member is stuck, and nothing serves. The process asks if that lasts.
 * - `asked`: the process stops taking work and ends.
 */
export const replacementStates = ['none', 'put-off', 'due', 'asked'] as const;
/** The label `state` of the metric `holdfast_process_replacement_state`. */
export type ReplacementState = (typeof replacementStates)[number];

/** A member, by the id of its cluster and its name. */
export interface StuckMember {
  clusterId: string;
  memberName: string;
}

/** Called for each change of the state, with the members that are stuck then. */
export type ReplacementListener = (state: ReplacementState, stuck: readonly StuckMember[]) => void;

/** The inputs of the decision. `status` is read at each check, so it is always current. */
export interface ReplacementTools {
  clock: Clock;
  settings: ReplacementSettings;
  status(): readonly ClusterStatus[];
  onChange: ReplacementListener;
}

/** How often it checks while something is stuck. */
const lookEveryMs = 500;

/**
 * Decides when the process should be replaced: `C_Finalize` is forbidden while a call hangs inside a module, so a
 * member that is stuck in one returns only with a new process. The process is not replaced while any member of any
 * connected cluster takes work.
 */
export class ProcessReplacement {
  /** Resolves when the process should stop taking work, finish work in flight, and exit. Otherwise it never does. */
  readonly asked: Promise<void>;
  readonly #tools: ReplacementTools;
  readonly #startedMs: number;
  readonly #ask: () => void;
  #state: ReplacementState = 'none';
  #dueSinceMs: number | undefined;
  #next: ScheduledTask | undefined;
  #stopped = false;

  constructor(tools: ReplacementTools) {
    this.#tools = tools;
    this.#startedMs = tools.clock.monotonicMs();
    let ask = (): void => undefined;
    this.asked = new Promise((resolve) => (ask = resolve));
    this.#ask = ask;
  }

  get state(): ReplacementState {
    return this.#state;
  }

  /** Called when something may have changed. It checks in a moment, when the reporter of the change is done. */
  look(): void {
    this.#lookIn(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#next?.cancel();
  }

  #lookIn(delayMs: number): void {
    if (this.#stopped || this.#state === 'asked') return;
    this.#next?.cancel();
    this.#next = this.#tools.clock.schedule(delayMs, () => this.#evaluate());
  }

  #evaluate(): void {
    const { clock, settings } = this.#tools;
    const clusters = this.#tools.status();
    const stuck = stuckMembers(clusters);
    if (stuck.length === 0) {
      this.#dueSinceMs = undefined;
      this.#enter('none', stuck);
      return;
    }
    if (!settings.replaceWhenStuck || clusters.some(serves)) {
      this.#dueSinceMs = undefined;
      this.#enter('put-off', stuck);
    } else {
      const nowMs = clock.monotonicMs();
      this.#dueSinceMs ??= nowMs;
      const askAtMs = Math.max(this.#dueSinceMs + settings.replaceAfterMs, this.#startedMs + settings.leastUptimeMs);
      this.#enter(nowMs >= askAtMs ? 'asked' : 'due', stuck);
    }
    this.#lookIn(lookEveryMs);
  }

  #enter(state: ReplacementState, stuck: readonly StuckMember[]): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#tools.onChange(state, stuck);
    if (state === 'asked') this.#ask();
  }
}

function stuckMembers(clusters: readonly ClusterStatus[]): StuckMember[] {
  return clusters.flatMap(({ clusterId, members }) =>
    members.filter(({ isStuck }) => isStuck).map(({ name }) => ({ clusterId, memberName: name })),
  );
}

function serves({ members }: ClusterStatus): boolean {
  return members.some(({ breaker, statistics }) => breaker === 'closed' && statistics?.admitted === true);
}

/** Random faults on all members but one at a time, many callers over gRPC, and a report of their results. */
import { ChaosCaller, Tally } from './chaos-callers.js';
import { type FaultKind, faultKinds } from './fault-kinds.js';
import { hsmCodes } from './matrix.js';
import { pending } from './pending.js';
import { collectedProcessSize, type ProcessSize, processSize } from './process-size.js';
import { type ReplicaMember, ReplicatedServer, until } from './replicated-server.js';
import { MovedClock } from '../e2e/accounting.js';
import { SeededRandom } from './seeded-random.js';

export interface ChaosOptions {
  durationMs: number;
  /** The duration of the rounds counts too: on a busy machine one round may fill the time. */
  fewestRounds?: number;
  seed: number;
  callers: number;
  /** Every size is taken after a collection, with the heap's. */
  measuresHeap?: boolean;
  /** Called after each round of faults. */
  onRound?: (line: string) => void;
}

/** A round with failed calls. */
export interface FailedRound {
  round: number;
  failedCalls: number;
  /** The cause, in the HSM's own words. */
  causes: Record<string, number>;
  /** Kind and duration of the fault of each ill member. */
  ill: Record<string, string>;
  /** Whether the third member stayed admitted. */
  oneWasWell: boolean;
  /** The server's log. */
  log: string[];
}

export interface ChaosReport {
  seed: number;
  seconds: number;
  callers: number;
  members: number;
  rounds: number;
  calls: number;
  /** Calls by outcome. */
  answers: Record<string, number>;
  failedCalls: number;
  failureCauses: Record<string, number>;
  /** Failures in rounds in which the third member stayed admitted: there may be none (invariant 8). */
  failedWhileOneWasWell: number;
  /** The faults and their members when calls failed. */
  failedRounds: FailedRound[];
  wrongResults: string[];
  /** Codes that are not in the list, or blame the caller. */
  untyped: string[];
  slowestMs: number;
  /** How often each kind of fault was on a member. */
  faults: Record<string, number>;
  slowestRecoveryMs: number;
  /** One after each round. */
  sizes: (ProcessSize & { atMs: number })[];
}

const memberCount = 3;
/** A time that a healthy member exceeds only if the machine stands still. */
const operationTimeoutMs = 1_500;
const requestTimeoutMs = 20_000;
const minFaultMs = 100;
const maxFaultMs = 1_200;

/**
 * Faults from which an HSM can recover while it serves, including slow and wrong ones, without those that wait for an
 * operator.
 */
const chaosKinds = faultKinds.filter(({ name, needsOperator }) => needsOperator !== true && !pending.has(name));

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const limits = { operationTimeoutMs, requestTimeoutMs };
  const clock = new MovedClock();
  const server = await ReplicatedServer.start({ memberCount, keyCount: 4, lanes: 8, ...limits, clock });
  // Only keys that are older than a minute are repaired.
  clock.offsetMs = 10 * 60_000;
  try {
    return await new Chaos(server, options).run();
  } finally {
    await server.dispose();
  }
}

class Chaos {
  readonly #server: ReplicatedServer;
  readonly #options: ChaosOptions;
  readonly #random: SeededRandom;
  readonly #tally = new Tally();
  readonly #faults: Record<string, number> = {};
  readonly #sizes: ChaosReport['sizes'] = [];
  readonly #startMs = performance.now();
  #slowestRecoveryMs = 0;
  #failedWhileOneWasWell = 0;
  readonly #failedRounds: FailedRound[] = [];

  constructor(server: ReplicatedServer, options: ChaosOptions) {
    this.#server = server;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  async run(): Promise<ChaosReport> {
    const { callers: count, durationMs, fewestRounds = 2, seed, onRound } = this.#options;
    let stopped = false;
    const callers = Array.from(
      { length: count },
      (_, index) => new ChaosCaller(this.#server.newClient(), this.#server.keyIds, this.#tally, seed + index),
    );
    const running = Promise.all(callers.map((caller) => caller.run(() => stopped)));
    try {
      while (performance.now() - this.#startMs < durationMs || this.#sizes.length < fewestRounds) {
        await this.#round();
        const size = this.#options.measuresHeap === true ? collectedProcessSize() : processSize();
        this.#sizes.push({ atMs: Math.round(this.#elapsedMs()), ...size });
        onRound?.(this.#progress());
      }
    } finally {
      stopped = true;
      await running;
    }
    await Promise.all(callers.map((caller) => caller.checkAll()));
    return this.#report();
  }

  /** Two members fall ill, each in its own way and for its own time; the next round waits until both serve again. */
  async #round(): Promise<void> {
    const spared = this.#random.below(memberCount);
    const ill = this.#server.members.filter((_, index) => index !== spared);
    const suspensions = () => this.#server.events.of(`member suspended/${this.#server.member(spared).name}`);
    const suspendedBefore = suspensions();
    const failedBefore = this.#tally.failures();
    this.#server.events.takeNotes();
    const causesBefore = this.#server.events.causes();
    const plans = ill.map((member) => ({
      member,
      kind: this.#random.pick(chaosKinds),
      durationMs: minFaultMs + this.#random.below(maxFaultMs - minFaultMs),
    }));
    await Promise.all(plans.map((plan) => this.#beIll(plan)));
    const healedMs = performance.now();
    await Promise.all(ill.map((member) => this.#servesAgain(member)));
    this.#slowestRecoveryMs = Math.max(this.#slowestRecoveryMs, performance.now() - healedMs);
    const failedCalls = this.#tally.failures() - failedBefore;
    if (failedCalls === 0) return;
    const oneWasWell = suspensions() === suspendedBefore;
    if (oneWasWell) this.#failedWhileOneWasWell += failedCalls;
    this.#failedRounds.push({
      round: this.#sizes.length,
      failedCalls,
      causes: since(causesBefore, this.#server.events.causes()),
      ill: Object.fromEntries(
        plans.map(({ member, kind, durationMs }) => [member.name, `${kind.name}, ${durationMs} ms`]),
      ),
      oneWasWell,
      log: this.#server.events.takeNotes(),
    });
  }

  async #beIll({ member, kind, durationMs }: { member: ReplicaMember; kind: FaultKind; durationMs: number }) {
    this.#faults[kind.name] = (this.#faults[kind.name] ?? 0) + 1;
    kind.begin(member.fault, operationTimeoutMs);
    await new Promise((resolve) => setTimeout(resolve, durationMs));
    kind.end(member.fault);
  }

  /**
   * Waits until it works for callers, twice: the second time a late, failing probe has had its effect. A member whose
   * inventory was taken while it found nothing gets no requests until the next round of reconciliation, a minute later.
   */
  async #servesAgain({ name, fault }: ReplicaMember): Promise<void> {
    for (let times = 0; times < 2; times += 1) {
      const asked = fault.calls('C_Encrypt');
      await until(`member ${name} works again`, () => fault.calls('C_Encrypt') > asked + memberCount, 120_000);
    }
  }

  #elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  #progress(): string {
    const { calls, wrong } = this.#tally;
    const { threads, descriptors, residentMebibytes } = processSize();
    const size = `${threads} threads, ${descriptors} descriptors, ${residentMebibytes} MiB`;
    const seconds = (this.#elapsedMs() / 1_000).toFixed(0);
    return `${seconds} s: ${calls} calls, ${this.#tally.failures()} failed, ${wrong.length} wrong; ${size}`;
  }

  #report(): ChaosReport {
    const answers = Object.fromEntries(this.#tally.answers);
    return {
      seed: this.#options.seed,
      seconds: Math.round(this.#elapsedMs() / 1_000),
      callers: this.#options.callers,
      members: memberCount,
      rounds: this.#sizes.length,
      calls: this.#tally.calls,
      answers,
      failedCalls: this.#tally.failures(),
      failureCauses: this.#server.events.causes(),
      failedWhileOneWasWell: this.#failedWhileOneWasWell,
      failedRounds: this.#failedRounds,
      wrongResults: this.#tally.wrong,
      untyped: Object.keys(answers).filter((answer) => answer !== 'ok' && !hsmCodes.has(answer)),
      slowestMs: Math.round(this.#tally.slowestMs),
      faults: this.#faults,
      slowestRecoveryMs: Math.round(this.#slowestRecoveryMs),
      sizes: this.#sizes,
    };
  }
}

function since(before: Record<string, number>, now: Record<string, number>): Record<string, number> {
  const more = Object.entries(now).map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0));
}

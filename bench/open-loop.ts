import { fileURLToPath } from 'node:url';
import type { OpenLoopAnswers, OpenLoopLoad } from './open-loop-client.js';
import { runProgram } from './program.js';
import { shuffled } from './random-order.js';
import type { BenchResult } from './report.js';
import type { RoundsPlan } from './rounds.js';
import { median } from './statistics.js';
import type { Target } from './target.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';

const client = fileURLToPath(new URL('open-loop-client.ts', import.meta.url));

/** Shares of the ceiling. */
const shares = [0.1, 0.5, 0.8] as const;

/** As many connections as the other load generators have. */
const connections = 8;

const warmUpSeconds = 1;

/** Medians over the rounds of a load that does not wait for answers. */
export interface OpenLoopResult {
  /** `encrypt`, or `echo` at the same rate: what the client and the machine add. */
  name: string;
  /** The share of Encrypt's ceiling under this client. */
  share: number;
  /** Requests per second that were due, and that were answered: fewer, if the server or the client fell behind. */
  offeredRps: number;
  rps: number;
  /** Latencies, counted from the time at which a request was due. */
  latencyMs: OpenLoopAnswers['latencyMs'];
  /** The client's own part in the latencies. */
  sentLateMs: OpenLoopAnswers['sentLateMs'];
}

export interface OpenLoopPlan extends RoundsPlan {
  /** The most that Encrypt reached in a closed loop, in requests per second. */
  closedCeilingRps: number;
}

/** The most requests per second that Encrypt reached in a closed loop. Throws if it was not measured. */
export function ceilingOf(results: readonly Pick<BenchResult, 'name' | 'rps'>[]): number {
  const reached = results.filter(({ name }) => name.startsWith('encrypt-h2load@')).map(({ rps }) => rps);
  if (reached.length === 0) throw new Error('Encrypt was not measured: its ceiling is unknown.');
  return Math.max(...reached);
}

/** Measures each share at each server, in a new random order each round. */
export async function measureOpenLoop(
  targets: Readonly<Record<string, Target>>,
  { closedCeilingRps, rounds, seconds, check, progress }: OpenLoopPlan,
): Promise<OpenLoopResult[]> {
  const ceilingRps = await ceilingOfThisClient(targets, closedCeilingRps, seconds);
  progress(`open loop: the ceiling is ${Math.round(ceilingRps)}/s`);
  const loads = shares.flatMap((share) =>
    Object.entries(targets).map(([name, target]) => ({ name, target, share, answers: [] as OpenLoopAnswers[] })),
  );
  for (let round = 1; round <= rounds; round += 1) {
    for (const { name, target, share, answers } of shuffled(loads)) {
      const answer = await loadAt({ target, ratePerSecond: share * ceilingRps, seconds, warmUpSeconds, connections });
      check();
      answers.push(answer);
      const { p50, p99 } = answer.latencyMs;
      progress(
        `round ${round}/${rounds}  open loop, ${share * 100} %, ${name}: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`,
      );
    }
  }
  return loads.map(({ name, share, answers }) => resultOf(name, share, share * ceilingRps, answers));
}

/**
 * On a machine with few cores this client takes more from the server than h2load does. So it first offers what was the
 * ceiling there, and takes what is answered.
 */
async function ceilingOfThisClient(
  { encrypt: target }: Readonly<Record<string, Target>>,
  closedCeilingRps: number,
  seconds: number,
): Promise<number> {
  if (target === undefined) throw new Error('Encrypt is not among the targets: its ceiling is unknown.');
  const load = { target, ratePerSecond: closedCeilingRps, seconds, warmUpSeconds, connections };
  const { answered, elapsedSeconds } = await loadAt(load);
  return Math.min(closedCeilingRps, answered / elapsedSeconds);
}

/** Measures one load. @throws ProgramFailure if a request fails or is not answered */
export async function loadAt(load: OpenLoopLoad): Promise<OpenLoopAnswers> {
  const parameters = ['--import', typescriptHooks, client, JSON.stringify(load)];
  return JSON.parse(
    await runProgram({ program: process.execPath, parameters, environment: withoutHooks() }),
  ) as OpenLoopAnswers;
}

function resultOf(
  name: string,
  share: number,
  offeredRps: number,
  answers: readonly OpenLoopAnswers[],
): OpenLoopResult {
  const of = (value: (answer: OpenLoopAnswers) => number) => Number(median(answers.map(value)).toPrecision(5));
  return {
    name,
    share,
    offeredRps: Math.round(offeredRps),
    rps: of(({ answered, elapsedSeconds }) => answered / elapsedSeconds),
    latencyMs: {
      p50: of(({ latencyMs }) => latencyMs.p50),
      p99: of(({ latencyMs }) => latencyMs.p99),
      p999: of(({ latencyMs }) => latencyMs.p999),
    },
    sentLateMs: { p50: of(({ sentLateMs }) => sentLateMs.p50), p99: of(({ sentLateMs }) => sentLateMs.p99) },
  };
}

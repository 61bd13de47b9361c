/** Runs cells of the matrix: one fault kind, one operation, on a rig with one member or three. */
import type { ErrorCode } from '../../src/errors.js';
import type { FaultHsm } from '../native/fault-hsm.js';
import { type FaultKind, workFunctions } from './fault-kinds.js';
import { type Operation, reasonOf } from './operations.js';
import { type ReplicaMember, until } from './replicated-server.js';

/** Members, and the operations on them. */
export interface Rig {
  /** How many members hold the keys: one or three. */
  memberCount: number;
  /** The first is the one that falls ill. */
  members: readonly ReplicaMember[];
  operations: readonly Operation[];
  operationTimeoutMs: number;
}

/** The outcome of one cell. */
export interface CellOutcome {
  kind: string;
  operation: string;
  memberCount: number;
  failsOver: boolean;
  calls: number;
  /** Calls by outcome: `ok` or a code. */
  answers: Record<string, number>;
  /** How often the ill member received the operation's function while it was ill. */
  met: number;
  slowestMs: number;
  /**
   * From the end of the fault to the first round in which the member takes part without a failure; null: not without an
   * operator.
   */
  recoveredMs: number | null;
}

/** An answer must come within ten times the deadline of one attempt. */
const boundFactor = 10;
const callsInAWave = 4;
const waves = 2;
/** The bound on a recovery, far longer than necessary: it only shows that the member returns at all. */
const recoveryBoundMs = 15_000;

/**
 * Runs a cell while the first member is ill; `problemsOf` judges the outcome.
 * @throws WrongResult, or if the member does not return
 */
export async function runCell(rig: Rig, kind: FaultKind, operation: Operation): Promise<CellOutcome> {
  const [ill] = rig.members;
  if (ill === undefined) throw new Error('A rig has members.');
  const metBefore = workCalls(ill.fault);
  const loginsBefore = ill.fault.calls('C_Login');
  kind.begin(ill.fault, rig.operationTimeoutMs);
  const calls: CallOutcome[] = [];
  for (let wave = 0; wave < waves; wave += 1) calls.push(...(await round(operation)));
  const met = workCalls(ill.fault) - metBefore;
  const { needsOperator = false, mostLogins } = kind;
  if (mostLogins !== undefined) await expectLogins(ill, operation, loginsBefore + mostLogins);
  kind.end(ill.fault);
  const recoveredMs = needsOperator ? null : await recovery(ill, operation);
  for (const { check } of calls) if (recoveredMs !== null) await check();
  return {
    kind: kind.name,
    operation: operation.name,
    memberCount: rig.memberCount,
    failsOver: operation.failsOver,
    calls: calls.length,
    answers: countBy(calls.map(({ answer }) => answer)),
    met,
    slowestMs: Math.max(...calls.map(({ durationMs }) => durationMs)),
    recoveredMs,
  };
}

/** A missing device affects calls before any work. */
const watchedFunctions = [...workFunctions, 'C_OpenSession', 'C_GetSessionInfo', 'C_GetTokenInfo'];

function workCalls(fault: FaultHsm): number {
  return watchedFunctions.reduce((sum, name) => sum + fault.calls(name), 0);
}

function round(operation: Operation): Promise<CallOutcome[]> {
  return Promise.all(Array.from({ length: operation.oneAtATime ? 1 : callsInAWave }, () => timed(operation)));
}

interface CallOutcome {
  answer: string;
  durationMs: number;
  check: () => Promise<void>;
}

async function timed(operation: Operation): Promise<CallOutcome> {
  const startMs = performance.now();
  const ended = (answer: string, check = () => Promise.resolve()): CallOutcome => ({
    answer,
    check,
    durationMs: performance.now() - startMs,
  });
  try {
    return ended('ok', await operation.run());
  } catch (error) {
    return ended(reasonOf(error));
  }
}

/** Resolves with the time that the member took to work for callers again, without an operator. */
async function recovery(member: ReplicaMember, operation: Operation): Promise<number> {
  const startMs = performance.now();
  let goodRounds = 0;
  // Twice, because the first may have been the probe that readmits it.
  const back = async (): Promise<boolean> => {
    const before = member.fault.calls(operation.primary);
    const calls = await round(operation);
    const tookPart = member.fault.calls(operation.primary) > before;
    goodRounds = tookPart && calls.every(({ answer }) => answer === 'ok') ? goodRounds + 1 : 0;
    return goodRounds === 2;
  };
  await until(`${member.name} takes part in ${operation.name} again`, back, recoveryBoundMs);
  return performance.now() - startMs;
}

/** How long a member is left to its recovery before its logins are counted: several of its delays. */
const recoveryRounds = 5;
const recoveryRoundMs = 100;

/** @throws if there were more logins, however long it was retried. */
async function expectLogins({ name, fault }: ReplicaMember, operation: Operation, most: number): Promise<void> {
  for (let rounds = 0; rounds < recoveryRounds; rounds += 1) {
    await round(operation);
    await new Promise((resolve) => setTimeout(resolve, recoveryRoundMs));
  }
  const logins = fault.calls('C_Login');
  if (logins > most) throw new Error(`${name} was logged in to ${logins} times, ${most} are allowed`);
}

function countBy(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

/** Codes that concern the HSM: any other blames the caller for the HSM's failure (invariant 5). */
export const hsmCodes: ReadonlySet<string> = new Set([
  'DEPENDENCY_TIMEOUT',
  'KEY_UNAVAILABLE',
  'KMS_INTERNAL',
  'KMS_INVALID_STATE',
  'LIMIT_EXCEEDED',
] satisfies ErrorCode[]);

/** The problems of an outcome; empty if there are none. */
export function problemsOf(outcome: CellOutcome, kind: FaultKind, operationTimeoutMs: number): string[] {
  const { answers, memberCount, slowestMs } = outcome;
  const answered = JSON.stringify(answers);
  const failed = outcome.calls - (answers['ok'] ?? 0);
  const alone = memberCount === 1;
  const boundMs = boundFactor * operationTimeoutMs;
  const untyped = Object.keys(answers).some((answer) => answer !== 'ok' && !hsmCodes.has(answer));
  const wrong: [boolean, string][] = [
    [untyped, `not an HSM's error: ${answered}`],
    [outcome.met === 0 && failed === 0 && kind.alone === 'fails', 'the fault was not met'],
    [!alone && outcome.failsOver && failed > 0, `callers saw ${answered}`],
    [alone && failed === 0 && kind.alone === 'fails', 'nothing failed'],
    [alone && failed > 0 && kind.alone === 'passes', `callers saw ${answered}`],
    [slowestMs > boundMs, `answered after ${slowestMs.toFixed(0)} ms, the bound is ${boundMs} ms`],
  ];
  return wrong.filter(([is]) => is).map(([, what]) => `${cellName(outcome)}: ${what}`);
}

export function cellName(cell: { kind: string; operation: string; memberCount: number }): string {
  return `${cell.kind} × ${cell.operation} × ${cell.memberCount}`;
}

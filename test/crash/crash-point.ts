/** The PKCS#11 calls of a run, and the places in each at which a process is killed. */
import type { FaultHsm, TracedCall } from '../native/fault-hsm.js';

/** One place: before a call, after it, or so many fifths of its duration inside it. */
export interface CrashPoint {
  /** The index of the member whose token is called; -1 for a commit of the catalog. */
  readonly member: number;
  /** For a commit: the module that makes it. */
  readonly functionName: string;
  /** Which call of the function on this member, from 1. */
  readonly ordinal: number;
  readonly place: 'before' | 'after' | 'in';
  /** Whether a token may have another state after the call. */
  readonly changes: boolean;
  /** Whether the process dies that waits for the one that makes the call, with it. */
  readonly withParent?: boolean;
  /** For `in`: how many fifths of the recorded duration, and how many microseconds they are. */
  readonly fifths?: number;
  readonly insideUs?: number;
}

/** They write objects, in several steps: a kill may leave one half-written. */
const writingFunctions = new Set([
  'C_CreateObject',
  'C_DestroyObject',
  'C_GenerateKey',
  'C_SetAttributeValue',
  'C_UnwrapKey',
]);
/** An object that is written to disk takes several milliseconds, one of a session some microseconds. */
const fastestWriteMs = 0.5;
/**
 * SoftHSM writes its token's file at each login and each change of a PIN. It writes it in place, so a kill inside C_SetPIN
 * loses the token (measured with 2.6.1: no slot has it afterwards): that says nothing of who called it.
 */
const otherChanges = new Set(['C_Login', 'C_SetPIN', 'C_Initialize', 'C_Finalize']);

/** The name by which results are kept, the same in every run. */
export function pointName({ member, functionName, ordinal, place, fifths, withParent }: CrashPoint): string {
  const where = place === 'in' ? `in ${fifths}/5 of` : place;
  if (member < 0) return `${place} commit ${ordinal} of ${functionName}`;
  const who = withParent === true ? ', with its parent' : '';
  return `member ${'abcdefgh'.charAt(member)}: ${where} ${functionName} ${ordinal}${who}`;
}

/**
 * Leaves out points where everything is as at a neighbour, because only calls that read are between: for an act whose
 * calls follow each other.
 */
export function distinctPoints(points: readonly CrashPoint[]): CrashPoint[] {
  const changes = (index: number): boolean => points[index]?.changes ?? true;
  return points.filter((_, index) => [index - 1, index, index + 1].some(changes));
}

/** Lets the process that makes the call die there. */
export function arm(faults: readonly FaultHsm[], { member, functionName, ordinal, place, insideUs }: CrashPoint): void {
  const action = place === 'after' ? 'die-after' : place === 'in' ? `die ${insideUs}` : 'die';
  faults[member]?.obey(`${functionName} after ${ordinal - 1} times 1 ${action}`);
}

/** Notes which calls the members receive from now on. */
export class Recording {
  readonly #faults: readonly FaultHsm[];
  readonly #before: readonly number[];

  constructor(faults: readonly FaultHsm[]) {
    this.#faults = faults;
    this.#before = faults.map((fault) => fault.returned());
  }

  /** Every place of every call, in the order in which the calls began. @throws if the trace was too short */
  points(): CrashPoint[] {
    const calls = this.#faults.flatMap((fault, member) => this.#callsOf(fault, member));
    calls.sort((one, other) => one.call.startMs - other.call.startMs);
    return calls.flatMap(({ member, ordinal, call }) => placesOf(member, ordinal, call));
  }

  #callsOf(fault: FaultHsm, member: number) {
    const first = (this.#before[member] ?? 0) + 1;
    const calls = fault.trace().filter(({ number }) => number >= first);
    if (calls.length !== fault.returned() - first + 1) throw new Error('The trace does not have all calls.');
    calls.sort((one, other) => one.startMs - other.startMs);
    const ordinals = new Map<string, number>();
    return calls.map((call) => {
      const ordinal = (ordinals.get(call.functionName) ?? 0) + 1;
      ordinals.set(call.functionName, ordinal);
      return { member, ordinal, call };
    });
  }
}

function placesOf(member: number, ordinal: number, { functionName, startMs, endMs }: TracedCall): CrashPoint[] {
  const writes = writingFunctions.has(functionName) && endMs - startMs >= fastestWriteMs;
  const point = { member, functionName, ordinal, changes: writes || otherChanges.has(functionName) };
  const inside = (writes ? [1, 2, 3, 4] : []).map((fifths) => {
    const insideUs = Math.round(((endMs - startMs) * 1_000 * fifths) / 5);
    return { ...point, place: 'in', fifths, insideUs } as const;
  });
  return [{ ...point, place: 'before' }, ...inside, { ...point, place: 'after' }];
}

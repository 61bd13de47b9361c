/** The PKCS#11 calls of a run and its writes to disk, and the places in each at which a process is killed. */
import type { FaultHsm, TracedCall } from '../native/fault-hsm.js';
import type { DiskCall, DiskShim } from './disk-shim.js';

/** One place: before a call, after it, or so many fifths of its duration inside it. */
export interface CrashPoint {
  /** The index of the member whose token is called; `catalog` for a commit. */
  readonly member: number | 'catalog' | 'disk';
  /** For a commit: the module that makes it. For a write to disk: with its file. */
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
  if (member === 'disk') return `disk: ${where} ${functionName} ${ordinal}`;
  if (member === 'catalog') return `${place} commit ${ordinal} of ${functionName}`;
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

/** Leaves out writes that follow one to the same file and have one after them: of a page, in the middle of many. */
export function withoutRepeatedWrites(points: readonly CrashPoint[]): CrashPoint[] {
  const isSame = (index: number, other: number): boolean =>
    points[index]?.member === 'disk' && points[index].functionName === points[other]?.functionName;
  return points.filter((_, index) => !(isSame(index, index - 1) && isSame(index, index + 1)));
}

/** What a process calls: the tokens of the members, and the disk if it is watched. */
export interface Called {
  readonly faults: readonly FaultHsm[];
  readonly disk?: DiskShim;
}

/** Lets the process that makes the call die there. */
export function arm({ faults, disk }: Called, { member, functionName, ordinal, place, insideUs }: CrashPoint): void {
  const after = ordinal - 1;
  const action = place === 'after' ? 'die-after' : 'die';
  if (member === 'disk') return disk?.obey(functionName, action, { after });
  if (typeof member === 'number')
    faults[member]?.obey(`${functionName} after ${after} times 1 ${place === 'in' ? `die ${insideUs}` : action}`);
}

/** Notes which calls the members and the disk receive from now on. */
export class Recording {
  readonly #called: Called;
  readonly #before: readonly number[];
  readonly #beforeOnDisk: number;

  constructor(called: Called) {
    this.#called = called;
    this.#before = called.faults.map((fault) => fault.returned());
    this.#beforeOnDisk = called.disk?.returned() ?? 0;
  }

  /** Every place of every call, in the order in which the calls began. @throws if the trace was too short */
  points(): CrashPoint[] {
    const { faults, disk } = this.#called;
    const ofMembers = faults.flatMap((fault, member) =>
      callsSince(this.#before[member] ?? 0, fault).map(({ call, ordinal }) => ({
        startMs: call.startMs,
        places: placesOf(member, ordinal, call),
      })),
    );
    const onDisk = disk === undefined ? [] : callsSince(this.#beforeOnDisk, namedCalls(disk));
    const ofDisk = onDisk.map(({ call, ordinal }) => ({ startMs: call.startMs, places: placesOnDisk(ordinal, call) }));
    const all = [...ofMembers, ...ofDisk].sort((one, other) => one.startMs - other.startMs);
    return all.flatMap(({ places }) => places);
  }
}

/** A call, and which of its name it is, from 1. */
interface Numbered<Call> {
  readonly call: Call;
  readonly ordinal: number;
}

/** @throws if the trace was too short */
function callsSince<Call extends { number: number; functionName: string; startMs: number }>(
  before: number,
  calls: { returned: () => number; trace: () => Call[] },
): Numbered<Call>[] {
  const found = calls.trace().filter(({ number }) => number > before);
  if (found.length !== calls.returned() - before) throw new Error('The trace does not have all calls.');
  found.sort((one, other) => one.startMs - other.startMs);
  const ordinals = new Map<string, number>();
  return found.map((call) => {
    const ordinal = (ordinals.get(call.functionName) ?? 0) + 1;
    ordinals.set(call.functionName, ordinal);
    return { call, ordinal };
  });
}

function namedCalls(disk: DiskShim) {
  const trace = () => disk.trace().map((call) => ({ ...call, functionName: call.name }));
  return { returned: () => disk.returned(), trace };
}

/** A kill loses nothing that the kernel has: what is after a call is before the next one. */
function placesOnDisk(ordinal: number, { name }: DiskCall): CrashPoint[] {
  return [{ member: 'disk', functionName: name, ordinal, place: 'before', changes: true }];
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

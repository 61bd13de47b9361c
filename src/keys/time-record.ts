import type { BootTime } from '../clock.js';

/** A reading of the clocks. */
export interface TimeReading extends BootTime {
  /** Wall time. */
  date: Date;
}

/** The catalog's record of time. */
export interface TimeRecord {
  /** A trusted reading: the first of its boot, or the one that an operator confirmed. */
  reference: TimeReading;
  /** When the service last checked the clock. */
  lastSeenDate: Date;
  /** Why deletions are held; null if they are not. */
  hold: DeletionHold | null;
}

/** Nothing is destroyed until an operator confirms. */
export interface DeletionHold {
  reason: HoldReason;
  since: Date;
  /** The wall time that was expected, and the one that was read; null after a restore. */
  expected: Date | null;
  found: Date | null;
}

/** `restored`: the catalog is a backup, and does not know which deletions were cancelled since. */
export type HoldReason = 'clock-forward' | 'clock-backward' | 'restored';

/**
 * How far the wall clock may move against the machine's running time, over all steps since the reference. NTP slews
 * both equally, so only steps count, and a well-kept clock never steps by minutes. Five minutes are little beside the
 * minimum of seven days that a deletion waits.
 */
export const stepToleranceMs = 5 * 60_000;

/**
 * How long a machine may have been off without a confirmation. Its real duration is unknown: after a start there is
 * only the wall clock. A jump that is taken for such a pause shortens a key's seven days by as much. A pause that is
 * taken for a jump costs one command, and delays the deletions that were due. So the bound is a day: reboots,
 * maintenance and a night pass; after a weekend or a month an operator confirms.
 */
export const pauseToleranceMs = 24 * 3_600_000;

/** The record after another reading of the clocks. A hold stays until an operator lifts it. Pure. */
export function recordAfter(known: TimeRecord | undefined, now: TimeReading): TimeRecord {
  if (known === undefined) return { reference: now, lastSeenDate: now.date, hold: null };
  if (known.hold !== null) return known;
  const continues = isSameBoot(known.reference, now);
  const expected = continues ? expectedDate(known.reference, now) : known.lastSeenDate;
  const jumpMs = now.date.getTime() - expected.getTime();
  if (jumpMs < -stepToleranceMs) return { ...known, hold: jump('clock-backward', expected, now) };
  const forwardToleranceMs = continues ? stepToleranceMs : pauseToleranceMs;
  if (jumpMs > forwardToleranceMs) return { ...known, hold: jump('clock-forward', expected, now) };
  return { reference: continues ? known.reference : now, lastSeenDate: now.date, hold: null };
}

/** The record once an operator has confirmed that the clocks are right now. */
export function confirmedRecord(now: TimeReading): TimeRecord {
  return { reference: now, lastSeenDate: now.date, hold: null };
}

/**
 * Whether both readings are from one boot. If the time since the machine's start goes back, as in containers that count
 * their own, the boots cannot be compared.
 */
function isSameBoot(reference: BootTime, now: BootTime): boolean {
  return reference.bootId !== '' && reference.bootId === now.bootId && now.sinceBootMs >= reference.sinceBootMs;
}

function expectedDate(reference: TimeReading, now: BootTime): Date {
  return new Date(reference.date.getTime() + now.sinceBootMs - reference.sinceBootMs);
}

function jump(reason: HoldReason, expected: Date, now: TimeReading): DeletionHold {
  return { reason, since: now.date, expected, found: now.date };
}

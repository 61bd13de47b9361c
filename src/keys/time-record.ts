import type { BootTime } from '../clock.js';

/** A reading of the clocks. */
export interface TimeReading extends BootTime {
  /** Wall time. */
  date: Date;
}

/** What the catalog knows of time. */
export interface TimeRecord {
  /** A reading that was believed: the first of its boot, or the one that an operator confirmed. */
  reference: TimeReading;
  /** When the service last looked. */
  lastSeenDate: Date;
  /** Why nothing is destroyed; null when it is. */
  hold: DeletionHold | null;
}

/** Nothing is destroyed until an operator confirms. */
export interface DeletionHold {
  reason: HoldReason;
  since: Date;
  /** What the wall clock should have said, and what it said; null after a restore. */
  expected: Date | null;
  found: Date | null;
}

/** `restored`: the catalog is a backup, and does not know which deletions were cancelled since. */
export type HoldReason = 'clock-forward' | 'clock-backward' | 'restored';

/**
 * How far the wall clock may move against the machine's running time, all steps since the reference together. NTP slews
 * both alike, so only steps count, and a clock that is kept right makes none of minutes. Five of them are nothing beside
 * the seven days that the shortest deletion waits.
 */
export const stepToleranceMs = 5 * 60_000;

/**
 * How long a machine may have been off without a question. Nothing says how long it really was: the wall clock's word is
 * all there is after a start. A jump that is taken for such a pause costs a key as much of its seven days; a pause that is
 * taken for a jump costs one command, and destroys what was due a little later. So the bound is a day: reboots,
 * maintenance and a night pass; after a weekend or a month an operator confirms.
 */
export const pauseToleranceMs = 24 * 3_600_000;

/** The record after another look at the clocks. A hold stays until an operator takes it away. Pure. */
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

/** Where the time since the start of the machine goes back, as in containers that count their own, nothing can be said. */
function isSameBoot(reference: BootTime, now: BootTime): boolean {
  return reference.bootId !== '' && reference.bootId === now.bootId && now.sinceBootMs >= reference.sinceBootMs;
}

function expectedDate(reference: TimeReading, now: BootTime): Date {
  return new Date(reference.date.getTime() + now.sinceBootMs - reference.sinceBootMs);
}

function jump(reason: HoldReason, expected: Date, now: TimeReading): DeletionHold {
  return { reason, since: now.date, expected, found: now.date };
}

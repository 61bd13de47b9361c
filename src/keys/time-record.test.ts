import { describe, expect, test } from 'vitest';
import { confirmedRecord, pauseToleranceMs, recordAfter, stepToleranceMs, type TimeReading } from './time-record.js';

const [minuteMs, dayMs] = [60_000, 24 * 3_600_000];
const start = new Date('2026-03-01T12:00:00Z').getTime();

/** A reading: wall and running time since `start`, in milliseconds. */
const at = (wallMs: number, runningMs: number, bootId = 'boot-1'): TimeReading => ({
  date: new Date(start + wallMs),
  bootId,
  sinceBootMs: 1_000 + runningMs,
});
const known = confirmedRecord(at(0, 0));
const holdAfter = (...readings: TimeReading[]) =>
  readings.reduce((record, reading) => recordAfter(record, reading), known).hold?.reason ?? null;

describe('while the machine runs', () => {
  test.each([
    ['a minute later', at(minuteMs, minuteMs), null],
    ['a year later, suspended or not', at(365 * dayMs, 365 * dayMs), null],
    ['a step of NTP’s size', at(minuteMs + stepToleranceMs, minuteMs), null],
    ['the same step back', at(minuteMs - stepToleranceMs, minuteMs), null],
    ['a longer step', at(minuteMs + stepToleranceMs + 1, minuteMs), 'clock-forward'],
    ['a longer step back', at(minuteMs - stepToleranceMs - 1, minuteMs), 'clock-backward'],
    ['an hour that did not pass', at(61 * minuteMs, minuteMs), 'clock-forward'],
    ['a year that did not pass', at(365 * dayMs, minuteMs), 'clock-forward'],
    ['a clock that stands still', at(0, 6 * minuteMs), 'clock-backward'],
    ['the epoch, as without a battery', at(-start, minuteMs), 'clock-backward'],
  ])('%s', (_, reading, hold) => {
    expect(holdAfter(reading)).toBe(hold);
  });

  test('steps below the tolerance add up', () => {
    const steps = Array.from({ length: 10 }, (_, index) => at((index + 1) * 2 * minuteMs, (index + 1) * minuteMs));
    expect(holdAfter(...steps)).toBe('clock-forward');
  });

  test('a clock that comes back by itself does not end the hold', () => {
    expect(holdAfter(at(365 * dayMs, minuteMs), at(2 * minuteMs, 2 * minuteMs))).toBe('clock-forward');
  });
});

describe('when the machine starts', () => {
  const down = (wallMs: number) => [at(dayMs, dayMs), at(dayMs + wallMs, 0, 'boot-2')] as const;
  test.each([
    ['after a reboot', minuteMs, null],
    ['after a night', 12 * 60 * minuteMs, null],
    ['after the longest pause without a question', pauseToleranceMs, null],
    ['after a longer one', pauseToleranceMs + 1, 'clock-forward'],
    ['after a month', 30 * dayMs, 'clock-forward'],
    ['a little before it went down', -stepToleranceMs, null],
    ['before it went down', -stepToleranceMs - 1, 'clock-backward'],
    ['before the epoch', -dayMs - start, 'clock-backward'],
  ])('%s', (_, wallMs, hold) => {
    expect(holdAfter(...down(wallMs))).toBe(hold);
  });

  test('running time is compared from then on', () => {
    expect(holdAfter(...down(60_000), at(3 * dayMs, dayMs, 'boot-2'))).toBe('clock-forward');
  });

  test('if only the service restarts, the time passed is known exactly', () => {
    expect(holdAfter(at(30 * dayMs, 30 * dayMs))).toBeNull();
    expect(holdAfter(at(60 * minuteMs, 0))).toBe('clock-forward');
  });

  test('without boot ids only the wall clock is compared', () => {
    const nameless = confirmedRecord(at(0, 0, ''));
    expect(recordAfter(nameless, at(dayMs, 1, '')).hold).toBeNull();
    expect(recordAfter(nameless, at(dayMs + 1, 1, '')).hold?.reason).toBe('clock-forward');
  });
});

test('the first reading causes no hold, and an operator’s confirmation makes the reading the new reference', () => {
  expect(recordAfter(undefined, at(0, 0))).toEqual(known);
  const confirmed = confirmedRecord(at(365 * dayMs, minuteMs));
  expect(recordAfter(confirmed, at(365 * dayMs + minuteMs, 2 * minuteMs)).hold).toBeNull();
  expect(recordAfter(confirmed, at(2 * minuteMs, 2 * minuteMs)).hold?.reason).toBe('clock-backward');
});

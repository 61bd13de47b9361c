import { beforeEach, expect, test } from 'vitest';
import { LoadMeter } from './load-meter.js';

const lanes = 4;
let meter: LoadMeter;
let atMs: number;
let operations: number;
let busyMs: number;

beforeEach(() => {
  meter = new LoadMeter();
  [atMs, operations, busyMs] = [0, 0, 0];
  meter.take({ atMs, operations, busyMs, lanes });
});

/** A window of ten seconds. */
function pass(operationsPerSecond: number, utilisation: number): void {
  atMs += 10_000;
  operations += 10 * operationsPerSecond;
  busyMs += 10_000 * lanes * utilisation;
  meter.take({ atMs, operations, busyMs, lanes });
}

test('rate and utilisation are means of the last minute', () => {
  for (let window = 0; window < 20; window += 1) pass(900, 0.9);
  for (let window = 0; window < 3; window += 1) pass(100, 0.1);
  expect(meter.load).toMatchObject({ operationsPerSecond: 500, utilisation: 0.5 });
  for (let window = 0; window < 3; window += 1) pass(100, 0.1);
  expect(meter.load.operationsPerSecond).toBeCloseTo(100);
});

test('the ceiling is unknown until there was load', () => {
  pass(1_000, 0.49);
  expect(meter.load.ceiling).toBeUndefined();
  pass(1_000, 0.5);
  expect(meter.load.ceiling).toBe(2_000);
});

test('a few slow calls are no load', () => {
  pass(1, 1);
  expect(meter.load.ceiling).toBeUndefined();
});

test('the window with the highest utilisation decides, until it is an hour old', () => {
  pass(1_000, 1);
  pass(800, 0.5);
  expect(meter.load.ceiling).toBe(1_000);
  for (let window = 0; window < 361; window += 1) pass(800, 0.5);
  expect(meter.load.ceiling).toBe(1_600);
});

test('the ceiling is never below the highest rate seen', () => {
  pass(3_000, 0.4);
  pass(1_000, 1);
  expect(meter.load.ceiling).toBe(3_000);
});

test('counters that begin anew are measured anew, and the ceiling stays', () => {
  pass(1_000, 1);
  [operations, busyMs] = [0, 0];
  pass(10, 0.1);
  expect(meter.load).toEqual({ operationsPerSecond: 0, utilisation: 0, ceiling: 1_000 });
  pass(10, 0.1);
  expect(meter.load).toMatchObject({ operationsPerSecond: 10, ceiling: 1_000 });
  meter.pause();
  expect(meter.load).toEqual({ operationsPerSecond: 0, utilisation: 0, ceiling: 1_000 });
});

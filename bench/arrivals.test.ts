import { expect, test } from 'vitest';
import { arrivals } from './arrivals.js';

test('requests are due at the rate, in order, within the time', () => {
  let state = 1;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const due = arrivals(1000, 20, random);
  expect(Math.abs(due.length - 20_000)).toBeLessThan(600);
  expect(due.every((atMs, index) => atMs > (due[index - 1] ?? 0) && atMs < 20_000)).toBe(true);
});

test('gaps are as of a Poisson process: as long on average as they vary', () => {
  let state = 7;
  const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const due = arrivals(100, 200, random);
  const gaps = [...due].map((atMs, index) => atMs - (due[index - 1] ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
  expect(mean).toBeGreaterThan(9.5);
  expect(mean).toBeLessThan(10.5);
  expect(Math.sqrt(variance) / mean).toBeGreaterThan(0.95);
  expect(Math.sqrt(variance) / mean).toBeLessThan(1.05);
});

test('chance at its limits makes no endless gap', () => {
  expect([...arrivals(1000, 0.001, () => 0.9999)]).toEqual([]);
});

import { expect, test } from 'vitest';
import { backoffDelayMs } from './backoff.js';

const backoff = { firstDelayMs: 100, maximumDelayMs: 1_000 };

test('doubles up to the maximum', () => {
  expect([0, 1, 2, 3, 4, 5_000].map((attempt) => backoffDelayMs(backoff, attempt, 0))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ]);
});

test('subtracts at most half', () => {
  expect(backoffDelayMs(backoff, 1, 0.5)).toBe(150);
  expect(backoffDelayMs(backoff, 1, 0.999_999)).toBeGreaterThan(100);
});

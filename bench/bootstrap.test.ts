import { expect, test } from 'vitest';
import { estimate } from './bootstrap.js';

/** Numbers that look random and are the same in every run (a linear congruential generator of Numerical Recipes). */
function repeatable(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test('rounds that agree leave no doubt', () => {
  expect(estimate([2, 2, 2])).toEqual({ median: 2, confidence95: [2, 2] });
});

test('the interval lies within the values, around the median, and grows with their spread', () => {
  const width = (spread: number) => {
    const values = Array.from({ length: 10 }, (_, index) => 1 + (index - 4.5) * spread);
    const { median, confidence95 } = estimate(values, repeatable(7));
    expect(median).toBe(1);
    expect(confidence95[0]).toBeGreaterThanOrEqual(values[0] ?? Number.NaN);
    expect(confidence95[0]).toBeLessThan(1);
    expect(confidence95[1]).toBeGreaterThan(1);
    return confidence95[1] - confidence95[0];
  };
  expect(width(0.02)).toBeCloseTo(2 * width(0.01));
});

test('of many samples of ten, most intervals contain the true median', () => {
  const random = repeatable(42);
  const trials = 200;
  let hits = 0;
  for (let trial = 0; trial < trials; trial += 1) {
    const [lower, upper] = estimate(Array.from({ length: 10 }, random), random).confidence95;
    if (lower <= 0.5 && upper >= 0.5) hits += 1;
  }
  expect(hits / trials).toBeGreaterThan(0.85);
});

test('no rounds give no estimate', () => {
  expect(() => estimate([])).toThrow('no median');
});

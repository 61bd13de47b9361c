import { expect, test } from 'vitest';
import { tryShareMs } from './try-deadline.js';

test('two hanging members leave the third as much time as each of them had', () => {
  const triesMs: number[] = [];
  let leftMs = 9_000;
  for (const candidates of [3, 2, 1]) {
    const shareMs = tryShareMs(leftMs, candidates);
    triesMs.push(shareMs);
    leftMs -= shareMs;
  }
  expect(triesMs).toEqual([3_000, 3_000, 3_000]);
});

test('an attempt gets all the remaining time if no other can follow, or if a share would be too short', () => {
  expect(tryShareMs(1_000, 0)).toBe(1_000);
  expect(tryShareMs(1_000, 1)).toBe(1_000);
  expect(tryShareMs(90, 2)).toBe(90);
});

import { expect, test } from 'vitest';
import { grown, growthOf } from './growth.js';

const size = (residentMebibytes: number) => ({ threads: 30, descriptors: 40, residentMebibytes });

test('a series that is flat after the warm-up has not grown', () => {
  const samples = Array.from({ length: 30 }, (_, index) => size(index < 8 ? 100 + 10 * index : 180 + (index % 3)));
  expect(grown(growthOf(samples))).toEqual([]);
});

test('a series that keeps rising has grown', () => {
  const samples = Array.from({ length: 30 }, (_, index) => size(100 + 10 * index));
  expect(grown(growthOf(samples))).toEqual(['residentMebibytes: 220 → 370']);
});

test('the heap after a collection counts too, if it was measured', () => {
  const samples = (step: number) =>
    Array.from({ length: 30 }, (_, index) => ({ ...size(180), heapMebibytes: 60 + step * index }));
  expect(grown(growthOf(samples(0.1)))).toEqual([]);
  expect(grown(growthOf(samples(2)))).toEqual(['heapMebibytes: 84 → 114']);
});

test('too few samples are an error', () => {
  expect(() => growthOf([size(1), size(1)])).toThrow(/2 samples/);
});

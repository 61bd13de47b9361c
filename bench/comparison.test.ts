import { expect, test } from 'vitest';
import { comparisonOf, lowerRank } from './comparison.js';

test('a comparison gives the median, the quartiles and the confidence of the ratios, less 1', () => {
  const ratios = [1.05, 0.98, 1.02, 1.01, 1.03, 1.0, 1.04, 1.02, 0.99];
  expect(comparisonOf(ratios)).toEqual({
    overhead: 0.02,
    quartiles: [0, 0.03],
    confidence95: [-0.01, 0.04],
    pairs: 9,
  });
  expect(() => comparisonOf([])).toThrow('no median');
});

test('one ratio that is far off moves neither the median nor its confidence', () => {
  const ratios = Array.from({ length: 41 }, (_, index) => 1 + index / 1000);
  const disturbed = ratios.with(40, 3);
  expect(comparisonOf(disturbed)).toEqual(comparisonOf(ratios));
});

/**
 * The maximum rank below which the median of that many values lies with a probability of at most 2.5 %, from tables of
 * the sign test.
 */
test.each([
  [5, 0],
  [6, 0],
  [9, 1],
  [20, 5],
  [40, 13],
  [100, 39],
])('of %i values the median lies above the one at index %i with 97.5 % confidence', (count, index) => {
  expect(lowerRank(count)).toBe(index);
});

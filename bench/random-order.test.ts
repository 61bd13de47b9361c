import { expect, test } from 'vitest';
import { shuffled, shuffledBlocks } from './random-order.js';

test('shuffling loses nothing', () => {
  expect(shuffled(['a', 'b', 'c']).toSorted()).toEqual(['a', 'b', 'c']);
  const falling = [0.3, 0.2, 0.1];
  expect(shuffled([1, 2, 3], () => falling.shift() ?? 0)).toEqual([3, 2, 1]);
});

test('the members of a block stay neighbours, in random order too', () => {
  const places = [0.9, 0.1, ...[0.2, 0.1], ...[0.3, 0.2, 0.1]];
  const blocks = [
    ['a', 'b', 'c'],
    ['d', 'e'],
  ];
  expect(shuffledBlocks(blocks, () => places.shift() ?? 0)).toEqual(['e', 'd', 'c', 'b', 'a']);
});

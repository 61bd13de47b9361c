import { describe, expect, test } from 'vitest';
import { allGenerations, generationInUse, type MemberMarks, newestGeneration, nextGenerations } from './generations.js';
import { firstGeneration, generationAfter, generationForNewMember, generationWithout } from './numbers.js';

/** Marks as text: `a:1x,2y` is member a with generation 1 of digest x and generation 2 of digest y. */
function marks(...members: string[]): MemberMarks[] {
  return members.map((text) => {
    const [name = '', list = ''] = text.split(':');
    const generations = list.split(',').filter((mark) => mark !== '');
    return {
      name,
      generations: generations.map((mark) => ({
        ...{ number: Number(mark.slice(0, -1)), digest: mark.slice(-1) },
        enforced: true,
      })),
    };
  });
}

describe('the generation in use', () => {
  test.each([
    ['none', marks('a:', 'b:'), undefined],
    ['the newest one', marks('a:1x,2y', 'b:1x,2y'), 2],
    ['one that a member lacks: that member is behind', marks('a:1x,2y', 'b:1x,2y', 'c:1x'), 2],
    ['not one that is on too few members for a new key', marks('a:1x,2y', 'b:1x', 'c:1x'), 1],
    ['that of too few members, if no other is on more', marks('a:2y', 'b:', 'c:'), 2],
    ['not one whose marks contradict each other', marks('a:1x,2y', 'b:1x,2z'), 1],
  ])('is %s', (_, members, number) => {
    expect(generationInUse(members, 2)?.number).toBe(number);
  });

  test('names the members that are behind', () => {
    expect(newestGeneration(marks('a:1x,2y', 'b:1x', 'c:'))).toEqual({
      number: 2,
      missing: ['b', 'c'],
      digests: ['y'],
    });
    expect(allGenerations(marks('a:1x,2y', 'b:1x')).map(({ missing }) => missing)).toEqual([[], ['b']]);
  });
});

describe('the generation that is made', () => {
  test.each([
    ['init, fresh', firstGeneration, marks('a:', 'b:'), [1]],
    ['init, broken off among the marks', firstGeneration, marks('a:1x', 'b:'), [1]],
    ['init, again', firstGeneration, marks('a:1x', 'b:1x'), [1]],
    ['add-member, a fresh member', generationForNewMember, marks('a:1x', 'b:'), [1, 2]],
    ['add-member, broken off before its record', generationForNewMember, marks('a:1x,2y', 'b:2y'), [2]],
    ['rotate-wrapping-key', generationAfter, marks('a:1x', 'b:1x'), [2]],
    ['rotate-wrapping-key, broken off among the marks', generationAfter, marks('a:1x,2y', 'b:1x'), [2, 3]],
    ['rotate-wrapping-key, marks that contradict each other', generationAfter, marks('a:1x', 'b:1y'), [2]],
    ['remove-member', generationWithout, marks('a:1x', 'b:1x'), [2]],
    ['remove-member, with an unfinished generation', generationWithout, marks('a:1x,2y', 'b:1x'), [3]],
  ])('%s', (_, numbers, members, expected) => {
    expect(numbers(members)).toEqual(expected);
  });

  test('there must be one before the next, and none before the first', () => {
    expect(() => firstGeneration(marks('a:1x,2y', 'b:1x'))).toThrow('has generation 2 already');
    for (const numbers of [generationForNewMember, generationAfter, generationWithout])
      expect(() => numbers(marks('a:', 'b:'))).toThrow('has no generation yet');
  });

  test('a planted mark of the last number leaves no next one', () => {
    const planted = marks('a:1x,4294967295z', 'b:1x,4294967295z');
    expect(nextGenerations(planted)).toEqual({ finish: undefined, make: 4294967296 });
    expect(() => generationAfter(planted)).toThrow('no higher number');
  });
});

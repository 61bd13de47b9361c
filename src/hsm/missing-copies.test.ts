import { expect, test } from 'vitest';
import type { Member } from './member.js';
import { MissingCopies } from './missing-copies.js';

const [a, b] = [{ index: 0 }, { index: 1 }] as unknown as [Member, Member];

test('an inventory says what a member lacks, and what it has by now', () => {
  const missing = new MissingCopies();
  missing.compare(a, ['1', '2', '3'], new Set(['2', 'foreign']));
  missing.compare(b, ['1', '2', '3'], new Set(['1', '2', '3']));
  expect(['1', '2', '3', 'foreign'].map((id) => missing.membersLacking(id))).toEqual([
    new Set([a]),
    undefined,
    new Set([a]),
    undefined,
  ]);
  missing.compare(a, ['1', '3'], new Set(['1']));
  expect(['1', '3'].map((id) => missing.membersLacking(id))).toEqual([undefined, new Set([a])]);
});

test('is empty again once every member has everything', () => {
  const missing = new MissingCopies();
  expect([missing.note('1', a), missing.note('1', a), missing.note('1', b)]).toEqual([true, false, true]);
  missing.forget('1', a);
  expect(missing.membersLacking('1')).toEqual(new Set([b]));
  missing.forget('1', b);
  expect(missing.membersLacking('1')).toBeUndefined();
  missing.note('2', a);
  missing.forgetMaterial('2');
  expect(missing.membersLacking('2')).toBeUndefined();
});

test('knows where a copy cannot be: nowhere since an earlier one began that may come late', () => {
  const missing = new MissingCopies();
  missing.note('1', a);
  expect([missing.begin('1', a), missing.begin('1', a), missing.begin('1', b)]).toEqual([true, false, false]);
  missing.end('1', a);
  expect(missing.begin('1', a), 'the first one has failed').toBe(true);
  missing.compare(a, ['1'], new Set(['1']));
  expect(missing.begin('1', a), 'an inventory has shown it').toBe(false);
  missing.compare(a, ['1'], new Set());
  expect(missing.begin('1', a)).toBe(false);
  missing.forgetMaterial('1');
  missing.note('1', a);
  expect(missing.begin('1', a)).toBe(true);
});

import { expect, test } from 'vitest';
import { pinRulesOf } from './pin-rules.js';
import { lettersAndDigits } from './profiles/profile.js';

const digits = { alphabet: '0123456789', length: 40 };

test('without a member that was opened, the usual characters', () => {
  expect(pinRulesOf([])).toEqual({ ...lettersAndDigits, minimumBytes: null, maximumBytes: null });
});

test('several members: the characters that they share, and the narrowest limits', () => {
  const one = { generatedPin: lettersAndDigits, token: { minPinLength: 4, maxPinLength: 255 } };
  const other = { generatedPin: digits, token: { minPinLength: 8, maxPinLength: 64 } };
  const silent = { generatedPin: digits, token: { minPinLength: null, maxPinLength: null } };
  const shared = { alphabet: '23456789', length: 40, minimumBytes: 8, maximumBytes: 64 };
  expect(pinRulesOf([one, other, silent])).toEqual(shared);
});

import { expect, test } from 'vitest';
import { HoldfastError } from '../errors.js';
import { generatePin } from './generated-pin.js';

const alphabet = 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const rules = { alphabet, length: 24, minimumBytes: null, maximumBytes: null };

const generated = (
  change: Partial<typeof rules | Record<'minimumBytes' | 'maximumBytes', number>>,
  maximumPinLength = 32,
) => new TextDecoder().decode(generatePin({ pinRules: { ...rules, ...change }, maximumPinLength }).reveal());

test('a PIN has the length that the members want, and a character of each class', () => {
  for (const maximum of [24, 32, 255]) {
    const pin = generated({}, maximum);
    expect(pin).toMatch(/^(?=.*[a-z])(?=.*[A-Z])(?=.*[2-9])[A-Za-z2-9]+$/);
    expect(pin).toHaveLength(24);
  }
  expect(new Set(Array.from({ length: 100 }, () => generated({}))).size).toBe(100);
});

test('the limits of the tokens and of the cluster hold, and it is longer where that needs 128 bits', () => {
  expect(generated({ minimumBytes: 30 })).toHaveLength(30);
  expect(generated({ maximumBytes: 22 })).toHaveLength(22);
  expect(generated({}, 23)).toHaveLength(23);
  expect(generated({ alphabet: '0123456789' }, 64)).toMatch(/^[0-9]{39}$/);
});

test('less than 128 bits are refused, with the number', () => {
  const refusal = (change: Parameters<typeof generated>[0], maximum?: number) => {
    try {
      generated(change, maximum);
    } catch (error) {
      expect(error).toBeInstanceOf(HoldfastError);
      return (error as HoldfastError).message;
    }
    return expect.fail('it was made');
  };
  expect(refusal({ maximumBytes: 21 })).toMatch(/^A random PIN of 21 characters out of 57 has 122 bits, and 128 are/);
  expect(refusal({ alphabet: '0123456789' })).toContain('of 32 characters out of 10 has 106 bits');
  // Members that share no character.
  expect(refusal({ alphabet: '' })).toContain('out of 0 has 0 bits');
});

import { expect, test } from 'vitest';
import { printable } from './printable.js';

test.each([
  ['CN=operator, O=Müller & Söhne', 'CN=operator, O=Müller & Söhne'],
  ['a\nb\r\u001b[2Jc\u0000', 'a\\u000ab\\u000d\\u001b[2Jc\\u0000'],
  ['\u2028\u2029\u202e\u200b\ufeff', '\\u2028\\u2029\\u202e\\u200b\\ufeff'],
  ['\u009b31m', '\\u009b31m'],
  ['\ud800x', '\\ud800x'],
  ['😀', '😀'],
])('%j', (text, shown) => {
  expect(printable(text)).toBe(shown);
});

test('a long text is cut', () => {
  expect(printable('x'.repeat(100_000), 10)).toBe('xxxxxxxxxx…');
});

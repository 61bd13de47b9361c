import { expect, test } from 'vitest';
import { measuredMethods } from './methods.js';
import { regressionsOf, smokeBounds, smokeTable } from './smoke.js';

const bounds = { 'encrypt@32': 0.2, 'decrypt@32': 0.1 };

test('ratios at their bounds pass', () => {
  expect(regressionsOf({ 'encrypt@32': 0.2, 'decrypt@32': 0.4, 'sign@32': 0.01 }, bounds)).toEqual([]);
});

test('a ratio below its bound is a regression, in words', () => {
  expect(regressionsOf({ 'encrypt@32': 0.199, 'decrypt@32': 0.05 }, bounds)).toEqual([
    expect.stringContaining('encrypt@32 costs 5.0 times the CPU of the echo'),
    expect.stringContaining('decrypt@32 costs 20.0 times the CPU of the echo, and at most 10.0 are allowed'),
  ]);
});

test('a ratio that is missing or no number is a regression: a row that is lost must not pass', () => {
  expect(regressionsOf({ 'encrypt@32': Number.NaN }, bounds)).toEqual([
    'encrypt@32 was not measured.',
    'decrypt@32 was not measured.',
  ]);
});

test('every measured method has a bound', () => {
  for (const { name } of measuredMethods) expect(smokeBounds[`${name}@32`]).toBeGreaterThan(0);
});

test('the table has each ratio and its bound', () => {
  expect(smokeTable({ toEchoPerCpu: { 'encrypt@32': 0.33 }, bounds })).toContain(
    'encrypt@32               0.330  (at least 0.2)',
  );
});

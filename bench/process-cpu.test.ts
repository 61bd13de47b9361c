import { expect, test } from 'vitest';
import { cpuSecondsIn, cpuSecondsOf } from './process-cpu.js';

test('user and system time are added, whatever the program is called', () => {
  const stat = '4242 (a (b) c 1 2 3) S 1 4242 4242 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 99 1 2';
  expect(cpuSecondsIn(stat, 100)).toBe(3);
  expect(() => cpuSecondsIn('4242 (node) S', 100)).toThrow('Not a stat file');
});

test('the CPU time of this process rises while it works', () => {
  const before = cpuSecondsOf(process.pid);
  const until = performance.now() + 100;
  while (performance.now() < until);
  expect(cpuSecondsOf(process.pid)).toBeGreaterThan(before);
});

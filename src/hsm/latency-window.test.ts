import { expect, test } from 'vitest';
import { LatencyWindow } from './latency-window.js';

function filled(durationsMs: readonly number[]): LatencyWindow {
  const window = new LatencyWindow();
  for (const durationMs of durationsMs) window.add(durationMs);
  return window;
}

const oneTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);

test('has no percentile until there are 32', () => {
  expect(filled(oneTo(31)).p95Ms).toBeUndefined();
  expect(filled(oneTo(32)).p95Ms).toBe(31);
});

test('covers the last 256', () => {
  expect(filled(oneTo(256).reverse()).p95Ms).toBe(244);
  expect(filled([...oneTo(1_000).map(() => 9_999), ...oneTo(256 + 8)]).p95Ms).toBe(8 + 244);
});

import { expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { Pace } from './pace.js';

const never = new AbortController().signal;

test('lets so many pieces of work begin in a second, and saves up none', async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, 10);
  clock.advance(60_000);
  await pace.turn(never);
  const order: string[] = [];
  const second = pace.turn(never).then(() => order.push('second'));
  clock.advance(99);
  await Promise.resolve();
  order.push('99 ms');
  clock.advance(1);
  await second;
  expect(order).toEqual(['99 ms', 'second']);
});

test('does not wait once its work is to end', async () => {
  const clock = new ManualClock();
  const pace = new Pace(clock, 1);
  const ending = new AbortController();
  await pace.turn(ending.signal);
  const next = pace.turn(ending.signal);
  ending.abort();
  await next;
  expect(clock.scheduled).toBe(0);
});

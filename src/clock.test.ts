import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../test/manual-clock.js';
import { type Deadline, Deadlines } from './clock.js';

describe('deadlines on one timer', () => {
  it('fire in order of time, each once, whatever order they were set in', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const overdue: string[] = [];
    for (const [name, afterMs] of [
      ['late', 300],
      ['soon', 100],
      ['also soon', 100],
      ['between', 200],
    ] as const) {
      deadlines.add(clock.monotonicMs() + afterMs, () => overdue.push(name));
    }
    expect(clock.scheduled).toBe(1);
    clock.advance(99);
    expect(overdue).toEqual([]);
    clock.advance(1);
    expect(overdue).toEqual(['soon', 'also soon']);
    clock.advance(100);
    clock.advance(1_000);
    expect(overdue).toEqual(['soon', 'also soon', 'between', 'late']);
    expect(clock.scheduled).toBe(0);
  });

  it('do not fire if they were cancelled, even by another that fires at the same time', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const overdue: string[] = [];
    const atMs = clock.monotonicMs() + 100;
    const cancelled = deadlines.add(atMs, () => overdue.push('cancelled'));
    deadlines.add(atMs, () => {
      overdue.push('first');
      second.cancel();
    });
    const second = deadlines.add(atMs, () => overdue.push('second'));
    cancelled.cancel();
    clock.advance(1_000);
    expect(overdue).toEqual(['first']);
  });

  it('fire if another one set them while firing, or if they are in the past', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    const overdue: string[] = [];
    deadlines.add(clock.monotonicMs() - 5, () => {
      overdue.push('past');
      deadlines.add(clock.monotonicMs() + 50, () => overdue.push('next'));
    });
    expect(overdue).toEqual([]);
    clock.advance(0);
    clock.advance(50);
    expect(overdue).toEqual(['past', 'next']);
  });

  it('share one timer for any number of requests that end in time', () => {
    const clock = new ManualClock();
    const deadlines = new Deadlines(clock);
    for (let request = 0; request < 1_000; request += 1) {
      deadlines.add(clock.monotonicMs() + 10_000, () => expect.unreachable()).cancel();
      expect(clock.scheduled).toBe(1);
      clock.advance(1);
    }
    clock.advance(20_000);
    expect(clock.scheduled).toBe(0);
  });

  it('keep nothing alive once they are cancelled', async () => {
    const deadlines = new Deadlines(new ManualClock());
    const [waiter, deadline] = cancelled(deadlines);
    // A weak reference keeps its target until the end of the turn that made it.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(waiter.deref()).toBeUndefined();
    deadline.cancel();
  });
});

function cancelled(deadlines: Deadlines): [WeakRef<object>, Deadline] {
  const waiter = { answer: 'what a request waits for' };
  const deadline = deadlines.add(1_000, () => expect.unreachable(waiter.answer));
  deadline.cancel();
  return [new WeakRef(waiter), deadline];
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

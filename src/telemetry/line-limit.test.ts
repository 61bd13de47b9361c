import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { LineLimit } from './line-limit.js';

const clock = new ManualClock();

describe('LineLimit', () => {
  it('lets through twenty lines of a kind in a second, and reports the number of the others with the next line', () => {
    const limit = new LineLimit(clock);
    const admitted = Array.from({ length: 1_000 }, () => limit.admit('a'));
    expect(admitted.filter((line) => line !== undefined)).toHaveLength(20);
    expect(limit.admit('b')).toEqual({});
    clock.advance(1_000);
    expect(limit.admit('a')).toEqual({ unreported: 980 });
    expect(limit.admit('a')).toEqual({});
  });

  it('does not limit occasional lines', () => {
    const limit = new LineLimit(clock);
    for (let line = 0; line < 100; line += 1) {
      expect(limit.admit('a')).toEqual({});
      clock.advance(60);
    }
  });
});

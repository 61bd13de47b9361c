import { describe, expect, it } from 'vitest';
import { type Eventual, orElse, whenKnown } from './eventual.js';

const double = (value: number): Eventual<number> => 2 * value;
const doubleLater = (value: number): Eventual<number> => Promise.resolve(2 * value);
const refuse = (): never => {
  throw new Error('no');
};

describe('whenKnown', () => {
  it('goes on at once with a known value', () => {
    expect(whenKnown(1, double)).toBe(2);
    expect(whenKnown(undefined, String)).toBe('undefined');
    expect(() => whenKnown(1, refuse)).toThrow('no');
  });

  it('goes on later with a promised value', async () => {
    expect(whenKnown(Promise.resolve(1), double)).toBeInstanceOf(Promise);
    expect(await whenKnown(Promise.resolve(1), double)).toBe(2);
    expect(await whenKnown(1, doubleLater)).toBe(2);
    await expect(whenKnown(Promise.resolve(1), refuse)).rejects.toThrow('no');
  });
});

describe('orElse', () => {
  const recovered = (error: unknown): string => `recovered from ${(error as Error).message}`;

  it('gives the value if there is one', async () => {
    expect(orElse(() => 1, recovered)).toBe(1);
    expect(await orElse(() => Promise.resolve(1), recovered)).toBe(1);
  });

  it('treats a thrown error like a rejection', async () => {
    expect(orElse(refuse, recovered)).toBe('recovered from no');
    expect(await orElse(() => Promise.reject(new Error('no')), recovered)).toBe('recovered from no');
  });

  it('passes on the errors of its second function', async () => {
    expect(() => orElse(refuse, refuse)).toThrow('no');
    await expect(orElse(() => Promise.reject(new Error('first')), refuse)).rejects.toThrow('no');
  });
});

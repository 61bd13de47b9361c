import { describe, expect, test } from 'vitest';
import { MemberOpenError } from './member-open-error.js';
import type { NativeFailureKind } from './native.js';
import { StuckOpenings } from './recovery.js';
import { defaultRecoverySettings } from '../../test/hsm/default-settings.js';

const settings = { ...defaultRecoverySettings, maxStuckOpenings: 2 };
const hangingShared = { hangs: true, shared: true };

function failed(kind: NativeFailureKind, rv = 0): MemberOpenError {
  const cause = Object.assign(new Error(kind), { kind, rv, functionName: '' });
  return new MemberOpenError('NETWORK_ERRORS', true, kind, { cause });
}

function after(causes: readonly unknown[], opening = hangingShared): boolean {
  const openings = new StuckOpenings(settings);
  for (const cause of causes) openings.failed(cause, opening);
  return openings.isStuck;
}

describe('a member is stuck', () => {
  const kinds: NativeFailureKind[] = [
    'lane-deadline',
    'queue-deadline',
    'token-missing',
    'rv',
    'lock-held',
    'no-member',
  ];
  const rows = kinds.flatMap((one) => kinds.map((other) => [one, other] as const));

  test.each(rows)(
    'after three attempts to open it, in any order, while something hangs in its shared instance: %s, %s',
    (one, other) => {
      expect(after([failed(one), failed(other)])).toBe(false);
      expect(after([failed(one), failed(other), failed(one)])).toBe(true);
    },
  );

  test('after three attempts that reached their deadline, even with others in between', () => {
    const own = { hangs: true, shared: false };
    const late = failed('lane-deadline');
    expect(after([late, failed('rv'), late, failed('token-missing'), late], own)).toBe(true);
    expect(after([late, failed('rv'), late, failed('token-missing')], own)).toBe(false);
  });

  test('at once if the addon says so', () => {
    expect(after([failed('stuck')])).toBe(true);
  });
});

describe('a member is not stuck', () => {
  test.each([true, false])('while nothing hangs, however often it is lost (shared: %s)', (shared) => {
    expect(after(Array(9).fill(failed('token-missing')), { hangs: false, shared })).toBe(false);
  });

  test('because its own instance answers: a hang in another instance does not affect it', () => {
    expect(after(Array(9).fill(failed('token-missing')), { hangs: true, shared: false })).toBe(false);
  });

  test('because its PIN was refused: another process would be refused too', () => {
    const refused = new MemberOpenError('INVALID_CREDENTIALS', false, 'refused');
    expect(after(Array(9).fill(refused))).toBe(false);
  });

  test('once it has opened, or the hanging call has returned', () => {
    const openings = new StuckOpenings(settings);
    const fail = (hangs: boolean) => openings.failed(failed('rv'), { hangs, shared: true });
    for (let count = 0; count < 3; count += 1) fail(true);
    expect(openings.isStuck).toBe(true);
    fail(false);
    expect(openings.isStuck).toBe(false);
    for (let count = 0; count < 3; count += 1) fail(true);
    openings.opened();
    expect(openings.isStuck).toBe(false);
  });
});

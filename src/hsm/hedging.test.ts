import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { type HedgedEnd, Hedging, type TryEnd } from './hedging.js';
import { Secret } from '../secret.js';
import type { Member } from './member.js';

type Answer = Secret;

/** An attempt under way, which the test ends. */
interface OpenTry {
  member: Member;
  tryNumber: number;
  end(end: TryEnd<Answer>): void;
  /** Not a failure of the addon. */
  break(error: Error): void;
}

const member = (memberName: string, isAdmitted = true) => ({ place: { memberName }, isAdmitted }) as unknown as Member;
const failedOn = (on: Member, callerFault = false): TryEnd<Answer> =>
  ({ failed: { member: on, failure: {}, classification: { callerFault } } }) as unknown as TryEnd<Answer>;
const settled = () => new Promise((resolve) => setImmediate(resolve));

let clock: ManualClock;
let hedging: Hedging;
let tries: OpenTry[];
let mayAskAgain: boolean;
let members: Member[];
let asked: number;
let told: string[];

beforeEach(() => {
  clock = new ManualClock();
  told = [];
  hedging = new Hedging(clock, (operation, what) => void told.push(`${operation} ${what}`));
  tries = [];
  mayAskAgain = true;
  members = [member('a'), member('b')];
  asked = 0;
});

const ask = (): Promise<HedgedEnd<Answer>> =>
  hedging.ask<Answer>({
    operation: 'decrypt',
    members,
    ask: (on, tryNumber) => {
      asked += 1;
      return new Promise((end, broken) => tries.push({ member: on, tryNumber, end, break: broken }));
    },
    mayAskAgain: () => mayAskAgain,
  });

const secret = (value: number) => new Secret(Uint8Array.of(value));

/** Calls that take 10 ms each; ten of them earn one second attempt. */
async function warmUp(calls = 64): Promise<void> {
  mayAskAgain = false;
  for (let call = 0; call < calls; call += 1) {
    const answer = ask();
    clock.advance(10);
    tries.pop()?.end({ value: secret(1) });
    await answer;
  }
  mayAskAgain = true;
  asked = 0;
}

/** A late first attempt, and the second. */
async function bothUnderWay(): Promise<{ answer: Promise<HedgedEnd<Answer>>; first: OpenTry; second: OpenTry }> {
  await warmUp();
  const answer = ask();
  clock.advance(10);
  const [first, second] = tries;
  if (first === undefined || second === undefined) throw new Error('There is no second try.');
  return { answer, first, second };
}

describe('the listener', () => {
  test('is notified of a second attempt, and that it won', async () => {
    const { answer, second } = await bothUnderWay();
    expect(told).toEqual(['decrypt sent']);
    second.end({ value: secret(2) });
    await answer;
    expect(told).toEqual(['decrypt sent', 'decrypt won']);
  });

  test.each([
    ['a second try that was late', 0, { value: secret(1) }],
    ['one that failed', 1, failedOn(member('b'))],
  ])('is notified of no win of %s', async (_which, which, end) => {
    const { answer, first, second } = await bothUnderWay();
    [first, second][which]?.end(end);
    await settled();
    [second, first][which]?.end({ value: secret(3) });
    await answer;
    await settled();
    expect(told).toEqual(['decrypt sent']);
  });

  test('is not notified if the first is in time', async () => {
    await warmUp();
    expect(told).toEqual([]);
  });
});

describe('a second member', () => {
  test('is tried after the 95th percentile, and not before', async () => {
    await warmUp();
    void ask();
    clock.advance(9);
    expect(tries.map(({ tryNumber }) => tryNumber)).toEqual([0]);
    clock.advance(1);
    expect(tries.map(({ tryNumber }) => tryNumber)).toEqual([0, 1]);
    expect(new Set(tries.map((each) => each.member))).toEqual(new Set(members));
  });

  test('is not tried while there are too few samples, nor for another operation', async () => {
    await warmUp(31);
    void ask();
    clock.advance(10_000);
    expect(tries).toHaveLength(1);
  });

  test('is not tried within the first millisecond, however fast earlier calls were', async () => {
    for (let call = 0; call < 64; call += 1) {
      const answer = ask();
      tries.pop()?.end({ value: secret(1) });
      await answer;
    }
    void ask();
    clock.advance(0.5);
    expect(tries).toHaveLength(1);
    clock.advance(0.5);
    expect(tries).toHaveLength(2);
  });

  test('is not tried if it is not admitted, or the budget refuses', async () => {
    await warmUp();
    mayAskAgain = false;
    void ask();
    clock.advance(1_000);
    expect(tries).toHaveLength(1);
    mayAskAgain = true;
    members = [member('c', false), member('d', false)];
    void ask();
    clock.advance(1_000);
    expect(tries).toHaveLength(2);
  });

  test('is tried for at most a tenth of the calls', async () => {
    await warmUp(1_000);
    for (let call = 0; call < 1_000; call += 1) {
      const answer = ask();
      clock.advance(10);
      for (const open of tries.splice(0)) open.end({ value: secret(1) });
      await answer;
    }
    expect(asked).toBeGreaterThanOrEqual(1_100);
    // Earlier savings come on top, and no more than that.
    expect(asked).toBeLessThanOrEqual(1_110);
  });
});

describe('of two attempts', () => {
  test('the first success counts, and the later answer of the other is zeroed', async () => {
    const { answer, first, second } = await bothUnderWay();
    const taken = secret(7);
    const late = secret(7);
    second.end({ value: taken });
    expect(Object.values(await answer)[0]).toBe(taken);
    first.end({ value: late });
    await settled();
    expect(late.isDestroyed).toBe(true);
    expect(taken.isDestroyed).toBe(false);
  });

  test('the failure of one waits for the other', async () => {
    const { answer, first, second } = await bothUnderWay();
    first.end(failedOn(first.member));
    await settled();
    const value = secret(7);
    second.end({ value });
    expect(Object.values(await answer)[0]).toBe(value);
  });

  test('both failures are reported', async () => {
    const { answer, first, second } = await bothUnderWay();
    second.end(failedOn(second.member));
    first.end(failedOn(first.member));
    expect(await answer).toMatchObject({ failures: [{ member: second.member }, { member: first.member }] });
  });

  test('an error of ours ends the operation, and the answer of the other is zeroed', async () => {
    const { answer, first, second } = await bothUnderWay();
    second.break(new Error('of ours'));
    await expect(answer).rejects.toThrow('of ours');
    const late = secret(7);
    first.end({ value: late });
    await settled();
    expect(late.isDestroyed).toBe(true);
  });

  test("the caller's own fault is answered at once", async () => {
    const { answer, second } = await bothUnderWay();
    second.end(failedOn(second.member, true));
    expect(await answer).toMatchObject({ failures: [{ member: second.member }] });
  });
});

test('an error of ours before the second attempt ends the operation', async () => {
  await warmUp();
  const answer = ask();
  tries[0]?.break(new Error('of ours'));
  await expect(answer).rejects.toThrow('of ours');
  clock.advance(10);
  expect(tries).toHaveLength(1);
});

test('a failure before the second attempt ends the operation', async () => {
  await warmUp();
  const answer = ask();
  const [first] = tries;
  if (first === undefined) throw new Error('No member was asked.');
  first.end(failedOn(first.member));
  expect(await answer).toMatchObject({ failures: [{ member: first.member }] });
  clock.advance(1_000);
  expect(tries).toHaveLength(1);
});

test('the least busy member is tried first, and equally busy ones in turn', async () => {
  void ask();
  void ask();
  expect(new Set(tries.map((each) => each.member))).toEqual(new Set(members));
  const [slow, fast] = tries;
  for (let call = 0; call < 10; call += 1) {
    fast?.end({ value: secret(1) });
    await settled();
    const answer = ask();
    const next = tries.pop();
    expect(next?.member).toBe(fast?.member);
    next?.end({ value: secret(1) });
    await answer;
  }
  slow?.end({ value: secret(1) });
});

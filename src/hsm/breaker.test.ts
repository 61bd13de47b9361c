import { afterEach, beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { type HsmOutcome, MemberBreaker } from './breaker.js';
import { waitFor } from '../../test/wait-for.js';

const settings = {
  consecutiveFailures: 5,
  failurePercentage: 50,
  minimumOutcomes: 20,
  windowMs: 10_000,
  probeDelayMs: 1_000,
};
const success: HsmOutcome = { ok: true };
const failure: HsmOutcome = { ok: false, opensAtOnce: false, cause: 'CKR_FUNCTION_FAILED' };
const deadly: HsmOutcome = { ok: false, opensAtOnce: true, cause: 'CKR_DEVICE_ERROR' };

let clock: ManualClock;
let breaker: MemberBreaker;
let seen: string[];
let probe: () => Promise<void>;

beforeEach(() => {
  clock = new ManualClock();
  seen = [];
  probe = () => Promise.resolve();
  breaker = new MemberBreaker(settings, clock, 1, {
    onOpen: (cause) => void seen.push(`open: ${String(cause)}`),
    onClose: () => void seen.push('close'),
    onProbeFailed: (cause) => void seen.push(`probe failed: ${String(cause)}`),
    probeDelayMs: (failedProbes) => settings.probeDelayMs * 2 ** failedProbes,
    probe: () => {
      seen.push(`probe while ${breaker.state}`);
      return probe();
    },
  });
});

afterEach(() => breaker.stop());

function record(outcome: HsmOutcome, times = 1, epoch = 1): void {
  for (let count = 0; count < times; count += 1) breaker.record(epoch, outcome);
}

const settled = () => waitFor(() => expect(breaker.state).not.toBe('half-open'));

test('the configured number of consecutive failures opens the breaker', () => {
  record(success, 10_000);
  record(failure, 4);
  expect(breaker.state).toBe('closed');
  record(failure);
  expect(breaker.state).toBe('open');
  expect(seen).toEqual(['open: CKR_FUNCTION_FAILED']);
});

test('a success between failures resets the count', async () => {
  for (let round = 0; round < 6; round += 1) {
    record(failure, 4);
    record(success);
    record(success, 20);
  }
  // The circuit judges failures a few microtasks later.
  await new Promise((resolve) => setImmediate(resolve));
  expect(breaker.state).toBe('closed');
});

test('more failures than successes in the window open the breaker', async () => {
  for (let round = 0; round < 10; round += 1) {
    record(failure, 2);
    record(success);
  }
  await waitFor(() => expect(breaker.state).toBe('open'));
});

test('a failure that poisons the member opens the breaker at once', () => {
  record(success, 100);
  record(deadly);
  expect(seen).toEqual(['open: CKR_DEVICE_ERROR']);
});

test('outcomes of an older epoch are ignored', () => {
  record(success, 1, 2);
  record(deadly, 10, 1);
  expect(breaker.state).toBe('closed');
  record(deadly, 1, 2);
  expect(breaker.state).toBe('open');
});

test('one probe runs after the delay, and no other meanwhile', async () => {
  let finish = (): void => undefined;
  probe = () => new Promise((resolve) => (finish = resolve));
  record(deadly);
  clock.advance(999);
  expect(seen).toHaveLength(1);
  clock.advance(1);
  expect(breaker.state).toBe('half-open');
  record(success, 10);
  record(deadly, 10);
  clock.advance(60_000);
  expect(seen).toEqual(['open: CKR_DEVICE_ERROR', 'probe while half-open']);
  finish();
  await settled();
  expect(breaker.state).toBe('closed');
  expect(seen.at(-1)).toBe('close');
});

test('after a failed probe the breaker waits again', async () => {
  probe = () => Promise.reject(new Error('still dead'));
  record(deadly);
  clock.advance(1_000);
  await settled();
  expect(breaker.state).toBe('open');
  probe = () => Promise.resolve();
  // The delay grows every time: the hook above doubles it.
  clock.advance(1_999);
  expect(breaker.state).toBe('open');
  clock.advance(1);
  await settled();
  expect(seen.slice(1)).toEqual([
    'probe while half-open',
    'probe failed: Error: still dead',
    'probe while half-open',
    'close',
  ]);
});

test('failures from before the breaker opened do not open it again', async () => {
  record(failure, 5);
  clock.advance(1_000);
  await settled();
  record(failure, 4);
  record(success, 20);
  record(failure, 4);
  expect(breaker.state).toBe('closed');
});

test('once stopped, the breaker neither probes nor opens', () => {
  record(deadly);
  breaker.stop();
  clock.advance(10_000);
  record(deadly);
  expect(seen).toEqual(['open: CKR_DEVICE_ERROR']);
  expect(clock.scheduled).toBe(0);
});

test('a held breaker begins no probe until it is released, and then one at once', async () => {
  await breaker.hold('maintenance');
  clock.advance(3_600_000);
  expect(seen).toEqual(['open: maintenance']);
  expect(breaker.nextProbeInMs).toBeUndefined();
  breaker.release();
  await waitFor(() => expect(breaker.state).toBe('closed'));
  expect(seen).toEqual(['open: maintenance', 'probe while half-open', 'close']);
});

test('a probe that succeeds while the breaker is being held does not close it; holding waits for its end', async () => {
  let end = (): void => undefined;
  probe = () => new Promise((resolve) => (end = resolve));
  record(deadly);
  clock.advance(settings.probeDelayMs);
  expect(breaker.state).toBe('half-open');
  let held = false;
  const holding = breaker.hold('maintenance').then(() => (held = true));
  await Promise.resolve();
  expect(held).toBe(false);
  end();
  await holding;
  expect(breaker.state).toBe('open');
  clock.advance(3_600_000);
  expect(seen).toEqual(['open: CKR_DEVICE_ERROR', 'probe while half-open']);
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadAddon, type NativeFailure, type NativePool } from '../../src/hsm/native.js';
import { answerColumns, answerRowLength, nonceLength } from '../../src/hsm/native-answers.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { putFaultsBefore } from './fault-hsm.js';
import { connect, inMilliseconds, makeKey, memberOptions, moduleOf, soon, type TestKey, text } from './fixture.js';

/** Packed answers, as the addon sends them: real operations, and memory so small that a few answers fill it. */

const rows = 4;
const numbers = new Float64Array(rows * answerRowLength);
const bytes = new Uint8Array(256);
const empty = new Uint8Array();

interface Row {
  ticket: number;
  member: number;
  encrypted: Uint8Array;
  secret: Uint8Array;
}

/** What came in one call: the rows of a batch, or the ticket and the kind of a failure. */
type Call = Row[] | [ticket: number, kind: string];

const addon = loadAddon();
let hsm: SoftHsm;
let pool: NativePool;
let key: TestKey;
let calls: Call[];
/** Calls before the first microtask, which runs once the event loop has delivered the answers that woke it. */
let callsInTurn: number;
/** The memory of the last batch. */
let lastBytes: Uint8Array;
/** Thrown by the receiver of the next batch. */
let nextError: Error | undefined;

function readRow(row: number, from: Uint8Array): Row {
  const at = (column: keyof typeof answerColumns): number =>
    numbers[row * answerRowLength + answerColumns[column]] ?? 0;
  const encryptedEnd = at('offset') + at('encryptedLength');
  return {
    ticket: at('ticket'),
    member: at('member'),
    encrypted: from.slice(at('offset'), encryptedEnd),
    secret: from.slice(encryptedEnd, encryptedEnd + at('secretLength')),
  };
}

function onAnswers(count: number, from: Uint8Array): void {
  lastBytes = from;
  if (calls.length === 0) queueMicrotask(() => (callsInTurn = calls.length));
  calls.push(Array.from({ length: count }, (_, row) => readRow(row, from)));
  if (nextError === undefined) return;
  const error = nextError;
  nextError = undefined;
  throw error;
}

beforeAll(async () => {
  addon.receiveAnswers(numbers, bytes, onAnswers, (ticket, { kind }: NativeFailure) => void calls.push([ticket, kind]));
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234' }] });
  pool = addon.createPool(1_000);
  await connect(pool, memberOptions(moduleOf(hsm), 'alpha', { laneCount: 1 }), '1234');
  key = await makeKey(pool, 0);
});
beforeEach(() => {
  calls = [];
  callsInTurn = 0;
});
afterAll(async () => {
  await pool.close(soon());
  hsm.dispose();
});

const ticketsOf = (call: Call): number[] =>
  typeof call[0] === 'number' ? [call[0]] : (call as Row[]).map(({ ticket }) => ticket);
const tickets = (): number[] => calls.flatMap(ticketsOf);
const isAnswer = (call: Call): call is Row[] => typeof call[0] !== 'number';
const answers = (): Row[] => calls.filter(isAnswer).flat();
const answered = (count: number) => expect.poll(() => tickets().length, { timeout: 20_000 }).toBe(count);

/** Keeps the event loop busy until the lane is done, so that all answers are delivered when it is next free. */
function waitInTurn(): void {
  const isBusy = () => pool.statistics().some(({ running, queued }) => running + queued > 0);
  while (isBusy()) continue;
  // The lane is idle once its last answer is in the list.
}

describe('a wake-up', () => {
  test('with more answers than fit calls again in the same turn, and keeps their order', async () => {
    const count = 5 * rows - 1;
    for (let ticket = 1; ticket <= count; ticket += 1) pool.random(ticket, null, 8, soon());
    waitInTurn();
    await answered(count);
    // The last answer may have come when the lane was already idle.
    expect(callsInTurn).toBeGreaterThanOrEqual(4);
    expect(tickets()).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    expect(new Set(answers().map(({ secret }) => Buffer.from(secret).toString('hex'))).size).toBe(count);
  });

  test('is also full when the bytes are', async () => {
    for (const ticket of [1, 2, 3]) pool.random(ticket, null, 100, soon());
    waitInTurn();
    await answered(3);
    expect(calls.map(ticketsOf)).toEqual([[1, 2], [3]]);
  });

  test('delivers each failure by itself, in its place', async () => {
    pool.random(1, null, 8, soon());
    pool.decrypt(2, null, key.reference, new Uint8Array(nonceLength), new Uint8Array(3), empty, soon());
    pool.random(3, null, 8, soon());
    waitInTurn();
    await answered(3);
    expect(calls.map(ticketsOf)).toEqual([[1], [2], [3]]);
    expect(calls[1]).toEqual([2, 'rv']);
  });
});

describe('every data operation', () => {
  test('has its bytes in the batch', async () => {
    pool.encrypt(1, 0, key.reference, text('hello'), text('context'), soon());
    pool.generateDataKey(2, 0, key.reference, 32, text('context'), soon());
    await answered(2);
    const [encryption, dataKey] = answers();
    if (encryption === undefined || dataKey === undefined) throw new Error('An answer is missing.');
    expect([encryption.encrypted.length, encryption.secret.length]).toEqual([nonceLength + 5 + 16, 0]);
    expect([dataKey.encrypted.length, dataKey.secret.length]).toEqual([nonceLength + 32 + 16, 32]);
    for (const [ticket, { encrypted }] of [encryption, dataKey].entries()) {
      const [nonce, ciphertext] = [encrypted.subarray(0, nonceLength), encrypted.subarray(nonceLength)];
      pool.decrypt(10 + ticket, 0, key.reference, nonce, ciphertext, text('context'), soon());
    }
    await answered(4);
    expect(answers()[2]).toMatchObject({ ticket: 10, secret: text('hello'), encrypted: empty });
    expect(answers()[3]).toMatchObject({ ticket: 11, secret: dataKey.secret });
  });
});

describe('an answer that is longer than the batch', () => {
  test('comes alone, in memory of its own, and between the others', async () => {
    pool.random(1, null, 8, soon());
    pool.random(2, null, 1_000, soon());
    pool.random(3, null, 8, soon());
    waitInTurn();
    await answered(3);
    expect(calls.map(ticketsOf)).toEqual([[1], [2], [3]]);
    expect(answers()[1]?.secret).toHaveLength(1_000);
  });
});

describe('secrets', () => {
  const isZero = (memory: Uint8Array) => memory.every((byte) => byte === 0);

  test.each([8, 1_000])('of %d bytes are zeroed as soon as the receiver has returned', async (length) => {
    pool.random(1, null, length, soon());
    await answered(1);
    expect(isZero(answers()[0]?.secret ?? empty)).toBe(false);
    expect(lastBytes === bytes).toBe(length < bytes.length);
    expect(isZero(lastBytes)).toBe(true);
    expect(isZero(bytes)).toBe(true);
  });
});

describe('a receiver that throws', () => {
  /** The uncaught exceptions of a while. */
  async function uncaughtOf(work: () => Promise<unknown>): Promise<unknown[]> {
    const errors: unknown[] = [];
    const others = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[];
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => errors.push(error));
    try {
      await work();
      return errors;
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of others) process.on('uncaughtException', listener);
    }
  }

  test('costs no other answer, and leaves no secret behind', async () => {
    nextError = new Error('of the receiver');
    const errors = await uncaughtOf(async () => {
      for (let ticket = 1; ticket <= 2 * rows; ticket += 1) pool.random(ticket, null, 8, soon());
      await answered(2 * rows);
    });
    expect(errors).toEqual([new Error('of the receiver')]);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

describe('without a lane', () => {
  test('operations fail by their ticket: cancelled, too late, or on a closed pool', async () => {
    const fault = putFaultsBefore(hsm);
    const other = addon.createPool(10);
    await connect(other, memberOptions(fault.module, 'alpha', { laneCount: 1 }), '1234');
    fault.obey('C_GenerateRandom times 1 hang');
    const running = 2 ** 52;
    other.random(running, null, 8, soon());
    await expect.poll(() => fault.inside('C_GenerateRandom'), { timeout: 20_000 }).toBe(1);
    other.random(2, null, 8, soon());
    other.random(3, null, 8, inMilliseconds(-1_000));
    other.cancel(2);
    await answered(2);
    expect(new Set(calls)).toEqual(
      new Set([
        [2, 'cancelled'],
        [3, 'queue-deadline'],
      ]),
    );
    other.cancel(2);
    other.cancel(running);
    await answered(3);
    expect(calls.at(-1)).toEqual([running, 'cancelled']);
    fault.heal();
    expect(await other.close(soon())).toBe(0);
    other.random(4, null, 8, soon());
    await answered(4);
    expect(calls.at(-1)).toEqual([4, 'closed']);
  });
});

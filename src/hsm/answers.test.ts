import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type Answer, type AnswerReceiver, AnswerTable, type DataOperation, type DataOperations } from './answers.js';
import type { NativeAddon, NativeFailure } from './native.js';
import { answerColumns, answerRowLength } from './native-answers.js';

/** The receivers that the table gave to `receiveAnswers`: the test stands in for the addon. */
let numbers: Float64Array;
let bytes: Uint8Array;
let onAnswers: (count: number, bytes: Uint8Array) => void;
let onFailure: (ticket: number, failure: NativeFailure) => void;
let table: AnswerTable;
let told: string[];

const addon: Pick<NativeAddon, 'receiveAnswers'> = {
  receiveAnswers(...given) {
    [numbers, bytes, onAnswers, onFailure] = given;
  },
};
const pool = {} as DataOperations;
const operation: DataOperation<undefined> = { post: () => undefined, read: () => undefined };
const failure = { kind: 'closed' } as NativeFailure;

beforeEach(() => {
  table = new AnswerTable(addon);
  told = [];
});

const receiver = (name: string, answered: (answer: Answer) => void = () => undefined): AnswerReceiver => ({
  answered: (answer) => {
    told.push(`${name} answered by ${answer.member}`);
    answered(answer);
  },
  failed: ({ kind }) => void told.push(`${name} failed: ${kind}`),
});
const post = (to: AnswerReceiver): number => table.post(operation, pool, null, 0, to);

/** Writes a row. It has bytes only if `place` gives their place. */
function writeRow(
  row: number,
  ticket: number,
  member: number,
  place: { offset?: number; encryptedLength?: number; secretLength?: number } = {},
) {
  const { offset = 0, encryptedLength = 0, secretLength = 0 } = place;
  const columns = { ticket, member, epoch: 7, startedMs: 1.5, laneMs: 0.25, offset, encryptedLength, secretLength };
  for (const [name, value] of Object.entries(columns))
    numbers[row * answerRowLength + answerColumns[name as keyof typeof answerColumns]] = value;
}

describe('a batch', () => {
  test('is handed out in its order, each answer to its receiver', () => {
    const tickets = ['a', 'b', 'c'].map((name) => post(receiver(name)));
    tickets.reverse().forEach((ticket, row) => {
      writeRow(row, ticket, row);
    });
    onAnswers(3, bytes);
    expect(told).toEqual(['c answered by 0', 'b answered by 1', 'a answered by 2']);
    expect(table.open).toBe(0);
  });

  test('has only the announced rows: later rows are left over from an earlier batch', () => {
    const [first = 0, second = 0] = ['a', 'b'].map((name) => post(receiver(name)));
    writeRow(0, first, 0);
    writeRow(1, second, 0);
    onAnswers(1, bytes);
    expect(told).toEqual(['a answered by 0']);
    onFailure(second, failure);
    expect(told).toEqual(['a answered by 0', 'b failed: closed']);
    expect(table.open).toBe(0);
  });

  test('is not lost if one of its receivers throws: the error becomes an uncaught exception', () => {
    const caught: unknown[] = [];
    const scheduled = vi.spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => {
      try {
        task();
      } catch (error) {
        caught.push(error);
      }
    });
    const thrower = receiver('a', () => {
      throw new Error('of a receiver');
    });
    [thrower, receiver('b')].forEach((each, row) => {
      writeRow(row, post(each), row);
    });
    onAnswers(2, bytes);
    scheduled.mockRestore();
    expect(told).toEqual(['a answered by 0', 'b answered by 1']);
    expect(caught).toEqual([new Error('of a receiver')]);
    expect(table.open).toBe(0);
  });

  test('may be answered with more operations', () => {
    const again = receiver('a', () => void post(receiver('b')));
    writeRow(0, post(again), 0);
    onAnswers(1, bytes);
    expect(table.open).toBe(1);
  });
});

describe('an answer', () => {
  test('gives copies of nonce and ciphertext, and moves a secret out', () => {
    const results: unknown[] = [];
    const reading = receiver('a', (answer) => {
      const { nonce, ciphertext } = answer.encryptedData();
      const secret = answer.secret();
      results.push([...nonce], [...ciphertext], [...secret.reveal()], answer.epoch, answer.startedMs, answer.laneMs);
    });
    bytes.set(Array.from({ length: 40 }, (_, index) => index));
    writeRow(0, post(reading), 0, { offset: 5, encryptedLength: 15, secretLength: 4 });
    onAnswers(1, bytes);
    expect(results).toEqual([
      Array.from({ length: 12 }, (_, i) => 5 + i),
      [17, 18, 19],
      [20, 21, 22, 23],
      7,
      1.5,
      0.25,
    ]);
    expect([...bytes.subarray(19, 25)], 'the secret is zeroed where it was').toEqual([19, 0, 0, 0, 0, 24]);
  });

  test('that is longer than the batch’s buffer comes with a buffer of its own', () => {
    const lengths: number[] = [];
    const reading = receiver('a', (answer) => lengths.push(answer.secret().byteLength));
    writeRow(0, post(reading), 0, { secretLength: 2 ** 20 });
    onAnswers(1, new Uint8Array(2 ** 20));
    expect(lengths).toEqual([2 ** 20]);
  });
});

describe('a ticket', () => {
  test('is never used twice, although its slot is', () => {
    const tickets = Array.from({ length: 1_000 }, () => {
      const ticket = post(receiver('a'));
      onFailure(ticket, failure);
      return ticket;
    });
    expect(new Set(tickets).size).toBe(1_000);
    expect(tickets.every(Number.isSafeInteger)).toBe(true);
    expect(table.open).toBe(0);
  });

  test('is given back if the operation cannot be posted', () => {
    const failing: DataOperation<undefined> = {
      ...operation,
      post: () => {
        throw new Error('of the arguments');
      },
    };
    expect(() => table.post(failing, pool, null, 0, receiver('a'))).toThrow('of the arguments');
    expect(table.open).toBe(0);
  });
});

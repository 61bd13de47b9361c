import { Secret } from '../secret.js';
import type { EncryptedData } from '../clusters/hsm-cluster.js';
import type { LaneResult } from './attempts.js';
import {
  loadAddon,
  type NativeAddon,
  type NativeFailure,
  type NativeMembers,
  type NativePool,
  type NativeResult,
} from './native.js';
import { answerColumns, answerRowLength, type NativeDataOperations, nonceLength } from './native-answers.js';

/** How many answers one call delivers; seldom are more ready at once. */
const batchRows = 256;
/** Room for 512 bytes per answer on average. A longer answer than the whole batch comes alone. */
const batchBytes = 512 * batchRows;
/** More slots than there can be operations without an answer: each operation takes a kilobyte. */
const slots = 2 ** 24;
/** A ticket is an exact number: 29 bits of sequence and 24 bits of slot. */
const sequences = 2 ** 29;

/** The methods of a pool that an operation is posted to. */
export type DataOperations = Pick<NativePool, keyof NativeDataOperations>;

/** An operation whose answer comes packed. */
export interface DataOperation<T> {
  /** Calls the pool once. It is called again for another attempt. */
  post(pool: DataOperations, ticket: number, members: NativeMembers, untilMs: number): void;
  /** Takes the result out of the answer. */
  read(answer: Answer): T;
}

/** Receives the answer of one operation, exactly once, and never before the operation was posted. */
export interface AnswerReceiver {
  /** The answer is valid until this returns. */
  answered(answer: Answer): void;
  failed(failure: NativeFailure): void;
}

/** The present row of a batch. */
export class Answer implements LaneResult {
  member = -1;
  epoch = 0;
  startedMs = 0;
  laneMs = 0;
  readonly #numbers: Float64Array;
  #bytes: Uint8Array = new Uint8Array();
  #offset = 0;
  #encryptedLength = 0;
  #secretLength = 0;

  constructor(numbers: Float64Array) {
    this.#numbers = numbers;
  }

  /** A copy of nonce and ciphertext. */
  encryptedData(): EncryptedData {
    const nonceEnd = this.#offset + nonceLength;
    return {
      nonce: this.#bytes.slice(this.#offset, nonceEnd),
      ciphertext: this.#bytes.slice(nonceEnd, this.#offset + this.#encryptedLength),
    };
  }

  /** The plaintext, data key or random bytes, moved out of the batch: once. */
  secret(): Secret {
    const start = this.#offset + this.#encryptedLength;
    return Secret.movedFrom(this.#bytes.subarray(start, start + this.#secretLength));
  }

  /** @returns the ticket of this row */
  moveTo(row: number, bytes: Uint8Array): number {
    const start = row * answerRowLength;
    this.#bytes = bytes;
    this.member = this.#number(start + answerColumns.member);
    this.epoch = this.#number(start + answerColumns.epoch);
    this.startedMs = this.#number(start + answerColumns.startedMs);
    this.laneMs = this.#number(start + answerColumns.laneMs);
    this.#offset = this.#number(start + answerColumns.offset);
    this.#encryptedLength = this.#number(start + answerColumns.encryptedLength);
    this.#secretLength = this.#number(start + answerColumns.secretLength);
    return this.#number(start + answerColumns.ticket);
  }

  #number(index: number): number {
    return this.#numbers[index] ?? 0;
  }
}

/**
 * The operations of this environment that have no answer yet, by ticket. A request costs a place in an array, and no
 * promise or closure: V8 moves what a closure keeps beyond its turn to the old space, which costs more than the promise.
 */
export class AnswerTable {
  readonly #numbers = new Float64Array(batchRows * answerRowLength);
  readonly #answer = new Answer(this.#numbers);
  readonly #receivers: (AnswerReceiver | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  #sequence = 0;

  constructor(addon: Pick<NativeAddon, 'receiveAnswers'>) {
    addon.receiveAnswers(
      this.#numbers,
      new Uint8Array(batchBytes),
      (count, bytes) => {
        this.#takeAnswers(count, bytes);
      },
      (ticket, failure) => {
        this.#takeFailure(ticket, failure);
      },
    );
  }

  /** How many operations have no answer yet. */
  get open(): number {
    return this.#receivers.length - this.#freeSlots.length;
  }

  /**
   * @param members those that may do it. @param untilMs its deadline. @returns the ticket,
   * for `NativePool.cancel`
   */
  post(
    operation: DataOperation<unknown>,
    pool: DataOperations,
    members: NativeMembers,
    untilMs: number,
    receiver: AnswerReceiver,
  ): number {
    const slot = this.#freeSlots.pop() ?? this.#receivers.length;
    this.#receivers[slot] = receiver;
    // A lane may still be inside the call of an earlier, answered operation that had this slot.
    this.#sequence = (this.#sequence + 1) % sequences;
    const ticket = this.#sequence * slots + slot;
    try {
      operation.post(pool, ticket, members, untilMs);
    } catch (error) {
      this.#release(ticket);
      throw error;
    }
    return ticket;
  }

  #takeAnswers(count: number, bytes: Uint8Array): void {
    for (let row = 0; row < count; row += 1) {
      const receiver = this.#release(this.#answer.moveTo(row, bytes));
      try {
        receiver?.answered(this.#answer);
      } catch (error) {
        throwLater(error);
      }
    }
  }

  #takeFailure(ticket: number, failure: NativeFailure): void {
    this.#release(ticket)?.failed(failure);
  }

  #release(ticket: number): AnswerReceiver | undefined {
    const slot = ticket % slots;
    const receiver = this.#receivers[slot];
    this.#receivers[slot] = undefined;
    this.#freeSlots.push(slot);
    return receiver;
  }
}

/** The answer of one operation as a promise, for callers that do not count microseconds. */
export class PromisedAnswer<T> implements AnswerReceiver {
  readonly promise: Promise<NativeResult<T>>;
  readonly #operation: DataOperation<T>;
  #resolve!: (result: NativeResult<T>) => void;
  #reject!: (error: unknown) => void;

  constructor(operation: DataOperation<T>) {
    this.#operation = operation;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  answered(answer: Answer): void {
    const { member, epoch, startedMs, laneMs } = answer;
    try {
      this.#resolve({ member, epoch, startedMs, laneMs, value: this.#operation.read(answer) });
    } catch (error) {
      this.#reject(error);
    }
  }

  failed(failure: NativeFailure): void {
    this.#reject(failure);
  }
}

/** Rethrows as an uncaught exception, as in any callback. The later answers of the batch are not lost. */
function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

let table: AnswerTable | undefined;

/** The table of this environment: the addon sends all answers to one. */
export function loadAnswers(): AnswerTable {
  table ??= new AnswerTable(loadAddon());
  return table;
}

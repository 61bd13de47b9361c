/** A pool whose data operations give promises, for tests that ask one thing after another. */
import {
  type Answer,
  type DataOperation,
  type DataOperations,
  loadAnswers,
  PromisedAnswer,
} from '../../src/hsm/answers.js';
import type { NativePool, NativeResult, NativeEncryptedData } from '../../src/hsm/native.js';
import type { NativeDataOperations } from '../../src/hsm/native-answers.js';

/** The results of data operations; secrets are bare bytes. */
interface Results {
  encrypt: NativeEncryptedData;
  decrypt: Uint8Array;
  generateDataKey: NativeEncryptedData & { plaintext: Uint8Array };
  mac: Uint8Array;
  random: Uint8Array;
}
type Name = keyof NativeDataOperations;
/** Without the ticket. */
type Given<Of extends Name> = Parameters<NativeDataOperations[Of]> extends [number, ...infer Rest] ? Rest : never;

/** A `NativePool` with promises. */
export type PromisePool = Omit<NativePool, Name> & {
  [Of in Name]: (...given: Given<Of>) => Promise<NativeResult<Results[Of]>>;
} & {
  /** The ticket of the data operation that was posted last. */
  lastTicket(): number;
};

const secretOf = (answer: Answer): Uint8Array => answer.secret().reveal();
const read: { [Of in Name]: (answer: Answer) => Results[Of] } = {
  encrypt: (answer) => answer.encryptedData(),
  decrypt: secretOf,
  generateDataKey: (answer) => ({ ...answer.encryptedData(), plaintext: secretOf(answer) }),
  mac: secretOf,
  random: secretOf,
};

export function promisePool(pool: NativePool): PromisePool {
  let lastTicket = 0;
  const promised = <Of extends Name>(name: Of) => {
    const method = pool[name].bind(pool) as unknown as (ticket: number, ...given: Given<Of>) => void;
    return (...given: Given<Of>): Promise<NativeResult<Results[Of]>> => {
      const operation: DataOperation<Results[Of]> = {
        post: (_pool: DataOperations, ticket) => {
          method(ticket, ...given);
        },
        read: read[name],
      };
      const answer = new PromisedAnswer(operation);
      lastTicket = loadAnswers().post(operation, pool, null, 0, answer);
      return answer.promise;
    };
  };
  const changed: Record<string, unknown> = {
    encrypt: promised('encrypt'),
    decrypt: promised('decrypt'),
    generateDataKey: promised('generateDataKey'),
    mac: promised('mac'),
    random: promised('random'),
    lastTicket: () => lastTicket,
  };
  const get = (target: NativePool, name: string): unknown => {
    if (name in changed) return changed[name];
    const value: unknown = Reflect.get(target, name);
    return typeof value === 'function' ? value.bind(target) : value;
  };
  return new Proxy(pool, { get: (target, name) => get(target, String(name)) }) as unknown as PromisePool;
}

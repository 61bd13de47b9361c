import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import type { AuditEvent } from '../audit/event.js';
import { type Clock, delay } from '../clock.js';
import { systemClock } from '../clock-system.js';
import { HoldfastError } from '../errors.js';
import { AccessList } from '../policy/access-list.js';
import type { Principal } from '../calls/principal.js';
import type { AccessRequest, Authorizer } from '../policy/authorizer.js';
import { Secret } from '../secret.js';
import { UnknownKeyError } from '../operations/cryptography/unknown-key.js';
import type { Operation } from '../operations/operation.js';
import { type OperationName, type Operations, operations } from '../operations/registry.js';
import { AuditedDispatcher, type IncomingCall } from './dispatcher.js';

const operator: Principal = { arn: 'arn:aws:iam::1:user/operator', name: 'operator', account: '1', region: 'r' };
const stranger: Principal = { ...operator, arn: 'arn:aws:iam::1:user/stranger', name: 'stranger' };

/** A dispatcher with one operation, a log that can be made to fail, and the results of the calls. */
class Bench {
  readonly records: AuditEvent[] = [];
  readonly executed: object[] = [];
  readonly durable: boolean[] = [];
  logIsHealthy = true;
  appendFails = false;
  appendBlocks = false;
  response: object = {};
  readonly #dispatcher: AuditedDispatcher;

  constructor(
    method: OperationName,
    facts: Partial<Operation<never>> = {},
    clock: Clock = systemClock,
    authorizer: Authorizer = new AccessList([operator.arn], [], []),
  ) {
    const operation: Operation<never> = {
      plane: 'data',
      audited: [],
      prepare: (_core, request: object) =>
        Promise.resolve({
          accesses: [{ action: `kms:${method}`, resource: { kind: 'account' } }],
          execute: () => {
            this.executed.push(request);
            return Promise.resolve(this.response);
          },
        }),
      ...facts,
    };
    this.#dispatcher = new AuditedDispatcher({
      operations: { [method]: operation } as unknown as Operations,
      core: {} as never,
      authorizer,
      auditLog: {
        healthy: () => this.logIsHealthy,
        append: (event, { durable, untilMs = Number.POSITIVE_INFINITY }) => {
          if (this.appendFails) return Promise.reject(new Error('No space left on device'));
          this.records.push(event);
          this.durable.push(durable);
          if (!this.appendBlocks) return Promise.resolve();
          return delay(clock, untilMs - clock.monotonicMs()).then(() => Promise.reject(new Error('not in time')));
        },
      },
      clock,
      onCompleted: () => undefined,
    });
  }

  dispatch(method: OperationName, request: object, call: Partial<IncomingCall> = {}): Promise<Uint8Array> {
    return this.#dispatcher.dispatch({
      face: 'grpc',
      method,
      principal: operator,
      sourceAddress: 'unix',
      requestId: 'r-1',
      deadlineMs: systemClock.monotonicMs() + 10_000,
      decode: () => request,
      encode: () => Uint8Array.of(1),
      ...call,
    });
  }
}

function thrown(): never {
  throw new HoldfastError('DISABLED', 'at once');
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
  return 'none';
}

describe('AuditedDispatcher', () => {
  it('executes nothing for a caller who is unknown or not allowed, and records both', async () => {
    const bench = new Bench('ListKeys');
    expect(await codeOf(bench.dispatch('ListKeys', {}, { principal: undefined }))).toBe('ACCESS_DENIED');
    expect(await codeOf(bench.dispatch('ListKeys', {}, { principal: stranger }))).toBe('ACCESS_DENIED');
    expect(bench.executed).toEqual([]);
    expect(bench.records.map(({ outcome, principal }) => [outcome, principal])).toEqual([
      ['denied', null],
      ['denied', stranger.arn],
    ]);
  });

  it('executes nothing while the log is not healthy', async () => {
    const bench = new Bench('ListKeys');
    bench.logIsHealthy = false;
    expect(await codeOf(bench.dispatch('ListKeys', {}))).toBe('KMS_INTERNAL');
    expect(bench.executed).toEqual([]);
  });

  it('answers an error, and never the response, when the record cannot be written', async () => {
    const bench = new Bench('GenerateRandom');
    const plaintext = new Secret(Uint8Array.of(1, 2, 3));
    bench.response = { plaintext };
    bench.appendFails = true;
    expect(await codeOf(bench.dispatch('GenerateRandom', { numberOfBytes: 3 }))).toBe('KMS_INTERNAL');
    expect(() => plaintext.reveal()).toThrow('destroyed');
  });

  it.each([
    ['at the deadline', true, 10_000],
    ['soon when the log is known not to work', false, 1_000],
  ])('answers while the log blocks: %s', async (_name, isHealthy, afterMs) => {
    const clock = new ManualClock();
    const bench = new Bench('GenerateRandom', {}, clock);
    bench.logIsHealthy = isHealthy;
    bench.appendBlocks = true;
    let code = 'none yet';
    const deadlineMs = clock.monotonicMs() + 10_000;
    const answered = codeOf(bench.dispatch('GenerateRandom', {}, { deadlineMs })).then((answer) => (code = answer));
    await expect.poll(() => bench.records.length).toBe(1);
    clock.advance(afterMs - 1);
    await setImmediate();
    expect(code).toBe('none yet');
    clock.advance(1);
    await answered;
    expect(code).toBe('KMS_INTERNAL');
  });

  it('destroys the secrets of request and response, even when the request is refused', async () => {
    const bench = new Bench('Encrypt');
    const plaintext = new Secret(Uint8Array.of(1, 2, 3));
    await codeOf(bench.dispatch('Encrypt', { keyId: 'k', plaintext }, { principal: stranger }));
    expect(() => plaintext.reveal()).toThrow('destroyed');
  });

  it('waits for the disk on the control plane only', async () => {
    const control = new Bench('CreateKey', { plane: 'control' });
    await control.dispatch('CreateKey', {});
    const data = new Bench('ListKeys');
    await data.dispatch('ListKeys', {});
    expect([control.durable, data.durable]).toEqual([[true], [false]]);
  });

  it('records what decided about each action, up to the first that was denied', async () => {
    const bench = new Bench('ListKeys');
    await bench.dispatch('ListKeys', {});
    await codeOf(bench.dispatch('ListKeys', {}, { principal: stranger }));
    await codeOf(bench.dispatch('ListKeys', {}, { principal: undefined }));
    expect(bench.records.map(({ decidedBy }) => decidedBy)).toEqual([['role:administrator'], ['default'], []]);
  });

  it('waits for an asynchronous decision, and passes it the context of the request', async () => {
    const asked: AccessRequest[] = [];
    const bench = new Bench('Encrypt', {}, systemClock, {
      decide: async (request) => {
        asked.push(request);
        await setImmediate();
        return { allowed: false, by: 'policy:1', reason: 'for the log' };
      },
    });
    const call = { sourceAddress: '2001:db8::1' };
    await expect(
      bench.dispatch('Encrypt', { keyId: 'k', plaintext: Secret.fromUtf8('x') }, call),
    ).rejects.toMatchObject({
      code: 'ACCESS_DENIED',
      cause: { message: 'for the log' },
    });
    expect(asked).toMatchObject([{ action: 'kms:Encrypt', context: { sourceAddress: '2001:db8::1', face: 'grpc' } }]);
    expect([bench.executed, bench.records[0]?.decidedBy]).toEqual([[], ['policy:1']]);
  });

  it('does nothing when the authorizer fails, and records it', async () => {
    const failing = { decide: () => Promise.reject(new Error('the policy store')) };
    const bench = new Bench('ListKeys', {}, systemClock, failing);
    expect(await codeOf(bench.dispatch('ListKeys', {}))).toBe('KMS_INTERNAL');
    const unknownKey = new UnknownKeyError({ keyId: 'k', materialId: 'm' }, undefined);
    const prepare = () => Promise.reject(new HoldfastError('INVALID_CIPHERTEXT', 'no', { cause: unknownKey }));
    const unknown = new Bench('Decrypt', { prepare }, systemClock, failing);
    expect(await codeOf(unknown.dispatch('Decrypt', {}))).toBe('KMS_INTERNAL');
    expect([bench.executed, bench.records.length, unknown.records.length]).toEqual([[], 1, 1]);
  });

  it.each<[string, Partial<Operation<never>>, Authorizer['decide'] | undefined]>([
    ['prepare', { prepare: thrown }, undefined],
    ['the authorizer', {}, thrown],
    ['the operation', { prepare: () => ({ accesses: [], execute: thrown }) }, undefined],
  ])(
    'treats an error that %s throws at once like a rejection: it is recorded, then answered',
    async (_name, facts, decide) => {
      const plaintext = new Secret(Uint8Array.of(1, 2, 3));
      const bench = new Bench('Encrypt', facts, systemClock, decide === undefined ? undefined : { decide });
      expect(await codeOf(bench.dispatch('Encrypt', { keyId: 'k', plaintext }))).toBe('DISABLED');
      expect(bench.records.map(({ outcome, errorCode }) => [outcome, errorCode])).toEqual([['failed', 'DISABLED']]);
      expect([bench.executed, plaintext.isDestroyed]).toEqual([[], true]);
    },
  );

  it('sends an answer that is known at once only after its record is written', async () => {
    const bench = new Bench('ListKeys', { prepare: () => ({ accesses: [], execute: () => ({}) }) });
    bench.appendBlocks = true;
    let answered = false;
    void bench.dispatch('ListKeys', {}).then(() => (answered = true));
    // The record is on its way before anything is awaited.
    expect(bench.records).toHaveLength(1);
    await setImmediate();
    expect(answered).toBe(false);
  });

  it('reveals an unknown key to administrators only, even when the authorizer decides at once', async () => {
    const unknownKey = new UnknownKeyError({ keyId: 'k', materialId: 'm' }, undefined);
    const prepare = () => {
      throw new HoldfastError('INVALID_CIPHERTEXT', 'no', { cause: unknownKey });
    };
    const bench = new Bench('Decrypt', { prepare });
    await expect(bench.dispatch('Decrypt', {})).rejects.toThrow(unknownKey.message);
    await expect(bench.dispatch('Decrypt', {}, { principal: stranger })).rejects.toThrow(/^no$/);
  });

  it('decides about one action after another, and stops at the first that is denied', async () => {
    const asked: string[] = [];
    const access = (action: string) => ({ action, resource: { kind: 'account' } }) as const;
    const prepare = () => ({ accesses: ['a', 'b', 'c', 'd'].map(access), execute: thrown });
    const decide: Authorizer['decide'] = ({ action }) => {
      asked.push(action);
      const decision = { allowed: action !== 'c', by: action, reason: '' };
      return action === 'b' ? setImmediate(decision) : decision;
    };
    const bench = new Bench('ListKeys', { prepare }, systemClock, { decide });
    expect(await codeOf(bench.dispatch('ListKeys', {}))).toBe('ACCESS_DENIED');
    expect([asked, bench.records[0]?.decidedBy]).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
  });

  it('records the resource that a create has made, and none if it failed', async () => {
    const made = { keyMetadata: { arn: 'arn:aws:kms:r:1:key/k' }, customKeyStoreId: 'cks-1' };
    for (const method of ['CreateKey', 'CreateCustomKeyStore'] as const) {
      const { created } = operations[method];
      const bench = new Bench(method, created === undefined ? {} : { created });
      bench.response = made;
      await bench.dispatch(method, method === 'CreateKey' ? {} : { customKeyStoreName: 'a store' });
      await codeOf(bench.dispatch(method, {}, { principal: stranger }));
      const expected = method === 'CreateKey' ? made.keyMetadata.arn : made.customKeyStoreId;
      expect(bench.records.map(({ resources }) => resources)).toEqual([[expected], []]);
    }
  });

  it('records legal values whole, and cuts those that are too long to be legal', async () => {
    const audited = ['description', 'encryptionContext'] as never[];
    const bench = new Bench('CreateKey', { audited });
    const legal = { description: 'd'.repeat(8_192), encryptionContext: new Map([['n', 'v'.repeat(8_180)]]) };
    await bench.dispatch('CreateKey', legal);
    const pairs = Array.from({ length: 50_000 }, (_, index) => [`name ${index}`, 'value'] as const);
    const huge = { description: '\u0001'.repeat(1_000_000), encryptionContext: new Map(pairs) };
    await codeOf(bench.dispatch('CreateKey', huge, { principal: undefined }));
    const [whole, cut] = bench.records;
    expect(whole?.parameters).toEqual({
      description: legal.description,
      encryption_context: Object.fromEntries(legal.encryptionContext),
    });
    expect(JSON.stringify(cut).length).toBeLessThan(100_000);
    expect(cut?.parameters['encryption_context']).toBe('(50000 pairs, longer than an encryption context can be)');
  });
});

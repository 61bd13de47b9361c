import { expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { HoldfastError, toHoldfastError } from '../errors.js';
import { memberOpenError } from '../hsm/member-open-error.js';
import { loadAddon, type NativeFailure, type NativeTokenInfo } from '../hsm/native.js';
import { softhsm } from '../hsm/profiles/softhsm.js';
import { readReturnValues } from '../hsm/return-values.js';
import {
  auditEvents,
  backgroundErrorEvent,
  connectionEvents,
  type EventSink,
  hsmEvents,
  replacementEvent,
  requestEvent,
  spanEvent,
} from './events.js';
import { createLogger } from './logger.js';

/** Longer lines are unreadable in an emergency. */
const maxLineLength = 1_000;

const token = {
  label: 'payments',
  serialNumber: '00000001',
  model: 'SoftHSM v2',
  flags: 0x40d,
  mechanisms: Array.from({ length: 400 }, (_, index) => 0x1000 + index),
} as unknown as NativeTokenInfo;

function failure(message: string, cause?: unknown): NativeFailure {
  const fields = { kind: 'rv', rv: 0x30, functionName: 'C_Encrypt', member: 0, epoch: 1, callerFault: false };
  return Object.assign(new Error(message, cause === undefined ? {} : { cause }), fields) as unknown as NativeFailure;
}

const returnValues = readReturnValues(loadAddon().returnValues());
const sentence = 'C_Login answered CKR_PIN_INCORRECT on token payments';
const tries = failure('C_Encrypt answered CKR_DEVICE_ERROR', failure('C_Encrypt answered CKR_DEVICE_ERROR'));
const noSpace = Object.assign(new Error('ENOSPC: no space left on device, write'), {
  code: 'ENOSPC',
  syscall: 'write',
});

/** Causes, by kind of problem. */
const causes: Record<string, unknown> = {
  'a token with hundreds of mechanisms': memberOpenError(failure(sentence), returnValues, token),
  'the same failure at each attempt': new HoldfastError('KEY_UNAVAILABLE', 'No HSM takes work now.', {
    cause: tries,
    retryable: true,
  }),
  'a message of a module that never ends': failure('x'.repeat(50_000)),
  'an error of the system': new HoldfastError('KMS_INTERNAL', 'The audit log cannot be written.', {
    cause: noSpace,
    retryable: true,
  }),
  'an unforeseen error': toHoldfastError(new TypeError('undefined is not a function')),
  'no error at all': 'unplugged',
  'a chain of a hundred': Array.from({ length: 100 }).reduce(
    (cause: unknown, _, index) => new Error(`cause ${index} of a long story that has no end`, { cause }),
    undefined,
  ),
};

function logged(work: (sink: EventSink) => void): string[] {
  const lines: string[] = [];
  work({ logger: createLogger('trace', { write: (line: string) => void lines.push(line) }), metrics: undefined });
  return lines;
}

const place = { clusterId: 'cluster-abcdefghijk', memberName: 'a' };
const store = { customKeyStoreId: 'cks-1234567890abcdef0', clusterId: place.clusterId };
const call = { requestId: 'r', method: 'Encrypt', face: 'grpc', sourceAddress: '2001:db8::1' } as never;

/** Sends every event that has a cause. One that is added to the listeners is sent here too. */
function tellEverything(sink: EventSink, cause: unknown): void {
  const clock = new ManualClock();
  const hsm = hsmEvents(sink, clock);
  const others = ['memberOpened', 'materialAlert', 'copyMissing', 'generationBehind', 'lanesHung'];
  for (const [name, tell] of Object.entries(hsm))
    if (!others.includes(name)) (tell as (where: object, cause: unknown) => void)(place, cause);
  hsm.memberOpened(place, token, softhsm);
  hsm.materialAlert(place, 'a'.repeat(64), 'canary-failed');
  hsm.copyMissing(place, 'a'.repeat(64), cause);
  hsm.generationBehind(place, 2);
  hsm.lanesHung(place.clusterId, 3);
  connectionEvents(sink).connectFailed(store, { errorCode: 'NETWORK_ERRORS', retryInMs: null, cause });
  connectionEvents(sink).connectionJobFailed(store.customKeyStoreId, cause);
  auditEvents(sink).unwritable(cause);
  backgroundErrorEvent(sink)(cause, 'looking for keys that are due to be destroyed');
  spanEvent(sink, clock)('failed', 3, cause);
  replacementEvent(sink)('due', [place]);
  requestEvent(sink, clock)(call, toHoldfastError(cause), 3);
}

test.each(Object.entries(causes))('%s makes short lines', (_, cause) => {
  const lines = logged((sink) => tellEverything(sink, cause));
  expect(lines.length).toBeGreaterThan(15);
  expect(lines.filter((line) => line.length > maxLineLength)).toEqual([]);
});

test.each(Object.entries(causes))('%s is not repeated in a line', (_, cause) => {
  for (const line of logged((sink) => tellEverything(sink, cause))) {
    const { err } = JSON.parse(line) as { err?: { message: string; causes?: string[] } };
    if (err === undefined) continue;
    for (const text of [err.message, ...(err.causes ?? [])])
      expect(line.split(JSON.stringify(text).slice(1, -1))).toHaveLength(2);
  }
});

test('a line has the code, the function and its CK_RV, and a stack only for unexpected errors', () => {
  const errorOf = (cause: unknown) => {
    const [line = '{}'] = logged(({ logger }) => logger.error({ err: cause }, 'm'));
    return (JSON.parse(line) as { err: Record<string, unknown> }).err;
  };
  expect(errorOf(causes['a token with hundreds of mechanisms'])).toEqual({
    type: 'MemberOpenError',
    code: 'NETWORK_ERRORS',
    message: sentence,
    functionName: 'C_Encrypt',
    returnValue: '0x30',
  });
  expect(errorOf(causes['an error of the system'])).toEqual({
    type: 'HoldfastError',
    code: 'KMS_INTERNAL',
    message: 'The audit log cannot be written.',
    causes: ['ENOSPC: no space left on device, write'],
  });
  expect(errorOf(causes['an unforeseen error'])).toMatchObject({
    causes: ['undefined is not a function'],
    stack: expect.arrayContaining([expect.stringContaining('log-error.test.ts')]) as unknown,
  });
});

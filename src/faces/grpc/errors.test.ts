import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { FaceUnderTest } from '../../../test/grpc-face.js';
import {
  type ErrorCode,
  errorCodes,
  HoldfastError,
  type HoldfastErrorOptions,
  type KeyStateName,
} from '../../errors.js';
import { statusOfCode } from './errors.js';
import { KeyState } from './gen/holdfast/kms/v1/key_metadata.js';
import { BadRequest, ErrorInfo, RetryInfo } from './gen/google/rpc/error_details.js';
import { Status } from './gen/google/rpc/status.js';

async function received(face: FaceUnderTest, code: ErrorCode, message: string, options?: HoldfastErrorOptions) {
  face.dispatcher.answer = () => {
    throw new HoldfastError(code, message, { retryable: false, ...options });
  };
  const { error } = await face.send('KeyService/EnableKey', new Uint8Array());
  const [bytes] = error?.metadata.get('grpc-status-details-bin') ?? [];
  if (error === null || !(bytes instanceof Buffer)) throw new Error('There are no details.');
  const details = Status.decode(bytes);
  const find = (name: string) =>
    details.details.find((any) => any.typeUrl === `type.googleapis.com/google.rpc.${name}`)?.value;
  return { error, details, find };
}

function infoOf(find: (name: string) => Uint8Array | undefined): ErrorInfo {
  return ErrorInfo.decode(find('ErrorInfo') ?? Buffer.alloc(0));
}

test('every code reaches a client with its status, reason and request id', async () => {
  await using face = await FaceUnderTest.start();
  for (const code of errorCodes) {
    const { error, details, find } = await received(face, code, `About ${code}.`);
    expect(error.code).toBe(statusOfCode[code]);
    expect(error.details).toBe(`About ${code}.`);
    expect(details).toMatchObject({ code: statusOfCode[code], message: `About ${code}.` });
    const requestId = face.dispatcher.calls.at(-1)?.requestId ?? '';
    expect(ErrorInfo.decode(find('ErrorInfo') ?? Buffer.alloc(0))).toEqual({
      reason: code,
      domain: 'holdfast.kms',
      metadata: new Map([
        ['retryable', 'false'],
        ['request_id', requestId],
        ...(code === 'DEPENDENCY_TIMEOUT' ? ([['caller_deadline', 'false']] as const) : []),
      ]),
    });
    expect(find('BadRequest')).toBeUndefined();
    expect(find('RetryInfo')).toBeUndefined();
  }
});

test('every code says whether a retry makes sense, and only then how long to wait', async () => {
  await using face = await FaceUnderTest.start();
  for (const code of errorCodes) {
    for (const retryable of [true, false]) {
      const { find } = await received(face, code, 'm', { retryable, retryAfterMs: 500 });
      expect(infoOf(find).metadata.get('retryable'), code).toBe(String(retryable));
      expect(find('RetryInfo') !== undefined, code).toBe(retryable);
    }
  }
});

test('a key state is a value of the enum that DescribeKey answers', async () => {
  await using face = await FaceUnderTest.start();
  const states = { Enabled: 0, Disabled: 0, PendingDeletion: 0, Unavailable: 0 } satisfies Record<KeyStateName, 0>;
  for (const keyState of Object.keys(states) as KeyStateName[]) {
    const { find } = await received(face, 'KMS_INVALID_STATE', 'm', { keyState });
    const value = infoOf(find).metadata.get('key_state') ?? '';
    expect(Object.values<string>(KeyState)).toContain(value);
    expect(value.replace('KEY_STATE_', '').replaceAll('_', '')).toBe(keyState.toUpperCase());
  }
});

test("a deadline that was the caller's own is marked as such", async () => {
  await using face = await FaceUnderTest.start();
  for (const callerDeadline of [true, false]) {
    const { find } = await received(face, 'DEPENDENCY_TIMEOUT', 'm', { callerDeadline });
    expect(infoOf(find).metadata.get('caller_deadline')).toBe(String(callerDeadline));
  }
});

test('field violations, a time to wait and any text arrive unchanged', async () => {
  await using face = await FaceUnderTest.start();
  const message = 'Schlüssel „ключ“ 🔑 100 %\n\u0000 — nicht da';
  const fieldViolations = [{ field: 'tags[0].tag_key', description: 'länger als 128' }];
  const { error, find } = await received(face, 'VALIDATION', message, {
    fieldViolations,
    retryable: true,
    retryAfterMs: 1_250,
  });
  expect(error.details).toBe(message);
  expect(BadRequest.decode(find('BadRequest') ?? Buffer.alloc(0)).fieldViolations[0]).toMatchObject(
    fieldViolations[0] ?? {},
  );
  expect(RetryInfo.decode(find('RetryInfo') ?? Buffer.alloc(0)).retryDelay).toEqual({
    seconds: 1n,
    nanos: 250_000_000,
  });
});

test('an error that quotes a long field, or half a surrogate pair, still arrives', async () => {
  await using face = await FaceUnderTest.start();
  const violation = { field: 'ü'.repeat(10_000), description: '\ud800'.repeat(10_000) };
  const { error, find } = await received(face, 'VALIDATION', 'ü'.repeat(131_072), {
    fieldViolations: Array(100).fill(violation),
  });
  expect(error.code).toBe(status.INVALID_ARGUMENT);
  expect(error.details).toMatch(/^ü{511}…$/);
  expect(BadRequest.decode(find('BadRequest') ?? Buffer.alloc(0)).fieldViolations).toHaveLength(10);
  expect((await received(face, 'VALIDATION', `half \ud800 a pair`)).error.details).toBe('half \ufffd a pair');
});

test('a cause is not sent', async () => {
  await using face = await FaceUnderTest.start();
  face.dispatcher.answer = () => {
    throw new Error('CKR_SECRET_DETAIL');
  };
  const { error } = await face.send('KeyService/EnableKey', new Uint8Array());
  expect(error).toMatchObject({ code: status.INTERNAL });
  expect(JSON.stringify([error?.details, error?.metadata.toJSON()])).not.toContain('CKR_SECRET_DETAIL');
  const [bytes] = error?.metadata.get('grpc-status-details-bin') ?? [];
  expect(bytes?.toString()).not.toContain('CKR_SECRET_DETAIL');
});

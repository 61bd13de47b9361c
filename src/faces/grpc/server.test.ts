import { Client, status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { alice, FaceUnderTest, isListening, outcome, rawCall } from '../../../test/grpc-face.js';
import { delay } from '../../clock.js';
import { systemClock } from '../../clock-system.js';
import { Secret } from '../../secret.js';
import { CryptographyServiceClient } from './gen/holdfast/kms/v1/cryptography_service.js';

const noBytes = new Uint8Array();
const encrypt = '/holdfast.kms.v1.CryptographyService/Encrypt';

test('a client with a certificate is its principal; request and answer cross TLS 1.3', async () => {
  await using face = await FaceUnderTest.start();
  face.dispatcher.answer = (request) => ({
    plaintext: Secret.fromUtf8('the plaintext'),
    keyId: 'arn:key',
    encryptionAlgorithm: request['encryptionAlgorithm'],
  });
  const client = face.open(CryptographyServiceClient);
  const request = { ciphertextBlob: Buffer.from([1, 2, 3]), encryptionContext: new Map([['a', 'b']]) };
  const { error, response } = await outcome<{ plaintext?: Buffer | undefined; keyId?: string | undefined }>(
    (callback) => client.decrypt({ ...request, grantTokens: [], dryRunModifiers: [] }, callback),
  );
  expect(error).toBeNull();
  expect(response.plaintext?.toString()).toBe('the plaintext');
  expect(response.keyId).toBe('arn:key');
  const [call] = face.dispatcher.calls;
  expect(call).toMatchObject({ face: 'grpc', method: 'Decrypt', principal: alice, sourceAddress: '127.0.0.1' });
  expect(face.dispatcher.requests[0]).toEqual(request);
});

test('two callers on two connections are never confused', async () => {
  await using face = await FaceUnderTest.start();
  const stranger = face.authority.issue({ commonName: 'mallory', usage: 'client' });
  const known = face.open(Client);
  const unknown = face.open(Client, face.target, face.credentials(stranger));
  for (let round = 0; round < 10; round += 1) {
    await Promise.all([rawCall(known, encrypt, Buffer.from([0x0a, 1, 0x61])), rawCall(unknown, encrypt, noBytes)]);
  }
  for (const [index, call] of face.dispatcher.calls.entries()) {
    const isKnown = face.dispatcher.requests[index]?.['keyId'] === 'a';
    expect(call.principal).toBe(isKnown ? alice : undefined);
  }
  expect(face.dispatcher.calls).toHaveLength(20);
});

test('every answer and every error names its request', async () => {
  await using face = await FaceUnderTest.start();
  const answered = await face.send('KeyService/EnableKey', noBytes);
  expect(answered.headers?.get('x-request-id')).toEqual([face.dispatcher.calls[0]?.requestId]);
  face.dispatcher.answer = () => {
    throw new Error('internal');
  };
  const failed = await face.send('KeyService/EnableKey', noBytes);
  expect(failed.error?.code).toBe(status.INTERNAL);
  expect(failed.error?.metadata.get('x-request-id')).toEqual([face.dispatcher.calls[1]?.requestId]);
});

test('the deadline is the configured one or the client’s, whichever is earlier, with time left to answer', async () => {
  await using face = await FaceUnderTest.start({ requestTimeoutMs: 5_000 });
  const client = face.open(Client);
  const startedMs = systemClock.monotonicMs();
  await rawCall(client, encrypt, noBytes, 60_000);
  await rawCall(client, encrypt, noBytes, 2_000);
  const endedMs = systemClock.monotonicMs();
  const [long, short] = face.dispatcher.calls.map((call) => call.deadlineMs);
  expect(long).toBeGreaterThanOrEqual(startedMs + 5_000);
  expect(long).toBeLessThanOrEqual(endedMs + 5_000);
  expect(short).toBeLessThan(endedMs + 2_000);
});

test('a message over the limit is refused by grpc-js and does not reach the dispatcher', async () => {
  await using face = await FaceUnderTest.start();
  const { error } = await face.send('CryptographyService/Encrypt', new Uint8Array(5 * 1024 * 1024));
  expect(error?.code).toBe(status.RESOURCE_EXHAUSTED);
  expect((await face.send('CryptographyService/Encrypt', noBytes)).error).toBeNull();
  expect(face.dispatcher.calls).toHaveLength(1);
});

test('a method that does not exist is UNIMPLEMENTED', async () => {
  await using face = await FaceUnderTest.start();
  expect((await face.send('CryptographyService/Sign', noBytes)).error?.code).toBe(status.UNIMPLEMENTED);
});

test('a call that its client cancels runs to its end, and its connection stays usable', async () => {
  await using face = await FaceUnderTest.start();
  const client = face.open(CryptographyServiceClient);
  let finished = false;
  const call = await new Promise<{ cancel(): void }>((resolve) => {
    const started = client.generateRandom({ numberOfBytes: 1 }, () => undefined);
    face.dispatcher.answer = async () => {
      resolve(started);
      await delay(systemClock, 50);
      finished = true;
      return { plaintext: Secret.fromUtf8('x') };
    };
  });
  call.cancel();
  await expect.poll(() => finished).toBe(true);
  face.dispatcher.answer = () => ({ plaintext: Secret.fromUtf8('y') });
  const { response } = await outcome<{ plaintext?: Buffer | undefined }>((callback) =>
    client.generateRandom({ numberOfBytes: 1 }, callback),
  );
  expect(response.plaintext?.toString()).toBe('y');
});

test('the bytes of request and response are zeroed if they contain secrets', async () => {
  await using face = await FaceUnderTest.start();
  face.dispatcher.answer = (request, call) => {
    expect(Buffer.from((request['plaintext'] as Secret).reveal()).toString()).toBe('ab');
    // The message consists of zeroes now, which are not a valid one.
    expect(() => call.decode()).toThrow('not a valid EncryptRequest');
    return { keyId: 'an answer' };
  };
  // Field 2, two bytes.
  const { error, response } = await face.send('CryptographyService/Encrypt', Buffer.from([0x12, 2, 0x61, 0x62]));
  expect(error).toBeNull();
  expect(response?.includes('an answer')).toBe(true);
  expect(face.dispatcher.responses[0]?.every((byte) => byte === 0)).toBe(true);
});

test('a drain finishes calls in flight, refuses new ones, and ends', async () => {
  await using face = await FaceUnderTest.start();
  const release: (() => void)[] = [];
  face.dispatcher.answer = () => new Promise((resolve) => release.push(() => resolve({})));
  const inFlight = face.send('KeyService/EnableKey', noBytes);
  await expect.poll(() => release.length).toBe(1);
  const drained = face.face.drain(30_000);
  expect((await face.send('KeyService/EnableKey', noBytes)).error?.code).toBe(status.UNAVAILABLE);
  expect(await isListening(face.port)).toBe(false);
  release[0]?.();
  expect((await inFlight).error).toBeNull();
  await drained;
  expect(face.dispatcher.calls).toHaveLength(1);
});

test('a drain cuts off calls in flight when its bound is over', async () => {
  await using face = await FaceUnderTest.start();
  let started = false;
  face.dispatcher.answer = () => {
    started = true;
    return new Promise(() => undefined);
  };
  const inFlight = face.send('KeyService/EnableKey', noBytes);
  await expect.poll(() => started).toBe(true);
  await face.face.drain(100);
  expect((await inFlight).error).not.toBeNull();
});

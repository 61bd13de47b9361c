import type { ClientHttp2Session } from 'node:http2';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { type ServiceDefinition, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { FaceUnderTest } from '../../../test/grpc-face.js';
import { answerTo, frame, openSession, type RawCall } from '../../../test/raw-call.js';
import { services } from './services.js';

const maximumMessageBytes = 4_096;

let face: FaceUnderTest;
let session: ClientHttp2Session;

beforeAll(async () => {
  face = await FaceUnderTest.start({ limits: { maximumMessageBytes } });
  session = openSession(face);
});

afterAll(async () => {
  session.destroy();
  await face[Symbol.asyncDispose]();
});

const ours = services.flatMap((service) => Object.values(service as ServiceDefinition).map(({ path }) => path));
/** Methods that take one message; reflection takes a stream of them. */
const paths = [...ours, '/grpc.health.v1.Health/Check', '/grpc.health.v1.Health/Watch'];

const empty = frame(Buffer.alloc(0));
const gzip = { 'grpc-encoding': 'gzip' };
const zeros = Buffer.alloc(maximumMessageBytes + 1);

interface Malformed extends Omit<RawCall, 'path'> {
  /** The expected message. */
  says: RegExp;
}

const notValid: Record<string, Malformed> = {
  'no message': { body: Buffer.alloc(0), says: /has no message/ },
  'one byte': { body: Buffer.alloc(1), says: /ends within/ },
  'a head without its last byte': { body: empty.subarray(0, 4), says: /ends within/ },
  'a length and nothing else': { body: frame(Buffer.alloc(0), 0, 8), says: /ends within/ },
  'a length that is too long by one': { body: frame(Buffer.alloc(8), 0, 9), says: /ends within/ },
  'a length that is too short by one': { body: frame(Buffer.alloc(8), 0, 7), says: /more than one message/ },
  'a length of zero before bytes': { body: frame(Buffer.alloc(8), 0, 0), says: /more than one message/ },
  'two messages': { body: Buffer.concat([empty, empty]), says: /more than one message/ },
  'two messages, and the client goes on': {
    body: Buffer.concat([empty, empty]),
    ends: false,
    says: /more than one message/,
  },
  'a hundred messages': { body: Buffer.concat(Array(100).fill(empty) as Buffer[]), says: /more than one message/ },
  'a message and half a head': { body: Buffer.concat([empty, Buffer.alloc(2)]), says: /more than one message/ },
  'no gRPC at all': { body: Buffer.from('{"key_id": "alias/app"}'), says: /has unknown flags: 123/ },
  'unknown flags': { body: frame(Buffer.alloc(8), 2), says: /has unknown flags: 2/ },
  'all flags': { body: frame(Buffer.alloc(8), 255), headers: gzip, says: /has unknown flags: 255/ },
  'compressed, without the encoding': { body: frame(gzipSync(''), 1), says: /does not say how/ },
  'compressed with identity': {
    body: frame(Buffer.alloc(8), 1),
    headers: { 'grpc-encoding': 'identity' },
    says: /does not say how/,
  },
  'bytes that are not gzip': { body: frame(Buffer.from('no gzip'), 1), headers: gzip, says: /cannot be decompressed/ },
  'gzip of nothing': { body: frame(Buffer.alloc(0), 1), headers: gzip, says: /cannot be decompressed/ },
  'gzip that is cut off': {
    body: frame(gzipSync('a text').subarray(0, -9), 1),
    headers: gzip,
    says: /cannot be decompressed/,
  },
  'gzip with a wrong checksum': {
    body: frame(Buffer.concat([gzipSync('a text').subarray(0, -8), Buffer.alloc(8)]), 1),
    headers: gzip,
    says: /cannot be decompressed/,
  },
  'deflate without its header': {
    body: frame(deflateRawSync('a text'), 1),
    headers: { 'grpc-encoding': 'deflate' },
    says: /cannot be decompressed/,
  },
  'a timeout that cannot be read': { headers: { 'grpc-timeout': 'soon' }, says: /grpc-timeout/ },
};

const tooLong: Record<string, Malformed> = {
  'a message that is too long': { body: frame(zeros), says: /has 4097 bytes/ },
  'the longest length of all': { body: frame(zeros, 0, 2 ** 32 - 1), ends: false, says: /has 4294967295 bytes/ },
  'a length that is too long, without a message': { body: frame(Buffer.alloc(0), 0, 4_097), says: /has 4097 bytes/ },
  'gzip that is too long': { body: frame(gzipSync(zeros), 1), headers: gzip, says: /once it is decompressed/ },
  'deflate that is too long': {
    body: frame(deflateSync(zeros), 1),
    headers: { 'grpc-encoding': 'deflate' },
    says: /once it is decompressed/,
  },
};

const unsupported: Record<string, Malformed> = Object.fromEntries(
  ['zstd', 'br', 'GZIP', 'gzip, gzip', 'toString', '__proto__', 'x'.repeat(4_000)].map((encoding) => [
    `the compression ${encoding.slice(0, 20)}`,
    { body: frame(Buffer.alloc(8), 1), headers: { 'grpc-encoding': encoding }, says: /does not know the compression/ },
  ]),
);

const kinds = [
  { code: status.INVALID_ARGUMENT, reason: 'VALIDATION', bodies: notValid },
  { code: status.RESOURCE_EXHAUSTED, reason: 'LIMIT_EXCEEDED', bodies: tooLong },
  { code: status.UNIMPLEMENTED, reason: 'UNSUPPORTED_OPERATION', bodies: unsupported },
];

describe.each(paths)('%s', (path) => {
  test('answers everything that is not a request with an ErrorInfo, and does nothing', async () => {
    const before = face.dispatcher.calls.length;
    for (const { code, reason, bodies } of kinds) {
      for (const [name, { says, ...call }] of Object.entries(bodies)) {
        const answer = await answerTo(session, { ...call, path });
        expect(answer, name).toMatchObject({ code, info: { reason, domain: 'holdfast.kms' } });
        expect(answer.info?.metadata, name).toEqual(new Map([['retryable', 'false']]));
        expect(answer.message, name).toMatch(says);
        expect(answer.message.length, name).toBeLessThanOrEqual(512);
        expect(answer.data, name).toHaveLength(0);
      }
    }
    expect(face.dispatcher.calls).toHaveLength(before);
  });
});

test.each(['Check', 'Watch'])('health answers unreadable and unknown requests with an ErrorInfo: %s', async (name) => {
  const path = `/grpc.health.v1.Health/${name}`;
  const garbage = await answerTo(session, { path, body: frame(Buffer.from([0xff])) });
  expect(garbage).toMatchObject({ code: status.INVALID_ARGUMENT, info: { reason: 'VALIDATION' } });
  if (name === 'Watch') return;
  // `service: "x"`
  const unknown = await answerTo(session, { path, body: frame(Buffer.from([0x0a, 1, 0x78])) });
  expect(unknown).toMatchObject({ code: status.NOT_FOUND, info: { reason: 'NOT_FOUND' } });
});

describe('a valid request is answered, however it is sent', () => {
  const path = '/holdfast.kms.v1.CryptographyService/GenerateRandom';
  /** `number_of_bytes: 7`. */
  const message = Buffer.from([8, 7]);
  const bodies: Record<string, Omit<RawCall, 'path'>> = {
    plain: { body: frame(message) },
    gzip: { body: frame(gzipSync(message), 1), headers: gzip },
    deflate: { body: frame(deflateSync(message), 1), headers: { 'grpc-encoding': 'deflate' } },
    'not compressed although it could be': { body: frame(message), headers: gzip },
    'not compressed, with an unknown encoding': { body: frame(message), headers: { 'grpc-encoding': 'br' } },
    'the longest one, compressed': {
      body: frame(gzipSync(Buffer.concat([message, Buffer.alloc(maximumMessageBytes - 2, message)])), 1),
      headers: gzip,
    },
  };

  test.each(Object.entries(bodies))('%s', async (_name, call) => {
    expect(await answerTo(session, { ...call, path })).toMatchObject({ code: status.OK, info: undefined });
    expect(face.dispatcher.requests.at(-1)).toMatchObject({ numberOfBytes: 7 });
  });
});

test('a stream of requests is read however it is cut into pieces', async () => {
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  // `list_services: ""`
  const request = frame(Buffer.from([0x3a, 0]));
  const whole = await answerTo(session, { path, body: Buffer.concat([request, request, request]) });
  expect(whole.code).toBe(status.OK);
  for (let cut = 1; cut < request.length * 3; cut += 1) {
    const body = Buffer.concat([request, request, request]);
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc' });
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.write(body.subarray(0, cut));
    // Time for the server to read it: every request is answered, whenever it is read.
    await new Promise<void>((resolve) => session.ping(() => resolve()));
    stream.end(body.subarray(cut));
    await new Promise((resolve) => stream.once('end', resolve));
    expect(Buffer.concat(pieces).equals(whole.data), `cut at ${cut}`).toBe(true);
  }
});

test('a flood of compressed messages is refused at the second one, before any is decompressed twice', async () => {
  const before = process.memoryUsage().rss;
  const small = frame(gzipSync(''), 1);
  const body = Buffer.concat(Array(800).fill(small) as Buffer[]);
  const path = '/holdfast.kms.v1.CryptographyService/Encrypt';
  const answers = await Promise.all(
    Array.from({ length: 90 }, () => answerTo(session, { path, body, headers: gzip, ends: false })),
  );
  for (const { info } of answers) expect(info?.reason).toBe('VALIDATION');
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
});

test('forbidden headers are reported to the log only', async () => {
  const lines: string[] = [];
  await using other = await FaceUnderTest.start({ onLibraryLine: (line) => lines.push(line) });
  const printed = vi.spyOn(console, 'error');
  const client = openSession(other);
  const path = '/holdfast.kms.v1.CryptographyService/GenerateRandom';
  const { code } = await answerTo(client, { path, headers: { 'user-agent': 'evil\u009b31m' } });
  client.destroy();
  expect(code).toBe(status.OK);
  expect(lines).toEqual([expect.stringContaining('user-agent')]);
  expect(printed).not.toHaveBeenCalled();
});

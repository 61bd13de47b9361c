import { once } from 'node:events';
import { connect, type IncomingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaceUnderTest } from '../../../test/grpc-face.js';
import { modelOperations } from '../../../test/kms-model.js';
import { methodNames } from '../../operations/methods.js';
import { ErrorInfo } from './gen/google/rpc/error_details.js';
import { Status } from './gen/google/rpc/status.js';

const encrypt = '/holdfast.kms.v1.CryptographyService/Encrypt';
const maximumMessageBytes = 4_096;

let face: FaceUnderTest;

beforeAll(async () => {
  face = await FaceUnderTest.start({ limits: { maximumMessageBytes, messageTimeoutMs: 200 } });
});

afterAll(() => face[Symbol.asyncDispose]());

/** One gRPC frame. */
function frame(bytes: Uint8Array, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

interface RawCall {
  path?: string;
  body?: Buffer;
  /** Whether the client ends its side. */
  ends?: boolean;
  headers?: Record<string, string>;
}

/** The details of the answer to a call that no gRPC client would make. */
async function answerTo({ path = encrypt, body = frame(Buffer.alloc(0)), ends = true, headers = {} }: RawCall) {
  const { certificate: cert, key } = face.client;
  const session = connect(`https://localhost:${face.port}`, { ca: face.authority.certificate, cert, key });
  const stream = session.request(
    { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers },
    { endStream: false },
  );
  let answer: IncomingHttpHeaders = {};
  for (const event of ['response', 'trailers'])
    stream.on(event, (received: IncomingHttpHeaders) => (answer = { ...answer, ...received }));
  stream.on('error', () => undefined);
  if (ends) stream.end(body);
  else stream.write(body);
  stream.resume();
  await once(stream, 'end');
  await new Promise(setImmediate);
  session.destroy();
  const details = Status.decode(Buffer.from(String(answer['grpc-status-details-bin'] ?? ''), 'base64'));
  const [info] = details.details.map(({ value }) => ErrorInfo.decode(value));
  return { code: Number(answer['grpc-status']), message: details.message, info };
}

const services = [
  'holdfast.kms.v1.KeyService',
  'holdfast.kms.v1.KeyStoreService',
  'holdfast.kms.v1.CryptographyService',
  'holdfast.admin.v1.AdminService',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];
/** What AWS has and this version does not, by the published model. */
const unsupportedOperations = Object.keys(modelOperations).filter(
  (operation) => !(methodNames as readonly string[]).includes(operation),
);
const unknownPaths = [
  ...unsupportedOperations.map((operation) => `/holdfast.kms.v1.KeyService/${operation}`),
  ...services.map((service) => `/${service}/NoSuchMethod`),
  '/holdfast.kms.v1.KeyService/describeKey',
  '/holdfast.kms.v1.KeyService/',
  '/holdfast.kms.v1.KeyService/Encrypt',
  '/holdfast.kms.v2.KeyService/DescribeKey',
  '/holdfast.kms.v1.keyservice/DescribeKey',
  '/a.Service/Method',
  '/',
  '/%0d%0aevil',
  `/${'x'.repeat(3_000)}/Method`,
];

test.each(unknownPaths)(
  'an unknown method is answered like every refusal, whatever the client sends: %s',
  async (path) => {
    const calls: RawCall[] = [
      {},
      { body: Buffer.alloc(0) },
      { body: frame(Buffer.alloc(16)), ends: false },
      { body: Buffer.concat([frame(Buffer.alloc(8)), frame(Buffer.alloc(8))]) },
      { body: Buffer.from('garbage') },
      { headers: { 'grpc-timeout': '5S' } },
    ];
    for (const call of calls) {
      const { code, message, info } = await answerTo({ ...call, path });
      expect(code).toBe(status.UNIMPLEMENTED);
      expect(info).toMatchObject({ reason: 'UNSUPPORTED_OPERATION', domain: 'holdfast.kms' });
      expect(info?.metadata).toEqual(new Map([['retryable', 'false']]));
      expect(message).toContain(path.slice(0, 100));
      const isKnown = services.some((service) => path.startsWith(`/${service}/`));
      expect(message).toContain(isKnown ? 'does not have the method of' : 'does not have the service of');
      expect(message.length).toBeLessThanOrEqual(512);
    }
  },
);

const refused: Record<string, { call: RawCall; code: status; reason: string; retryable: string }> = {
  'a message that is too long': {
    call: { body: frame(Buffer.alloc(maximumMessageBytes + 1)) },
    code: status.RESOURCE_EXHAUSTED,
    reason: 'LIMIT_EXCEEDED',
    retryable: 'false',
  },
  'a message that is too long when it is decompressed': {
    call: { body: frame(gzipSync(Buffer.alloc(maximumMessageBytes * 8)), 1), headers: { 'grpc-encoding': 'gzip' } },
    code: status.RESOURCE_EXHAUSTED,
    reason: 'LIMIT_EXCEEDED',
    retryable: 'false',
  },
  'a compression that nobody knows': {
    call: { body: frame(Buffer.alloc(8), 1), headers: { 'grpc-encoding': 'zstd' } },
    code: status.UNIMPLEMENTED,
    reason: 'UNSUPPORTED_OPERATION',
    retryable: 'false',
  },
  'a compression that is broken': {
    call: { body: frame(Buffer.from('no gzip'), 1), headers: { 'grpc-encoding': 'gzip' } },
    code: status.INVALID_ARGUMENT,
    reason: 'VALIDATION',
    retryable: 'false',
  },
  'a timeout that cannot be read': {
    call: { headers: { 'grpc-timeout': 'soon' } },
    code: status.INVALID_ARGUMENT,
    reason: 'VALIDATION',
    retryable: 'false',
  },
  'a request without a message': {
    call: { body: Buffer.alloc(0) },
    code: status.UNIMPLEMENTED,
    reason: 'UNSUPPORTED_OPERATION',
    retryable: 'false',
  },
  'a request that does not arrive': {
    call: { body: frame(Buffer.alloc(8)).subarray(0, 6), ends: false },
    code: status.DEADLINE_EXCEEDED,
    reason: 'DEPENDENCY_TIMEOUT',
    retryable: 'true',
  },
};

test.each(Object.entries(refused))(
  '%s is refused with an ErrorInfo',
  async (_name, { call, code, reason, retryable }) => {
    face.dispatcher.answer = () => new Promise((resolve) => setTimeout(resolve, 1_000, {}));
    const answer = await answerTo(call);
    expect(answer).toMatchObject({ code, info: { reason, domain: 'holdfast.kms' } });
    expect(answer.info?.metadata.get('retryable')).toBe(retryable);
  },
);

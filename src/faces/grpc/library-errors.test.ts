import type { ClientHttp2Session } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaceUnderTest } from '../../../test/grpc-face.js';
import { modelOperations } from '../../../test/kms-model.js';
import { answerTo, frame, openSession, type RawCall } from '../../../test/raw-call.js';
import { operationNames } from '../../operations/registry.js';

let face: FaceUnderTest;
let session: ClientHttp2Session;

beforeAll(async () => {
  face = await FaceUnderTest.start();
  session = openSession(face);
});

afterAll(async () => {
  session.destroy();
  await face[Symbol.asyncDispose]();
});

const services = [
  'holdfast.kms.v1.KeyService',
  'holdfast.kms.v1.KeyStoreService',
  'holdfast.kms.v1.CryptographyService',
  'holdfast.admin.v1.AdminService',
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
];
/** The operations of AWS's published model that this version does not have. */
const unsupportedOperations = Object.keys(modelOperations).filter(
  (operation) => !(operationNames as readonly string[]).includes(operation),
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
  'an unknown method is answered like every other refusal, whatever the client sends: %s',
  async (path) => {
    const calls: Omit<RawCall, 'path'>[] = [
      {},
      { body: Buffer.alloc(0) },
      { body: frame(Buffer.alloc(16)), ends: false },
      { body: Buffer.concat([frame(Buffer.alloc(8)), frame(Buffer.alloc(8))]) },
      { body: Buffer.from('garbage') },
      { headers: { 'grpc-timeout': '5S' } },
    ];
    for (const call of calls) {
      const { code, message, info } = await answerTo(session, { ...call, path });
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

test('a flood of calls to unknown methods is counted, and logged as one line with the stranger’s certificate', async () => {
  const counts = new Map<string, number>();
  await using other = await FaceUnderTest.start({
    onRefusalCounted: (kind) => counts.set(kind, (counts.get(kind) ?? 0) + 1),
  });
  const stranger = openSession(other, other.authority.issue({ commonName: 'mallory', usage: 'client' }));
  for (let call = 0; call < 50; call += 1)
    await answerTo(stranger, { path: `/holdfast.kms.v1.KeyService/Sign${call}` });
  stranger.destroy();
  expect(Object.fromEntries(counts)).toEqual({ 'unknown-method': 50 });
  expect(other.refusals).toMatchObject([
    { kind: 'unknown-method', sourceAddress: '127.0.0.1', certificate: { subject: 'CN=mallory' }, unreported: 0 },
  ]);
  expect(JSON.stringify(other.refusals)).not.toContain('Sign');
  expect(other.dispatcher.calls).toHaveLength(0);
});

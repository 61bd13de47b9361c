import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { FaceUnderTest } from '../../../test/grpc-face.js';
import { modelOperations, type ModelShape } from '../../../test/kms-model.js';
import { kmsOperationNames } from '../../api/kms-operations.js';
import { operationNames } from '../../operations/registry.js';
import { requestConstraints } from '../../api/request-constraints.js';
import { HoldfastError } from '../../errors.js';
import { Secret } from '../../secret.js';
import { codecs } from './handler.js';
import { ErrorInfo } from './gen/google/rpc/error_details.js';
import { Status } from './gen/google/rpc/status.js';
import { EncryptRequest, EncryptResponse, DecryptResponse } from './gen/holdfast/kms/v1/cryptography_service.js';
import { DescribeKeyResponse } from './gen/holdfast/kms/v1/key_service.js';
import { CreateCustomKeyStoreRequest } from './gen/holdfast/kms/v1/key_store_service.js';
import { methodOf, serviceNames, services } from './services.js';

/** A length-delimited field. */
function field(number: number, ...parts: (string | Uint8Array)[]): Buffer {
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.from(
    new BinaryWriter()
      .uint32(number * 8 + 2)
      .bytes(bytes)
      .finish(),
  );
}

const entry = (number: number, name: string, value: string): Buffer => field(number, field(1, name), field(2, value));

function decodeEncrypt(...fields: Uint8Array[]): Record<string, unknown> {
  return codecs.Encrypt.decode(Buffer.concat(fields)) as Record<string, unknown>;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof HoldfastError) return error.code;
    throw error;
  }
  return 'none';
}

test('every method of the services has a codec and every codec a method', () => {
  const paths = services.flatMap((service) => Object.values(service).map((method: { path: string }) => method.path));
  expect(paths.map(methodOf).sort()).toEqual([...operationNames].sort());
  expect(Object.keys(codecs).sort()).toEqual([...operationNames].sort());
  expect(serviceNames).toEqual([
    'holdfast.kms.v1.KeyStoreService',
    'holdfast.kms.v1.KeyService',
    'holdfast.kms.v1.CryptographyService',
    'holdfast.admin.v1.AdminService',
    'holdfast.admin.v1.BackupService',
    'holdfast.admin.v1.ClusterService',
    'holdfast.admin.v1.CredentialService',
  ]);
});

test('any bytes are a request, a VALIDATION error or unknown fields, for every method', () => {
  for (const method of operationNames) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(['none', 'VALIDATION', 'UNSUPPORTED_OPERATION']).toContain(
          codeOf(() => codecs[method].decode(Buffer.from(bytes))),
        );
      }),
      { numRuns: 300 },
    );
  }
});

test('nothing is hidden behind a zero tag, which the generated decoder takes for the end', () => {
  for (const method of operationNames) {
    for (const bytes of [[0], [0, 0xff], [18, 0, 0], [26, 0, 0], [0x0a, 0, 0, 0x0a, 0]]) {
      expect(codeOf(() => codecs[method].decode(Buffer.from(bytes)))).toBe('VALIDATION');
    }
  }
});

test.each([
  ['a zero tag', Buffer.of(0)],
  ['the end of a group', Buffer.of(0x0c)],
])('nothing is hidden in a context behind %s', (_name, end) => {
  const hiding = (...hidden: Buffer[]) => field(3, field(1, 'a'), field(2, '1'), end, ...hidden);
  for (const hidden of [field(1, 'another-key'), entry(3, 'b', '2'), field(14, 'of a newer client'), Buffer.of(0xff)]) {
    expect(codeOf(() => decodeEncrypt(field(1, 'key'), hiding(hidden)))).toBe('VALIDATION');
  }
  expect(codeOf(() => decodeEncrypt(entry(3, 'b', '1'), hiding(entry(3, 'b', '2'))))).toBe('VALIDATION');
});

test('invalid UTF-8 is refused, in a field and in an encryption context; a byte order mark is kept', () => {
  const invalid = Buffer.from([0x61, 0xff]);
  expect(codeOf(() => decodeEncrypt(field(1, invalid)))).toBe('VALIDATION');
  expect(codeOf(() => decodeEncrypt(field(3, field(1, invalid), field(2, 'value'))))).toBe('VALIDATION');
  expect(codeOf(() => decodeEncrypt(field(3, field(1, 'name'), field(2, invalid))))).toBe('VALIDATION');
  const overlong = Buffer.from([0xc0, 0x80]);
  expect(codeOf(() => codecs.CreateCustomKeyStore.decode(field(4, overlong)))).toBe('VALIDATION');
  const marked = Buffer.from([0xef, 0xbb, 0xbf, 0x61]);
  expect(decodeEncrypt(field(1, marked))['keyId']).toBe('\ufeffa');
});

test('__proto__ and constructor are ordinary names', () => {
  const request = decodeEncrypt(entry(3, '__proto__', 'a'), entry(3, 'constructor', 'b'), entry(3, '', 'c'));
  expect(request['encryptionContext']).toEqual(
    new Map([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['', 'c'],
    ]),
  );
});

test.each([
  ['Encrypt', 3, 'encryption_context'],
  ['Decrypt', 2, 'encryption_context'],
  ['ReEncrypt', 2, 'source_encryption_context'],
  ['ReEncrypt', 5, 'destination_encryption_context'],
  ['GenerateDataKey', 2, 'encryption_context'],
  ['GenerateDataKeyWithoutPlaintext', 2, 'encryption_context'],
] as const)('%s refuses a name that occurs twice in its context (field %i)', (method, number, name) => {
  const decode = (...fields: Buffer[]) => codecs[method].decode(Buffer.concat(fields));
  expect(codeOf(() => decode(entry(number, 'a', '1'), entry(number, 'b', '2')))).toBe('none');
  for (const second of [entry(number, 'a', '1'), entry(number, 'a', '2')]) {
    expect(() => decode(entry(number, 'a', '1'), entry(number, 'b', '1'), second)).toThrow(
      expect.objectContaining({ code: 'VALIDATION', message: `A name occurs more than once in ${name}.` }),
    );
  }
  // An entry without a name has the empty name.
  expect(codeOf(() => decode(field(number, field(2, 'x')), entry(number, '', 'y')))).toBe('VALIDATION');
});

test('a plaintext in a request that is refused for its context is zeroed', () => {
  const decoded = vi.spyOn(EncryptRequest, 'decode');
  try {
    const context = [entry(3, 'a', '1'), entry(3, 'a', '2')];
    expect(codeOf(() => decodeEncrypt(field(2, 'a plaintext of some length. '.repeat(9)), ...context))).toBe(
      'VALIDATION',
    );
    const { plaintext } = decoded.mock.results[0]?.value as EncryptRequest;
    expect(plaintext?.length).toBeGreaterThan(200);
    expect(plaintext?.every((byte) => byte === 0)).toBe(true);
  } finally {
    decoded.mockRestore();
  }
});

test('an enum’s UNSPECIFIED is absent; a number that the proto does not know is UNRECOGNIZED', () => {
  expect(decodeEncrypt(Buffer.from([0x28, 0]))).toEqual({ encryptionContext: new Map() });
  expect(decodeEncrypt(Buffer.from([0x28, 1]))['encryptionAlgorithm']).toBe('SYMMETRIC_DEFAULT');
  expect(decodeEncrypt(Buffer.from([0x28, 99]))['encryptionAlgorithm']).toBe('UNRECOGNIZED');
  // dry_run_modifiers, packed: UNSPECIFIED, IGNORE_CIPHERTEXT, 7.
  const { dryRunModifiers } = codecs.Decrypt.decode(field(8, Buffer.from([0, 1, 7]))) as { dryRunModifiers: string[] };
  expect(dryRunModifiers).toEqual(['UNSPECIFIED', 'IGNORE_CIPHERTEXT', 'UNRECOGNIZED']);
});

test('absent and empty differ', () => {
  expect(decodeEncrypt(field(1), field(2))).toEqual({
    keyId: '',
    plaintext: expect.objectContaining({ byteLength: 0 }) as unknown,
    encryptionContext: new Map(),
  });
});

test('plaintexts and passwords are secrets, and no copy of the password stays in the frame', () => {
  const frame = Buffer.from(
    EncryptRequest.encode(EncryptRequest.fromPartial({ plaintext: Buffer.from('P4$$') })).finish(),
  );
  const { plaintext } = codecs.Encrypt.decode(frame) as { plaintext: Secret };
  frame.fill(0);
  expect(Buffer.from(plaintext.reveal()).toString()).toBe('P4$$');

  const request = { customKeyStoreName: 'store', keyStorePassword: 'pässword', cloudHsmClusterId: 'cluster' };
  const message = CreateCustomKeyStoreRequest.encode(CreateCustomKeyStoreRequest.fromPartial(request)).finish();
  const decoded = codecs.CreateCustomKeyStore.decode(message) as { keyStorePassword: Secret };
  expect(decoded).toMatchObject({ customKeyStoreName: 'store', cloudHsmClusterId: 'cluster' });
  expect(Buffer.from(decoded.keyStorePassword.reveal()).toString()).toBe('pässword');
  expect(Buffer.from(message).includes('ssword')).toBe(false);

  const twice = Buffer.concat([field(3, 'first-one'), field(3, 'second-one')]);
  const update = codecs.UpdateCustomKeyStore.decode(twice) as { keyStorePassword: Secret };
  expect(Buffer.from(update.keyStorePassword.reveal()).toString()).toBe('second-one');
  expect(twice.includes('-one')).toBe(false);
});

test('the codec knows exactly the fields of the model and the limits', () => {
  for (const method of kmsOperationNames) {
    const request = codecs[method].decode(everyField(modelOperations[method].input.members));
    expect({ method, names: Object.keys(request).sort() }).toEqual({
      method,
      names: Object.keys(requestConstraints[method]).sort(),
    });
  }
});

/** A request with every field of the model's input, numbered in the model's order. */
function everyField(members: Readonly<Record<string, ModelShape>>): Buffer {
  return Buffer.concat(Object.values(members).map((shape, index) => encodedField(index + 1, shape)));
}

function encodedField(number: number, shape: ModelShape): Buffer {
  if (shape.enum !== undefined || shape.type === 'integer' || shape.type === 'boolean') {
    return Buffer.from([...new BinaryWriter().uint32(number * 8).finish(), 1]);
  }
  if (shape.member?.enum !== undefined) return field(number, Buffer.from([1]));
  return field(number, ['map', 'structure', 'list'].includes(shape.type) ? field(1, 'x') : 'x');
}

test('answers cross unchanged: bytes, secrets, states, dates, lists; undefined is left out', () => {
  const creationDate = new Date('2026-11-23T22:13:03.250Z');
  const custody = {
    cluster: 'cluster-abcdefghijk',
    members: ['left', 'right'],
    replication: 'none',
    extractable: false,
  };
  const keyMetadata = {
    keyId: 'id',
    creationDate,
    deletionDate: undefined,
    keyState: 'PendingDeletion',
    encryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
    custody: { ...custody, minimumMembers: 1, backedUp: false },
  };
  const described = DescribeKeyResponse.decode(codecs.DescribeKey.encode({ keyMetadata })).keyMetadata;
  expect(described).toMatchObject({
    keyId: 'id',
    creationDate,
    deletionDate: undefined,
    keyState: 'KEY_STATE_PENDING_DELETION',
    encryptionAlgorithms: ['ENCRYPTION_ALGORITHM_SYMMETRIC_DEFAULT'],
    macAlgorithms: [],
    custody: { ...custody, replication: 'REPLICATION_NONE', minimumMembers: 1, backedUp: false },
  });

  const ciphertextBlob = new Uint8Array([9, 1, 2, 3, 9]).subarray(1, 4);
  expect(EncryptResponse.decode(codecs.Encrypt.encode({ ciphertextBlob })).ciphertextBlob).toEqual(
    Buffer.from([1, 2, 3]),
  );
  const plaintext = Secret.fromUtf8('secret');
  expect(DecryptResponse.decode(codecs.Decrypt.encode({ plaintext })).plaintext?.toString()).toBe('secret');
});

test('no secret stays in the memory in which answers are encoded', () => {
  const finish = vi.spyOn(BinaryWriter.prototype, 'finish');
  try {
    for (const method of ['Decrypt', 'GenerateDataKey'] as const) {
      for (const text of ['a secret', `another secret ${'x'.repeat(20_000)}`, 'a']) {
        // Not ASCII, so it needs a writer (`plain-response.ts`).
        const bytes = codecs[method].encode({ keyId: 'ключ', plaintext: Secret.fromUtf8(text) });
        expect(Buffer.from(bytes).includes(text)).toBe(true);
        const writers = finish.mock.contexts as unknown as { buffer: Uint8Array }[];
        expect(writers.length).toBeGreaterThan(0);
        for (const { buffer } of writers) expect(Buffer.from(buffer).equals(Buffer.alloc(buffer.length))).toBe(true);
        bytes.fill(0);
      }
    }
  } finally {
    finish.mockRestore();
  }
});

test('an answer is changed neither by the next one nor by one that failed', () => {
  const encode = (keyId: string) => codecs.Encrypt.encode({ keyId, ciphertextBlob: Uint8Array.of(1) });
  const first = encode('first');
  expect(() => codecs.Encrypt.encode({ keyId: 'broken', ciphertextBlob: 'no bytes' })).toThrow();
  const second = encode('second');
  expect([first, second].map((bytes) => EncryptResponse.decode(bytes).keyId)).toEqual(['first', 'second']);
});

test('an answer that the proto cannot carry fails instead of losing a field', () => {
  expect(() => codecs.Encrypt.encode({ cipherTextBlob: new Uint8Array() })).toThrow('no field for cipherTextBlob');
  expect(() => codecs.Encrypt.encode({ encryptionAlgorithm: 'ROT13' })).toThrow('no value ROT13');
  const plaintext = Secret.fromUtf8('secret');
  plaintext.destroy();
  expect(() => codecs.Decrypt.encode({ plaintext })).toThrow('after it was destroyed');
});

test('a client gets VALIDATION with details for garbage', async () => {
  await using face = await FaceUnderTest.start();
  const { error } = await face.send('CryptographyService/Encrypt', Buffer.from([0xff, 0xff, 0xff]));
  const [bytes] = error?.metadata.get('grpc-status-details-bin') ?? [];
  const [info] = Status.decode(bytes as Buffer).details;
  expect(ErrorInfo.decode(info?.value ?? Buffer.alloc(0))).toMatchObject({
    reason: 'VALIDATION',
    domain: 'holdfast.kms',
  });
});

test.each(operationNames)('%s refuses a field that its proto does not have', (method) => {
  const decode = () => codecs[method].decode(field(100, 'the dry_run of tomorrow'));
  expect(codeOf(decode)).toBe('UNSUPPORTED_OPERATION');
});

import { BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { Secret } from '../../secret.js';
import { EncryptionAlgorithm } from './gen/holdfast/kms/v1/algorithms.js';
import {
  DecryptResponse,
  EncryptResponse,
  GenerateDataKeyResponse,
  GenerateRandomResponse,
  ReEncryptResponse,
} from './gen/holdfast/kms/v1/cryptography_service.js';
import { ListKeysResponse, ScheduleKeyDeletionResponse } from './gen/holdfast/kms/v1/key_service.js';
import { KeyState } from './gen/holdfast/kms/v1/key_metadata.js';
import { codecs } from './handler.js';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const text = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 200 }),
  fc.constant('x'.repeat(20_000)),
  fc.string({ unit: 'grapheme', maxLength: 9 }),
);
const algorithm = fc.constant('SYMMETRIC_DEFAULT');
const integer = fc.oneof(fc.nat({ max: 300 }), fc.integer());

/** The generated encoder, and responses as the domain gives them, with plaintexts as bytes. */
const responses = {
  Encrypt: [EncryptResponse, { ciphertextBlob: bytes, keyId: text, encryptionAlgorithm: algorithm }],
  Decrypt: [
    DecryptResponse,
    {
      keyId: text,
      plaintext: bytes,
      encryptionAlgorithm: algorithm,
      ciphertextForRecipient: bytes,
      keyMaterialId: text,
    },
  ],
  GenerateDataKey: [
    GenerateDataKeyResponse,
    { ciphertextBlob: bytes, plaintext: bytes, keyId: text, keyMaterialId: text },
  ],
  GenerateRandom: [GenerateRandomResponse, { plaintext: bytes }],
  ReEncrypt: [
    ReEncryptResponse,
    { ciphertextBlob: bytes, sourceKeyId: text, keyId: text, sourceEncryptionAlgorithm: algorithm },
  ],
  ScheduleKeyDeletion: [
    ScheduleKeyDeletionResponse,
    {
      keyId: text,
      deletionDate: fc.date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-01-01') }),
      keyState: fc.constantFrom('PendingDeletion', 'Enabled'),
      pendingWindowInDays: integer,
    },
  ],
  ListKeys: [ListKeysResponse, { nextMarker: text, truncated: fc.boolean() }],
} as const;

const wireNames = new Map<unknown, string>([
  ['SYMMETRIC_DEFAULT', EncryptionAlgorithm.SYMMETRIC_DEFAULT],
  ['PendingDeletion', KeyState.PENDING_DELETION],
  ['Enabled', KeyState.ENABLED],
]);

test.each(Object.entries(responses))(
  '%s is written as the generated encoder writes it',
  (method, [message, fields]) => {
    const response = fc.record<Record<string, unknown>>(fields, { requiredKeys: [] });
    fc.assert(
      fc.property(response, (values) => {
        const entries = Object.entries(values);
        const wire = Object.fromEntries(entries.map(([name, value]) => [name, wireNames.get(value) ?? value]));
        const domain = Object.fromEntries(
          entries.map(([name, value]) => [
            name,
            name === 'plaintext' ? new Secret(Buffer.from(value as Buffer)) : value,
          ]),
        );
        const encoded = codecs[method as keyof typeof responses].encode(domain);
        const generated = message as { fromPartial(partial: object): unknown; encode(one: unknown): BinaryWriter };
        const expected = generated.encode(generated.fromPartial(wire)).finish();
        expect(Buffer.from(encoded).equals(expected)).toBe(true);
      }),
      { numRuns: 300 },
    );
  },
);

test('a field that the proto lacks is refused, even if it has no value', () => {
  expect(() => codecs.Encrypt.encode({ keyId: 'arn', other: undefined })).toThrow('no field for other');
});

test('usual answers need no writer, and those with a secret share their memory with nothing', () => {
  const finish = vi.spyOn(BinaryWriter.prototype, 'finish');
  try {
    for (const length of [1, 32, 64, 4_096]) {
      const plaintext = () => new Secret(Buffer.alloc(length, 7));
      const answers = [
        codecs.Decrypt.encode({ keyId: 'arn', plaintext: plaintext(), encryptionAlgorithm: 'SYMMETRIC_DEFAULT' }),
        codecs.GenerateDataKey.encode({ ciphertextBlob: Buffer.alloc(114), plaintext: plaintext(), keyId: 'arn' }),
        codecs.GenerateRandom.encode({ plaintext: plaintext() }),
      ];
      for (const answer of answers) expect(answer.buffer.byteLength).toBe(answer.byteLength);
    }
    codecs.Encrypt.encode({
      ciphertextBlob: Buffer.alloc(114),
      keyId: 'arn',
      encryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    });
    expect(finish).not.toHaveBeenCalled();
  } finally {
    finish.mockRestore();
  }
});

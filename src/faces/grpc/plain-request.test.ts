import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { type OperationName, operationNames } from '../../operations/registry.js';
import { HoldfastError } from '../../errors.js';
import { Secret } from '../../secret.js';
import { codecs } from './handler.js';

/** What a decoder makes of a frame: the request with its secrets in hex, or the error. */
function outcomeOf(method: OperationName, frame: Buffer): unknown {
  try {
    const request = Object.entries(codecs[method].decode(Buffer.from(frame)));
    return new Map(request.map(([name, value]: [string, unknown]) => [name, comparable(value)]));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return `${error.code}: ${error.message}`;
  }
}

function comparable(value: unknown): unknown {
  return value instanceof Secret ? `secret ${Buffer.from(value.reveal()).toString('hex')}` : value;
}

/**
 * Makes a frame that is the same message for protobuf and is never plain: its first tag is a varint of more bytes than
 * it needs. A frame that does not begin with a tag of one byte is not plain anyway.
 */
function padded(frame: Buffer): Buffer {
  const [first] = frame;
  if (first === undefined || first > 0x7f) return frame;
  return Buffer.concat([Buffer.of(first | 0x80, 0), frame.subarray(1)]);
}

function field(number: number, content: Uint8Array | number): Buffer {
  const writer = new BinaryWriter();
  if (typeof content === 'number') writer.uint32(number * 8).uint32(content);
  else writer.uint32(number * 8 + 2).bytes(content);
  return Buffer.from(writer.finish());
}

const asciiBytes = fc.string({ unit: 'binary-ascii', maxLength: 100 }).map((text) => Buffer.from(text));
const textBytes = fc.oneof(
  asciiBytes,
  asciiBytes,
  fc.string({ unit: 'binary', maxLength: 9 }).map((text) => Buffer.from(text)),
);
const entryBytes = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('a', 'b', 'c').map((name) => Buffer.from(name)),
      textBytes,
    )
    .map(([name, value]) => [field(1, name), field(2, value)]),
  fc.array(
    fc.tuple(fc.integer({ min: 1, max: 3 }), textBytes).map(([number, bytes]) => field(number, bytes)),
    { maxLength: 3 },
  ),
);
const content = fc.oneof(
  textBytes,
  entryBytes.map((parts) => Buffer.concat(parts)),
  fc.uint8Array({ maxLength: 100 }),
  fc.oneof(fc.nat({ max: 3 }), fc.nat(2 ** 32 - 1)),
);
const numbered = fc.tuple(fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 20 })), content);
const fields = fc
  .tuple(fc.array(numbered, { maxLength: 6 }), fc.boolean())
  .map(([list, sorted]) => (sorted ? list.sort(([one], [other]) => one - other) : list))
  .map((list) => Buffer.concat(list.map(([number, bytes]) => field(number, bytes))));
const damage = fc.tuple(fc.nat(), fc.nat({ max: 255 }), fc.constantFrom('none', 'none', 'change', 'insert', 'cut'));
const frames = fc.tuple(fields, damage).map(([frame, [place, byte, kind]]) => {
  const at = place % (frame.length + 1);
  if (kind === 'none') return frame;
  const rest = frame.subarray(kind === 'change' ? at + 1 : at);
  return Buffer.concat([frame.subarray(0, at), ...(kind === 'cut' ? [] : [Buffer.of(byte), rest])]);
});

test.each(operationNames)('%s: what is read plainly is what protobuf’s reader makes of it', (method) => {
  fc.assert(
    fc.property(frames, (frame) => {
      expect(outcomeOf(method, frame)).toEqual(outcomeOf(method, padded(frame)));
    }),
    { numRuns: 500 },
  );
});

const id = Buffer.from('alias/app');
const entries = ['a', 'b'].map((name) => Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from('value'))]));

const usual: readonly [OperationName, Buffer[]][] = [
  [
    'Encrypt',
    [field(1, id), field(2, Buffer.alloc(4_096, 1)), ...entries.map((entry) => field(3, entry)), field(5, 1)],
  ],
  ['Encrypt', [field(1, id), field(2, Buffer.from('short')), field(6, 0)]],
  ['Decrypt', [field(1, Buffer.alloc(200, 1)), ...entries.map((entry) => field(2, entry)), field(4, id)]],
  ['GenerateDataKey', [field(1, id), field(4, 1)]],
  ['GenerateDataKey', [field(1, id), field(3, 1_024)]],
  ['GenerateRandom', [field(1, 32)]],
  ['DescribeKey', [field(1, id)]],
];

test.each(usual)('%s as clients usually send it is read without protobuf’s reader', (method, parts) => {
  const frame = Buffer.concat(parts);
  const expected = outcomeOf(method, padded(frame));
  const readTag = vi.spyOn(BinaryReader.prototype, 'tag');
  try {
    expect(outcomeOf(method, frame)).toEqual(expected);
    expect(readTag).not.toHaveBeenCalled();
    outcomeOf(method, padded(frame));
    expect(readTag).toHaveBeenCalled();
  } finally {
    readTag.mockRestore();
  }
});

test('a frame that turns out not to be plain after its secret is read whole by the strict decoder', () => {
  const plaintext = Buffer.from('a secret');
  const context = Buffer.concat([field(1, Buffer.from('ключ')), field(2, Buffer.from('🔑'))]);
  const frame = Buffer.concat([field(1, id), field(2, plaintext), field(3, context)]);
  expect(outcomeOf('Encrypt', frame)).toEqual(
    new Map<string, unknown>([
      ['keyId', 'alias/app'],
      ['plaintext', `secret ${plaintext.toString('hex')}`],
      ['encryptionContext', new Map([['ключ', '🔑']])],
    ]),
  );
});

test('a plaintext shares no memory with the frame, which is zeroed', () => {
  for (const length of [0, 1, 64, 65, 4_096]) {
    const frame = Buffer.concat([field(1, id), field(2, Buffer.alloc(length, 7))]);
    const { plaintext } = codecs.Encrypt.decode(frame) as { plaintext: Secret };
    frame.fill(0);
    expect(Buffer.from(plaintext.reveal()).equals(Buffer.alloc(length, 7))).toBe(true);
  }
});

import { expect, test } from 'vitest';
import { type ModelShape, modelOperations } from '../../test/kms-model.js';
import { algorithmsOf, honouredKeySpecs, type KeyUsage, keySpecs, keySpecsWith } from './key-specs.js';
import { mechanismsNamed } from './mechanisms.js';

const created = modelOperations.CreateKey.input.members;
const described = modelOperations.DescribeKey.output?.members['KeyMetadata']?.members ?? {};

/** The field of KeyMetadata that lists the algorithms of a usage. */
const algorithmFields: Record<KeyUsage, string> = {
  ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
  SIGN_VERIFY: 'SigningAlgorithms',
  GENERATE_VERIFY_MAC: 'MacAlgorithms',
  KEY_AGREEMENT: 'KeyAgreementAlgorithms',
  ENCAPSULATE_DECAPSULATE: 'EncapsulationAlgorithms',
};

const valuesOf = (shape: ModelShape | undefined): string[] => [...(shape?.member ?? shape)!.enum!].sort();
const specs = Object.values(keySpecs);

test('the table has the specs and the usages of the model, and no others', () => {
  expect(Object.keys(keySpecs).sort()).toEqual(valuesOf(created['KeySpec']));
  const usages = specs.flatMap(({ uses }) => Object.keys(uses));
  expect([...new Set(usages)].sort()).toEqual(valuesOf(created['KeyUsage']));
  expect(Object.keys(keySpecs)).toEqual(expect.arrayContaining(valuesOf(created['CustomerMasterKeySpec'])));
});

test.each(Object.entries(algorithmFields))(
  '%s: each algorithm of the model is one of a spec, and no other is',
  (usage, field) => {
    const algorithms = specs.flatMap(({ uses }) => uses[usage as KeyUsage]?.algorithms ?? []);
    expect([...new Set(algorithms)].sort()).toEqual(valuesOf(described[field]));
  },
);

test('the mechanisms of a key that Holdfast makes are known, and there is one usage', () => {
  expect(honouredKeySpecs).toEqual(['SYMMETRIC_DEFAULT', 'HMAC_224', 'HMAC_256', 'HMAC_384', 'HMAC_512']);
  for (const spec of honouredKeySpecs) {
    const uses = Object.entries(keySpecs[spec].uses);
    expect(uses).toHaveLength(1);
    for (const [usage, use] of uses) {
      expect(algorithmsOf(spec, usage as KeyUsage)).toHaveLength(1);
      expect(use.mechanisms).toHaveLength(2);
    }
  }
  expect(algorithmsOf('HMAC_256', 'ENCRYPT_DECRYPT')).toEqual([]);
});

test('the length of a key for MACs is that of its hash', () => {
  for (const [name, { macLength }] of Object.entries(keySpecs)) {
    const bits = /^HMAC_(\d+)$/.exec(name)?.[1];
    expect([name, macLength]).toEqual([name, bits === undefined ? undefined : Number(bits) / 8]);
  }
});

test('a token that lacks a mechanism holds no keys that need it', () => {
  const all = honouredKeySpecs.flatMap((spec) => Object.values(keySpecs[spec].uses).flatMap((use) => use.mechanisms));
  const values = all.map(({ value }) => value);
  expect(keySpecsWith(values)).toEqual(honouredKeySpecs);
  const [sha384] = mechanismsNamed('CKM_SHA384_HMAC');
  expect(keySpecsWith(values.filter((value) => value !== sha384?.value))).toEqual(
    honouredKeySpecs.filter((spec) => spec !== 'HMAC_384'),
  );
  expect(keySpecsWith([])).toEqual([]);
});

import { readFileSync } from 'node:fs';
import { fromBinary } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { type ModelShape, modelOperations } from '../../../test/kms-model.js';
import { kmsOperationNames } from '../../api/kms-operations.js';

const files = fromBinary(
  FileDescriptorSetSchema,
  readFileSync(new URL('./gen/descriptor.binpb', import.meta.url)),
).file.filter((file) => file.package.startsWith('holdfast.'));
const descriptors = files.filter((file) => file.package === 'holdfast.kms.v1');
const messages = new Map(descriptors.flatMap((file) => file.messageType.map((message) => [message.name, message])));
const enums = new Map(descriptors.flatMap((file) => file.enumType.map((one) => [one.name, one])));

/**
 * Fields that were appended to those of the first version of the model: our own, and those that AWS has added since.
 * AWS may insert a field anywhere in its model. Here it goes last, because a field's number never changes.
 */
const appended: Record<string, string[]> = { KeyMetadata: ['custody', 'encapsulation_algorithms'] };

const snakeCase = (name: string): string =>
  name
    .replace('AWSAccountId', 'AwsAccountId')
    .replaceAll(/(?<!^)[A-Z]/g, (letter) => `_${letter}`)
    .toLowerCase();

/** Compares a message, and its nested messages, with the model. */
function compare(message: DescriptorProto | undefined, members: Readonly<Record<string, ModelShape>>): void {
  const behind = appended[message?.name ?? ''] ?? [];
  const first = Object.keys(members)
    .map(snakeCase)
    .filter((name) => !behind.includes(name));
  const fields = message?.field ?? [];
  const numbered = [...first, ...behind].map((name, index) => [index + 1, name]);
  expect(fields.map((field) => [field.number, field.name])).toEqual(numbered);
  Object.entries(members).forEach(([name, shape]) => {
    const field = fields.find((candidate) => candidate.name === snakeCase(name));
    if (field !== undefined) compareField(field, shape, `${message?.name}.${field.name}`);
  });
}

function compareField(field: FieldDescriptorProto, shape: ModelShape, path: string): void {
  const repeated = shape.type === 'list' || shape.type === 'map';
  expect({ path, repeated: field.label === Label.REPEATED }).toEqual({ path, repeated });
  const element = shape.member ?? shape;
  if (element.enum !== undefined) compareEnum(field.typeName, element.enum);
  else if (element.type === 'structure' && element.members !== undefined) {
    compare(messages.get(localName(field.typeName)), element.members);
  } else if (element.type in scalarTypes) expect([path, field.type]).toEqual([path, scalarTypes[element.type]]);
  // A scalar must distinguish absent from empty.
  if (!repeated && field.type !== Type.MESSAGE) expect([path, field.proto3Optional]).toEqual([path, true]);
}

const scalarTypes: Record<string, Type> = {
  string: Type.STRING,
  integer: Type.INT32,
  boolean: Type.BOOL,
  blob: Type.BYTES,
};

function compareEnum(typeName: string, values: readonly string[]): void {
  const name = localName(typeName);
  const prefix = snakeCase(name).toUpperCase();
  const wireNames = values.map((value) => (value === value.toUpperCase() ? value : snakeCase(value).toUpperCase()));
  expect(enums.get(name)?.value.map((value) => [value.number, value.name])).toEqual(
    ['UNSPECIFIED', ...wireNames].map((value, number) => [number, `${prefix}_${value}`]),
  );
}

const localName = (typeName: string): string => typeName.slice('.holdfast.kms.v1.'.length);

test.each(kmsOperationNames)('%s has the fields of the model, numbered in its order, and its enums', (method) => {
  compare(messages.get(`${method}Request`), modelOperations[method].input.members);
  compare(messages.get(`${method}Response`), modelOperations[method].output?.members ?? {});
});

test.each(files.map((file) => [file.name, file] as const))(
  '%s names its packages in other languages',
  (_name, file) => {
    const [, area = '', version = ''] = file.package.split('.');
    const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
    expect(file.options).toMatchObject({
      goPackage: `holdfast.kms/go/holdfast/${area}/${version};${area}${version}`,
      javaPackage: `com.holdfast.${area}.${version}`,
      javaMultipleFiles: true,
      csharpNamespace: `Holdfast.${capital(area)}.${capital(version)}`,
    });
  },
);

test('every method of AWS KMS that the dispatcher has is an rpc of the proto, and vice versa', () => {
  const rpcs = descriptors.flatMap((file) => file.service.flatMap((service) => service.method));
  expect(rpcs.map((rpc) => rpc.name).sort()).toEqual([...kmsOperationNames].sort());
  for (const rpc of rpcs)
    expect([rpc.inputType, rpc.clientStreaming]).toEqual([`.holdfast.kms.v1.${rpc.name}Request`, false]);
});

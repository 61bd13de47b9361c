import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { addon, failureOf } from './fixture.js';

/** The seam between TypeScript and C++ is declared in two places; only this test compares them. */

const files = [
  'native.ts',
  'native-answers.ts',
  'native-ceremony.ts',
  'native-key-wrapping.ts',
  'native-process.ts',
  'native-return-value.ts',
  'native-statistics.ts',
  'native-witness.ts',
].map((name) =>
  ts.createSourceFile(
    name,
    readFileSync(new URL(`../../src/hsm/${name}`, import.meta.url), 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  ),
);

function interfaceNamed(name: string): ts.InterfaceDeclaration {
  const declared = files
    .flatMap((file) => [...file.statements])
    .find((statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === name);
  if (declared === undefined || !ts.isInterfaceDeclaration(declared)) throw new Error(`No interface ${name}.`);
  return declared;
}

const nameOf = (member: ts.TypeElement): string => (member.name as ts.Identifier).text;

function methodsOf(interfaceName: string): string[] {
  return interfaceNamed(interfaceName).members.filter(ts.isMethodSignature).map(nameOf);
}

function propertiesOf(interfaceName: string): string[] {
  return interfaceNamed(interfaceName).members.filter(ts.isPropertySignature).map(nameOf);
}

test('the addon exports the functions of NativeAddon, in their order', () => {
  expect(Object.keys(addon)).toEqual([
    ...methodsOf('NativeAddon'),
    ...methodsOf('NativeAnswers'),
    ...methodsOf('NativeCeremonies'),
    ...methodsOf('NativeProcess'),
  ]);
});

test('a pool has the methods of NativePool, in their order', () => {
  const prototype: unknown = Object.getPrototypeOf(addon.createPool(1));
  const names = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
  expect(names).toEqual([
    ...methodsOf('NativePool'),
    ...methodsOf('NativeKeyWrapping'),
    ...methodsOf('NativeWitnesses'),
    ...methodsOf('NativeDataOperations'),
  ]);
});

test('a row of the table has the properties of NativeReturnValue, in their order', () => {
  const [row = {}] = addon.returnValues();
  expect(Object.keys(row)).toEqual(propertiesOf('NativeReturnValue'));
});

test('a failure has the properties of NativeFailure, in their order', async () => {
  const failure = await failureOf(addon.createPool(1).random(null, 16, 0));
  expect(Object.keys(failure)).toEqual(propertiesOf('NativeFailure'));
});

test('nothing at the seam is optional: null is none, and undefined never crosses', () => {
  const optional: string[] = [];
  const visit = (node: ts.Node): void => {
    const mayBeAbsent =
      (ts.isPropertySignature(node) || ts.isParameter(node) || ts.isMethodSignature(node)) && node.questionToken;
    if (mayBeAbsent || node.kind === ts.SyntaxKind.UndefinedKeyword) optional.push(node.getText());
    ts.forEachChild(node, visit);
  };
  for (const file of files) {
    for (const statement of file.statements) {
      if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) visit(statement);
    }
  }
  expect(optional).toEqual([]);
});

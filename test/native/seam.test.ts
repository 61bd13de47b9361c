import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { addon } from './fixture.js';

/** The seam between TypeScript and C++ is declared in two places, which nothing but this compares. */

const files = ['native.ts', 'native-process.ts'].map((name) =>
  ts.createSourceFile(
    name,
    readFileSync(new URL(`../../src/hsm/${name}`, import.meta.url), 'utf8'),
    ts.ScriptTarget.Latest,
  ),
);

function methodsOf(interfaceName: string): string[] {
  const declared = files
    .flatMap((file) => [...file.statements])
    .find((statement) => ts.isInterfaceDeclaration(statement) && statement.name.text === interfaceName);
  if (declared === undefined || !ts.isInterfaceDeclaration(declared)) throw new Error(`No interface ${interfaceName}.`);
  return declared.members.filter(ts.isMethodSignature).map((member) => (member.name as ts.Identifier).text);
}

test('the addon exports the functions of NativeAddon', () => {
  expect(Object.keys(addon).sort()).toEqual([...methodsOf('NativeAddon'), ...methodsOf('NativeProcess')].sort());
});

test('a pool has the methods of NativePool', () => {
  const prototype: unknown = Object.getPrototypeOf(addon.createPool(1));
  const names = Object.getOwnPropertyNames(prototype).filter((name) => name !== 'constructor');
  expect(names.sort()).toEqual(methodsOf('NativePool').sort());
});

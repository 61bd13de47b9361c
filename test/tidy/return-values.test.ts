import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { expect, test } from 'vitest';

/** `native/src/return_values.cc` is the one table of CK_RVs: all other code asks a row what a value means. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const filesOf = (folder: string, name: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => name.test(file))
    .map((file) => join(folder, file));
const text = (path: string): string => readFileSync(join(root, path), 'utf8');

const table = 'native/src/return_values.cc';
const valuesOfHeader = new Map(
  [...text('native/third_party/pkcs11.h').matchAll(/^#define\s+(CKR_\w+)\s+\(?(0x[0-9a-f]+|\d+)/gim)].map(
    ([, name = '', value = '']) => [name, Number(value)],
  ),
);

/** Comments go, and what our own code raises: `rvFailure(function, CKR_...)`. */
function interpretedByCpp(path: string, source = text(path)): string[] {
  const code = source.replaceAll(/\/\/.*$/gm, '').replaceAll(/rvFailure\([^,()]*,\s*CKR_\w+/g, '');
  const named = [...code.matchAll(/\bCKR_\w+/g)].map(([name]) => name).filter((name) => name !== 'CKR_OK');
  const numbered = [...code.matchAll(/\brv\s*[!=<>]=?\s*(?:0x)?[0-9][0-9a-f]*/g)].map(([comparison]) => comparison);
  return [...named, ...numbered].map((found) => `${path}: ${found}`);
}

test('C++ interprets a CK_RV in the table alone', () => {
  const sources = filesOf('native/src', /\.(cc|h)$/).filter((path) => path !== table);
  expect(sources.length).toBeGreaterThan(100);
  expect(sources.flatMap((path) => interpretedByCpp(path))).toEqual([]);
  expect(interpretedByCpp(table).length).toBeGreaterThan(90);
});

/** `rv` is only looked up, printed, or compared with 0, which is "none". */
function isHarmless(use: ts.Node): boolean {
  const parent = use.parent;
  if (ts.isCallExpression(parent)) {
    const asked = parent.expression;
    const name = ts.isPropertyAccessExpression(asked) ? asked.name.text : asked.getText();
    return name === 'returnValues' || (parent.arguments.length > 0 && name === 'toString');
  }
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === use && parent.name.text === 'toString';
  if (ts.isBinaryExpression(parent)) return parent.left === use && parent.right.getText() === '0';
  return false;
}

function isUseOfReturnValue(node: ts.Node): boolean {
  if (ts.isPropertyAccessExpression(node)) return node.name.text === 'rv';
  if (!ts.isIdentifier(node) || node.text !== 'rv') return false;
  const { parent } = node;
  // The property of a failure that is being made.
  if (ts.isPropertyAssignment(parent) && parent.name === node) return false;
  return !ts.isPropertyAccessExpression(parent) && !ts.isBindingElement(parent) && !ts.isPropertySignature(parent);
}

const codes = new Set(valuesOfHeader.values());

function isNumberOfReturnValue(node: ts.Node): boolean {
  return ts.isNumericLiteral(node) && /^0x/i.test(node.getText()) && codes.has(Number(node.text));
}

/** The name of the one row that no look-up by value finds. Unknown values are treated like it. */
const askedByName = 'CKR_VENDOR_DEFINED';

function isNameOfReturnValue(node: ts.Node): boolean {
  return ts.isStringLiteralLike(node) && /^CKR_\w+$/.test(node.text) && node.text !== askedByName;
}

/** Hexadecimal numbers elsewhere are ASN.1's, UTF-8's or a token's flags. */
function interpretedByTypeScript(path: string, code = text(path)): string[] {
  if (!/\brv\b|\bCKR_|\b0x/i.test(code)) return [];
  const source = ts.createSourceFile(path, code, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const known = isNameOfReturnValue(node) || (path.startsWith('src/hsm/') && isNumberOfReturnValue(node));
    if (known || (isUseOfReturnValue(node) && !isHarmless(node))) found.push(`${path}: ${node.getText()}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test('TypeScript asks the table, and knows no return value by its number', () => {
  const product = filesOf('src', /(?<!\.test)\.ts$/).filter((path) => !path.includes('/gen/'));
  expect(product.length).toBeGreaterThan(200);
  expect(valuesOfHeader.get('CKR_PIN_INCORRECT')).toBe(0xa0);
  expect(product.flatMap((path) => interpretedByTypeScript(path))).toEqual([]);
});

test.each([
  'if (rv == CKR_PIN_LOCKED) return;',
  'const bool lost = failure.rv == 0xb3;',
  'switch (rv) { case CKR_OK: case CKR_SESSION_CLOSED: return; }',
])('this C++ would be noticed: %s', (code) => {
  expect(interpretedByCpp('native/src/x.cc', code)).toHaveLength(1);
});

test.each([
  'const lost = failure.rv === 179;',
  'const lost = known.has(failure.rv);',
  'function isLost({ rv }: NativeFailure) { return rv > 5; }',
  "const lost = returnValues(failure.rv).name === 'CKR_SESSION_CLOSED';",
  'const sessionClosed = 0xb0;',
])('this TypeScript would be noticed: %s', (code) => {
  expect(interpretedByTypeScript('src/hsm/x.ts', code)).toHaveLength(1);
});

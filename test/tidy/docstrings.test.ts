import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** A docstring on every export (CONTRIBUTING, "Style"). Whether it is useful is for the reviewer. */

const source = fileURLToPath(new URL('../../src', import.meta.url));

function isExport(statement: ts.Statement): boolean {
  const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
  return modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false;
}

/** A comment separated from the statement by an empty line belongs to the file, or to the following group. */
function hasDocstring(statement: ts.Statement, file: ts.SourceFile): boolean {
  const docstring = ts.getJSDocCommentsAndTags(statement).at(-1);
  return docstring !== undefined && !/\n\s*\n/.test(file.text.slice(docstring.getEnd(), statement.getStart(file)));
}

function namesOf(statement: ts.Statement, file: ts.SourceFile): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.map(({ name }) => name.getText(file));
  }
  const name = ts.getNameOfDeclaration(statement as ts.DeclarationStatement);
  return [name?.getText(file) ?? 'default'];
}

/** Re-exports are documented where they are declared. */
function undocumented(path: string, text: string): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  return file.statements
    .filter((statement) => isExport(statement) && !hasDocstring(statement, file))
    .flatMap((statement) => namesOf(statement, file).map((name) => `src/${path}: ${name}`));
}

describe('docstrings', () => {
  it('are on every export', () => {
    const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
      (path) => /(?<!\.test)\.ts$/.test(path) && !path.includes('/gen/'),
    );
    expect(files.flatMap((path) => undocumented(path, readFileSync(join(source, path), 'utf8')))).toEqual([]);
  });

  it('are reported missing if there is none, or only a comment or one for the file', () => {
    const text = [
      '/** Of the file. */',
      '',
      'export interface Bare {}',
      '// No docstring.',
      'export const one = 1;',
      '/** Said. */',
      'export function said(): void {}',
      "export { other } from './other.js';",
      'const inner = 2;',
      'export default class {}',
    ];
    expect(undocumented('x.ts', text.join('\n'))).toEqual(['src/x.ts: Bare', 'src/x.ts: one', 'src/x.ts: default']);
  });
});

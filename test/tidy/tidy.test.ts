import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** The taste that no tool checks: import directions, sizes, names. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const maximumFileLines = 400;
const maximumFunctionLines = 60;

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.includes('/gen/') && !/^native\/(build|third_party)/.test(path));
}

const typescriptSources = filesBelow('src').filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));
const nativeSources = filesBelow('native/src').filter((path) => /\.(cc|h)$/.test(path));
const text = (path: string): string => readFileSync(join(root, path), 'utf8');

const domain = ['keys', 'keystores', 'operations', 'policy', 'audit', 'dispatch', 'status'];
const domainFiles = ['cancellation.ts', 'errors.ts', 'error-guide.ts', 'clock.ts', 'ids.ts', 'secret.ts', 'trace.ts'];
/** Outside the domain, and below everything else there: they import nothing of ours but each other. */
const floor = ['certificates', 'clock-system.ts', 'ids-random.ts', 'regular-file.ts'];
const compositionRoot = ['src/compose.ts', 'src/foundation.ts', 'src/main.ts'];

/** The area of a source file: its top folder below src, or the file itself. */
function area(path: string): string {
  return relative('src', path).split('/')[0] ?? '';
}

const isDomain = (name: string): boolean => domain.includes(name) || domainFiles.includes(name);

/** Which areas an area may import. */
function mayImport(from: string, to: string): boolean {
  if (from === to || isDomain(to)) return true;
  if (isDomain(from)) return false;
  // The command line is a program of its own around the client, the configuration and the checks of `doctor`.
  if (from === 'cli') return true;
  // From the configuration to the options of the classes that compose.ts makes; it opens the catalog that the configuration means.
  if (from === 'composition') return ['config', 'hsm', 'faces', 'storage', ...floor].includes(to);
  // What `serve` needs and `doctor` looks at: every kind of file, and the adapters that use it.
  if (from === 'preconditions') return ['config', 'composition', 'hsm', 'faces', 'storage', ...floor].includes(to);
  // Telemetry listens to what the adapter of the HSMs has to tell.
  if (from === 'telemetry') return ['hsm', ...floor].includes(to);
  return floor.includes(to);
}

function importsOf(path: string): string[] {
  const source = ts.createSourceFile(path, text(path), ts.ScriptTarget.Latest);
  return source.statements.flatMap((statement) => {
    const specifier =
      ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement) ? statement.moduleSpecifier : undefined;
    return specifier !== undefined && ts.isStringLiteral(specifier) ? [specifier.text] : [];
  });
}

function longFunctions(path: string): string[] {
  const source = ts.createSourceFile(path, text(path), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      const lines = lineOf(node.getEnd()) - lineOf(node.getStart()) + 1;
      if (lines > maximumFunctionLines) found.push(`${path}:${lineOf(node.getStart()) + 1} (${lines} lines)`);
    }
    ts.forEachChild(node, visit);
  };
  const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line;
  visit(source);
  return found;
}

/** clang-format puts a function's closing brace in column 0; everything between is the function. */
function longNativeFunctions(path: string): string[] {
  const found: string[] = [];
  let start: number | undefined;
  for (const [index, line] of text(path).split('\n').entries()) {
    if (/^[A-Za-z~].*\)[^;]*\{$|^\s+.*\)[^;]*\{$/.test(line) && start === undefined && /^\S/.test(line)) start = index;
    if (line.startsWith('}') && start !== undefined) {
      if (index - start + 1 > maximumFunctionLines) found.push(`${path}:${start + 1} (${index - start + 1} lines)`);
      start = undefined;
    }
  }
  return found;
}

describe('the source tree', () => {
  it('imports only in the directions of the design', () => {
    const wrong = typescriptSources
      .filter((path) => !compositionRoot.includes(path))
      .flatMap((path) =>
        importsOf(path)
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => normalize(join(dirname(path), specifier)).replace(/\.js$/, '.ts'))
          .filter((target) => !mayImport(area(path), area(target)))
          .map((target) => `${path} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  it('keeps transports, storage and the addon out of the domain', () => {
    const outside =
      /^(@grpc\/|@opentelemetry\/|kysely|better-sqlite3|pino|prom-client|opossum|@bufbuild\/|ts-proto|node:(http|https|http2|net|tls|fs))/;
    const wrong = typescriptSources
      .filter((path) => isDomain(area(path)))
      .flatMap((path) =>
        importsOf(path)
          .filter((specifier) => outside.test(specifier))
          .map((name) => `${path}: ${name}`),
      );
    expect(wrong).toEqual([]);
  });

  it('loads the addon in src/hsm/native.ts alone, and includes napi.h in binding files alone', () => {
    expect(typescriptSources.filter((path) => /holdfast\.node/.test(text(path)))).toEqual(['src/hsm/native.ts']);
    const withNapi = nativeSources.filter((path) => /#include [<"]napi\.h[>"]/.test(text(path)));
    expect(withNapi.filter((path) => !/\/(addon|binding)[^/]*$/.test(path))).toEqual([]);
    expect(withNapi).not.toEqual([]);
  });

  it(`has no file over ${maximumFileLines} lines`, () => {
    const long = [...typescriptSources, ...nativeSources].filter(
      (path) => text(path).split('\n').length > maximumFileLines + 1,
    );
    expect(long).toEqual([]);
  });

  it(`has no function over ${maximumFunctionLines} lines`, () => {
    expect([...typescriptSources.flatMap(longFunctions), ...nativeSources.flatMap(longNativeFunctions)]).toEqual([]);
  });

  it('has no generic drawers', () => {
    const folders = ['src', 'native/src', 'native/test', 'test', 'scripts', 'docs'].flatMap(filesBelow);
    expect(
      folders.filter((path) => /(^|[/\-_.])(utils?|helpers?|managers?|common|misc)([/\-_.]|$)/.test(path)),
    ).toEqual([]);
  });

  it('has no marks of unfinished work', () => {
    const marks = /\b(TODO|FIXME|XXX|HACK)\b/;
    expect([...typescriptSources, ...nativeSources].filter((path) => marks.test(text(path)))).toEqual([]);
  });
});

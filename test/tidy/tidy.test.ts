import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** Rules that no tool checks: import directions, sizes, names. */

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

/**
 * The floors of the house, from the ground up. A folder, or a file directly in src, imports only from floors below its
 * own; those on the ground floor may import each other.
 */
const ground = [
  'canonical-json.ts',
  'clock.ts',
  'clock-system.ts',
  'error-guide.ts',
  'errors.ts',
  'ids.ts',
  'path-problem.ts',
  'printable.ts',
  'regular-file.ts',
  'secret.ts',
  'server-signals.ts',
  'version.ts',
];
const domain = [
  'calls',
  'coordination',
  'audit',
  'policy',
  'clusters',
  'keystores',
  'keys',
  'backup',
  'status',
  'jobs',
  'operations',
  'api',
];
const adapters = ['config', 'hsm', 'storage', 'faces'];
const floors: readonly (readonly string[])[] = [
  ground,
  ...domain.map((folder) => [folder]),
  ['certificates'],
  // Finds the principal for a certificate or a socket.
  ['callers'],
  adapters,
  // Listens to the HSM adapter.
  ['telemetry'],
  // Builds the classes from the configuration, part by part.
  ['composition'],
  // The needs of `serve`, which `doctor` examines.
  ['preconditions'],
  ['compose.ts'],
  ['main.ts'],
  // A program of its own around the client, the configuration and the checks of `doctor`.
  ['cli'],
];

/** Free of transports, storage and the addon: the domain, and everything below it. */
const pureGround = ['canonical-json.ts', 'clock.ts', 'error-guide.ts', 'errors.ts', 'ids.ts', 'secret.ts'];

/** The area of a source file: its top folder below src, or the file itself. */
function area(path: string): string {
  return relative('src', path).split('/')[0] ?? '';
}

const floorOf = (name: string): number => floors.findIndex((floor) => floor.includes(name));
const isDomain = (name: string): boolean => domain.includes(name) || pureGround.includes(name);

function mayImport(from: string, to: string): boolean {
  if (from === to || (ground.includes(from) && ground.includes(to))) return true;
  if (isDomain(from) && !isDomain(to)) return false;
  return floorOf(to) < floorOf(from);
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
  it('has a floor for every folder, and for no other', () => {
    const areas = [...new Set(typescriptSources.map(area))];
    expect(areas.filter((name) => floorOf(name) === -1)).toEqual([]);
    expect(floors.flat().filter((name) => !areas.includes(name))).toEqual([]);
  });

  it('imports downwards only: no two folders import each other', () => {
    const wrong = typescriptSources.flatMap((path) =>
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

  it('loads the addon only in src/hsm/native.ts, and includes napi.h only in binding files', () => {
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

  it('waits in tests only as long as a busy machine needs', () => {
    const tests = ['src', 'test', 'bench'].flatMap(filesBelow).filter((path) => path.endsWith('.ts'));
    const waiters = tests.filter((path) => /\bvi\.waitFor\(/.test(text(path)));
    expect(waiters.filter((path) => path !== 'test/tidy/tidy.test.ts')).toEqual(['test/wait-for.ts']);
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

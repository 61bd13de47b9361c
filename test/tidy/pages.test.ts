import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const listed = (...patterns: string[]): string[] =>
  execFileSync('git', ['ls-files', '--', ...patterns], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)));

/** The log lines of a file: each string that is an argument of a logger's call. */
function loggedLines(path: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && /\blogger\??\.(error|warn|info|debug)$/.test(node.expression.getText())) {
      found.push(...node.arguments.filter(ts.isStringLiteral).map((argument) => argument.text));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text(path), ts.ScriptTarget.Latest, true));
  return found;
}

const maximumCellWords = 40;

/** Generated pages: a cell contains whatever occurred. */
const generated = ['docs/errors.md', 'docs/faults/outcomes.md'];

test(`no table has a cell over ${maximumCellWords} words: those are prose`, () => {
  const long = listed('*.md')
    .filter((path) => !generated.includes(path))
    .flatMap((path) =>
      text(path)
        .split('\n')
        .filter((line) => line.startsWith('|'))
        .flatMap((line) => line.split(/(?<!\\)\|/))
        .map((cell) => ({ path, cell: cell.trim(), words: cell.trim().split(/\s+/).length }))
        .filter(({ words }) => words > maximumCellWords)
        .map(({ words, cell }) => `${path}: ${words} words: ${cell.slice(0, 60)}`),
    );
  expect(long).toEqual([]);
});

describe('texts quoted in the pages for operators are those of the service', () => {
  // Texts from several string literals, or wrapped in comments and Markdown, are compared as one line.
  const said = listed('src/*.ts', 'native/src/*', 'deploy/*.yaml', 'proto/holdfast/*.proto')
    .filter((path) => !path.endsWith('.test.ts'))
    .map((path) =>
      text(path)
        .replace(/(['"`])\s*(?:\+\s*)?(?:\n\s*)\1/g, '')
        .replaceAll("\\'", "'"),
    )
    .join('\n');
  /** The text between ellipses: each part occurs literally. */
  const pieces = (quote: string): string[] =>
    quote
      .replace(/^([A-Z_]+|failed): /, '')
      .split(/…|'…'/)
      .map((piece) => piece.replace(/^[ ']+|[ '.]+$/g, ''))
      .filter((piece) => /[a-z] [a-z]/.test(piece));

  it('in the table of log lines', () => {
    const quotes = text('docs/operating/log.md')
      .split('\n')
      .filter((line) => /^\| `/.test(line))
      .flatMap((line) => [...(line.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote));
    expect(quotes.length).toBeGreaterThan(40);
    expect(quotes.flatMap(pieces).filter((piece) => !said.includes(piece))).toEqual([]);
  });

  it('docs/operating/log.md quotes every line of the log', () => {
    const quoted = [...text('docs/operating/log.md').matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote.split('…'));
    const isQuoted = (line: string): boolean =>
      quoted.some(([start = '', ...rest]) => {
        const end = rest.at(-1);
        return end === undefined ? line === start : line.startsWith(start) && line.endsWith(end) && start + end !== '';
      });
    const lines = listed('src/*.ts')
      .filter((path) => !path.endsWith('.test.ts') && !path.startsWith('src/cli/'))
      .flatMap(loggedLines);
    expect(lines.length).toBeGreaterThan(40);
    expect(lines.filter((line) => !isQuoted(line))).toEqual([]);
  });

  it('in the headings of the night book', () => {
    // Words of systemd, Node and gRPC.
    const others = [
      'Watchdog timeout',
      'Failed to connect',
      'certificate has expired',
      'holdfast health',
      'key material',
    ];
    const quotes = [...text('docs/operating/night-book.md').matchAll(/^### (.*)$/gm)].flatMap(([, heading = '']) =>
      [...heading.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote),
    );
    expect(quotes.length).toBeGreaterThan(60);
    expect(
      quotes
        .flatMap(pieces)
        .filter((piece) => !said.includes(piece) && !others.some((other) => piece.startsWith(other))),
    ).toEqual([]);
  });

  it('every alert that the pages name has a rule', () => {
    const rules = text('deploy/prometheus/holdfast-rules.yaml');
    const named = listed('docs/*.md').flatMap((path) =>
      [...text(path).matchAll(/\bHoldfast[A-Z]\w+/g)].map(([name]) => name),
    );
    expect(named.length).toBeGreaterThan(10);
    expect([...new Set(named)].filter((name) => !rules.includes(`alert: ${name}\n`))).toEqual([]);
  });
});

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs/invariants.md'), 'utf8');
const sections = [...page.matchAll(/^## (\d+)\. .*\n([\s\S]*?)(?=^## |$(?![\s\S]))/gm)].map(
  ([, number = '', body = '']) => ({ number: Number(number), body }),
);

/** Decisions are dated and not changed afterwards; this file contains the text that it searches for. */
const exempt = ['docs/decisions/', 'docs/invariants.md', 'test/docs/invariants.test.ts'];
const text = /\.(ts|mts|mjs|cc|h|proto|md|yaml|sh)$/;

const sources = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((path) => text.test(path) && existsSync(join(root, path)) && !exempt.some((start) => path.startsWith(start)))
  .map((path) => ({ path, content: readFileSync(join(root, path), 'utf8') }));

/** @returns every number cited in "invariant 3", "invariants 3 and 4" or "invariants 3, 4 and 5", also across a line break */
function citedNumbers(content: string): number[] {
  const citations = content.matchAll(/\binvariants?[\s*/]+((?:\d+(?:,\s+|\s+and\s+)?)+)/gi);
  return [...citations].flatMap(([, list = '']) => (list.match(/\d+/g) ?? []).map(Number));
}

describe('docs/invariants.md', () => {
  it('numbers its invariants from 1 without a gap', () => {
    expect(sections.map(({ number }) => number)).toEqual(sections.map((_, index) => index + 1));
    expect(sections.length).toBeGreaterThan(0);
  });

  it.each(sections)('names tests that exist for invariant $number', ({ body }) => {
    const tests =
      (/^Tests: ([\s\S]*)$/m.exec(body)?.[1] ?? '').match(/`[^`]+`/g)?.map((name) => name.slice(1, -1)) ?? [];
    expect(tests).not.toEqual([]);
    expect(tests.filter((path) => !/(\.test\.ts|\.contract\.ts|_test\.cc)$/.test(path))).toEqual([]);
    expect(tests.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it('has every invariant that the code cites', () => {
    const known = new Set(sections.map(({ number }) => number));
    const wrong = sources.flatMap(({ path, content }) =>
      citedNumbers(content)
        .filter((number) => !known.has(number))
        .map((number) => `${path}: invariant ${number}`),
    );
    expect(wrong).toEqual([]);
    expect(sources.flatMap(({ content }) => citedNumbers(content)).length).toBeGreaterThan(sections.length);
  });

  it('is the only document of its kind that the code cites', () => {
    expect(sources.filter(({ content }) => /\bdesign\s+(§|invariant)/i.test(content)).map(({ path }) => path)).toEqual(
      [],
    );
  });
});

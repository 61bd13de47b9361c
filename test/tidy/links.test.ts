import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/**
 * Every relative link of every page leads to a file, and to a heading if it names one; so does every page named in
 * code.
 */

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(root, path)));
const pages = files.filter((path) => path.endsWith('.md'));

const withoutCode = (page: string): string => page.replace(/^ *```[\s\S]*?^ *```/gm, '').replace(/`[^`\n]*`/g, '');

/** The anchors that GitHub gives to a page's headings. */
function anchors(path: string): Set<string> {
  const found = new Set<string>();
  for (const [, heading = ''] of text(path)
    .replace(/^ *```[\s\S]*?^ *```/gm, '')
    .matchAll(/^#{1,6} +(.*)$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-');
    let unique = slug;
    for (let count = 1; found.has(unique); count++) unique = `${slug}-${count}`;
    found.add(unique);
  }
  return found;
}

interface Link {
  page: string;
  target: string;
}

const links: Link[] = pages.flatMap((page) =>
  [...withoutCode(text(page)).matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target = '']) => ({ page, target }))
    .filter(({ target }) => !/^[a-z]+:/.test(target)),
);

function isBroken({ page, target }: Link): boolean {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : normalize(join(dirname(page), path));
  if (!existsSync(join(root, file))) return true;
  return anchor !== undefined && file.endsWith('.md') && !anchors(file).has(anchor);
}

test('no link of a page is broken', () => {
  expect(links.length).toBeGreaterThan(100);
  expect(links.filter(isBroken).map(({ page, target }) => `${page}: ${target}`)).toEqual([]);
});

test('every page that code, configuration or another page names exists', () => {
  // The changelog is history. `context.mjs` makes a file that must not get into the image.
  const history = ['CHANGELOG.md', 'scripts/image/context.mjs'];
  const named = files
    .filter((path) => /\.(ts|mts|mjs|cc|h|proto|md|yaml|sh|txt|service)$/.test(path) && !history.includes(path))
    .flatMap((path) => [...text(path).matchAll(/(?<![\w/.-])docs\/[\w/-]+\.md/g)].map(([page]) => ({ path, page })));
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ page }) => !existsSync(join(root, page))).map(({ path, page }) => `${path}: ${page}`)).toEqual(
    [],
  );
});

test('every page of docs can be reached from the index', () => {
  const reached = new Set(['docs/README.md']);
  for (const page of reached) {
    for (const link of links.filter((each) => each.page === page)) {
      const file = normalize(join(dirname(page), link.target.split('#')[0] ?? ''));
      if (pages.includes(file)) reached.add(file);
    }
  }
  expect(pages.filter((page) => page.startsWith('docs/') && !reached.has(page))).toEqual([]);
});

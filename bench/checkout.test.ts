import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UsageError } from './arguments.js';
import { checkOut, requireCommitted, resolveCommit } from './checkout.js';

let root: string;

const git = (...parameters: string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@localhost', ...parameters], {
    cwd: root,
    encoding: 'utf8',
  }).trim();

/** Commits a source whose build copies its text. @returns the commit */
function commit(source: string): string {
  const build = 'mkdir -p dist/cli && cp src/source dist/cli/main.js && ls node_modules > dist/packages';
  const scripts = { generate: 'true', 'build:native': 'true', 'build:ts': build };
  mkdirSync(join(root, 'src'), { recursive: true });
  writeFileSync(join(root, 'src/source'), source);
  writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'a', version: '1.0.0', scripts }));
  writeFileSync(join(root, 'package-lock.json'), '{}');
  writeFileSync(join(root, '.gitignore'), 'node_modules\ndist\n');
  git('add', '--all');
  git('commit', '--quiet', '--message', source);
  return git('rev-parse', 'HEAD');
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-checkout-'));
  git('init', '--quiet');
  mkdirSync(join(root, 'node_modules/a-package'), { recursive: true });
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

test('each commit is built as it was, with the packages of the working copy, and leaves nothing behind', async () => {
  const [first, second] = [commit('first'), commit('second')];
  const progress: string[] = [];
  const before = await checkOut(root, first, (line) => progress.push(line));
  const after = await checkOut(root, second, (line) => progress.push(line));
  expect(readFileSync(before.program, 'utf8')).toBe('first');
  expect(readFileSync(after.program, 'utf8')).toBe('second');
  expect(readFileSync(join(dirname(before.program), '../packages'), 'utf8')).toBe('a-package\n');
  expect(progress).toHaveLength(6);
  for (const checkout of [before, after]) {
    checkout.remove();
    expect(existsSync(dirname(checkout.program))).toBe(false);
  }
  expect(git('worktree', 'list').split('\n')).toHaveLength(1);
  expect(existsSync(join(root, 'node_modules/a-package'))).toBe(true);
});

test('a commit that does not build says why, and leaves nothing behind', async () => {
  commit('first');
  writeFileSync(join(root, 'package.json'), JSON.stringify({ scripts: { generate: 'echo no such proto; exit 3' } }));
  git('commit', '--quiet', '--all', '--message', 'broken');
  await expect(checkOut(root, git('rev-parse', 'HEAD'), () => undefined)).rejects.toThrow('no such proto');
  expect(git('worktree', 'list').split('\n')).toHaveLength(1);
});

test('an unknown commit is refused', () => {
  const first = commit('first');
  expect(resolveCommit(root, 'HEAD')).toBe(first);
  expect(resolveCommit(root, first.slice(0, 10))).toBe(first);
  for (const name of ['nowhere', '0123456789abcdef', '--all', '']) {
    expect(() => resolveCommit(root, name)).toThrow(UsageError);
  }
});

test('only changes that would be left out are refused', () => {
  commit('first');
  mkdirSync(join(root, 'bench'));
  writeFileSync(join(root, 'bench/row.ts'), '');
  requireCommitted(root);
  writeFileSync(join(root, 'src/source'), 'changed');
  expect(() => requireCommitted(root)).toThrow(/src\/source\nCommit or stash them/);
});

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const pathOf = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));
const oddModule = pathOf('native/build/Release/odd-module.so');

/** The compiled command, in a process of its own. */
function tokenList(how: string): { status: number | null; stdout: string; stderr: string } {
  const words = [pathOf('dist/cli/main.js'), 'token', 'list', oddModule, '--env', `HOLDFAST_ODD=${how}`];
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('a module that calls exit(0) does not make a command look successful', () => {
  expect(tokenList('initialize-exit')).toEqual({
    status: 70,
    stdout: '',
    stderr: 'error: MODULE: a PKCS#11 module ended this process: it called exit(0)\n',
  });
  expect(tokenList('nothing')).toMatchObject({ status: 0, stderr: '' });
});

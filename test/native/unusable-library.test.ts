/** Every defect of a library file causes a message that names it, and never the end of the process. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import type { NativeModuleOptions } from '../../src/hsm/native.js';
import { createSoftHsm } from '../softhsm.js';
import { addon, failureOf, inMilliseconds, soon } from './fixture.js';

const oddModule = fileURLToPath(new URL('../../native/build/Release/odd-module.so', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'holdfast-unusable-'));
const softHsm = createSoftHsm({ tokens: [] });
const whole = readFileSync(softHsm.libraryPath);

afterAll(() => {
  rmSync(folder, { recursive: true });
  softHsm.dispose();
});

function moduleAt(libraryPath: string, change: Partial<NativeModuleOptions> = {}): NativeModuleOptions {
  return { libraryPath, privateInstance: false, environment: {}, initializationString: null, ...change };
}

function written(name: string, content: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The library with some bytes of its ELF header changed (System V ABI, chapter 4). */
function withHeader(name: string, ...changes: [offset: number, byte: number][]): string {
  const changed = Buffer.from(whole);
  for (const [offset, byte] of changes) changed[offset] = byte;
  return written(name, changed);
}

function named(name: string, make: (path: string) => void): string {
  const path = join(folder, name);
  make(path);
  return path;
}

/** Zeros in place of the structures that the loader follows; the rest of the file is unchanged. */
function withHole(name: string, fromShare: number, toShare: number): string {
  const changed = Buffer.from(whole);
  changed.fill(0, Math.floor(whole.length * fromShare), Math.floor(whole.length * toShare));
  return written(name, changed);
}

const wrongFiles: [what: string, path: () => string][] = [
  ['no file', () => join(folder, 'nowhere.so')],
  ['an empty path', () => ''],
  ['a folder', () => named('folder.so', mkdirSync)],
  ['a pipe', () => named('pipe.so', (path) => execFileSync('mkfifo', [path]))],
  ['a device', () => '/dev/zero'],
  ['a link to nothing', () => named('dangling.so', (path) => symlinkSync(join(folder, 'gone'), path))],
  ['a link to itself', () => named('loop.so', (path) => symlinkSync(path, path))],
  ['a path through a file', () => join(written('file', ''), 'lib.so')],
  ['a path that is too long', () => join(folder, 'x'.repeat(5_000))],
  ['an empty file', () => written('empty.so', '')],
  ['text', () => written('text.so', '#!/bin/sh\nexit 0\n')],
  ['a file of 32 bits', () => withHeader('class.so', [4, 1])],
  ['a file of the other byte order', () => withHeader('order.so', [5, 2])],
  ['a file for another machine', () => withHeader('machine.so', [18, 0x16], [19, 0])],
  ['a program', () => '/bin/true'],
  ['a library that is not a PKCS#11 module', () => '/lib/x86_64-linux-gnu/libm.so.6'],
  ...[0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99].map((share): (typeof wrongFiles)[number] => [
    `a file that ends after ${share * 100} %`,
    () => written(`cut-${share}.so`, whole.subarray(0, Math.floor(whole.length * share))),
  ]),
  ['a file with a hole at its beginning', () => withHole('hole-1.so', 0.001, 0.05)],
  ['a file with a hole in its code', () => withHole('hole-2.so', 0.2, 0.9)],
  ['a file with a hole at its end', () => withHole('hole-3.so', 0.8, 1)],
];

describe.each([false, true])('with privateInstance %s', (privateInstance) => {
  test.each(wrongFiles)('%s is refused', async (_what, path) => {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    const given = path();
    const failure = await failureOf(addon.listTokens(moduleAt(given, { privateInstance }), soon()));
    expect(failure.kind).toBe('module');
    expect(failure.message).toContain(basename(given));
    expect(failure.message).not.toContain('/proc/self/fd');
  });

  const ways = [
    'load-exit',
    'load-abort',
    'load-crash',
    'list-exit',
    'list-abort',
    'list-crash',
    'list-error',
    'list-null',
  ];
  /** Copies the odd module for each case, because a process loads one shared library only once. */
  const oddCopy = (name: string): string => {
    const path = join(folder, `${name}-${String(privateInstance)}.so`);
    copyFileSync(oddModule, path);
    return path;
  };

  test.each(ways)('a library that fails by %s is refused', async (way) => {
    const path = oddCopy(way);
    const module = moduleAt(path, { privateInstance, environment: { HOLDFAST_ODD: way } });
    const failure = await failureOf(addon.listTokens(module, soon()));
    expect(failure.message).toContain(path);
    // The environment was wrong: once corrected, the same file serves.
    expect(await addon.listTokens(moduleAt(path, { privateInstance }), soon())).toEqual([]);
  });

  test.each(['load-hang', 'list-hang'])(
    'one that hangs by %s is reported in time, and blocks no other',
    async (way) => {
      const module = moduleAt(oddCopy(way), { privateInstance, environment: { HOLDFAST_ODD: way } });
      const hung = failureOf(addon.listTokens(module, inMilliseconds(2_000)));
      const other = { ...moduleAt(softHsm.libraryPath), environment: softHsm.environment };
      expect(await addon.listTokens(other, soon())).toHaveLength(1);
      expect((await hung).message).toMatch(/hangs when it is loaded/);
    },
  );

  test('the environment is set while it is loaded, in C_GetFunctionList and in C_Initialize', async () => {
    const path = oddCopy('seen');
    // Each is another load of a private copy; a shared one is loaded once.
    for (const value of privateInstance ? ['one', 'two', ''] : ['one']) {
      const module = moduleAt(path, { privateInstance, environment: { HOLDFAST_SEEN: value } });
      expect(await addon.listTokens(module, soon())).toEqual([]);
      expect(process.env['HOLDFAST_SEEN']).toBeUndefined();
    }
  });
});

test('a library that looks for its parts beside itself gets a hint when it is copied', async () => {
  // NSS names no folder; this library asks the loader for another one beside it.
  const path = join(folder, 'origin.so');
  const source = join(folder, 'part.c');
  writeFileSync(source, 'int part(void) { return 1; }\n');
  const compiler = { cwd: folder, stdio: 'pipe' } as const;
  execFileSync('cc', ['-shared', '-fPIC', '-o', 'libpart.so', 'part.c'], compiler);
  execFileSync(
    'cc',
    ['-shared', '-fPIC', '-o', path, 'part.c', '-Wl,--no-as-needed', '-L.', '-lpart', '-Wl,-rpath,$ORIGIN'],
    compiler,
  );
  const failure = await failureOf(addon.listTokens(moduleAt(path, { privateInstance: true }), soon()));
  expect(failure.message).toMatch(/libpart\.so.*privateInstance: false/);
  const shared = await failureOf(addon.listTokens(moduleAt(path), soon()));
  expect(shared.message).toMatch(/no C_GetFunctionList/);
});

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from './arguments.js';
import { isInstalled } from './program.js';
import type { NativePrograms } from './scenarios.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const source = join(root, 'bench/native');
const build = join(root, 'native/build-bench');

export const nativePrograms: NativePrograms = {
  rawCeiling: join(build, 'raw-ceiling'),
  clientCertificateLibrary: join(build, 'client-certificate.so'),
};

/**
 * What every measurement needs.
 * @param build whether to compile the bench's own programs
 * @throws UsageError without h2load
 */
export function prepareBench(build: boolean, progress: (line: string) => void): void {
  if (!isInstalled('h2load')) throw new UsageError('h2load is missing: install the package nghttp2-client.');
  if (build) buildAll(progress);
  requireBuilt();
}

/**
 * Compiles the programs of the bench itself. The set-up has just compiled the server and the addon: a result for old
 * code would be meaningless. Throws if that fails.
 */
function buildAll(progress: (line: string) => void): void {
  const steps = [
    ['cmake', '-S', source, '-B', build, '-DCMAKE_BUILD_TYPE=Release'],
    ['cmake', '--build', build],
  ];
  for (const [program = '', ...parameters] of steps) {
    progress(`${program} ${parameters.join(' ').replaceAll(root, '')}`);
    const { status, error, stdout, stderr } = spawnSync(program, parameters, { cwd: root, encoding: 'utf8' });
    if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? `${stdout}${stderr}`.slice(-2000)}`);
  }
}

/** Throws if something is missing. Without its library, h2load would be refused, and would not say so. */
export function requireBuilt(): void {
  const programs = [...(Object.values(nativePrograms) as string[]), join(root, 'dist/cli/main.js')];
  const missing = programs.filter((path) => !existsSync(path));
  if (missing.length > 0) throw new Error(`Not built, leave --no-build out: ${missing.join(', ')}`);
}

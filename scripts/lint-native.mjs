#!/usr/bin/env node
/**
 * clang-tidy over the C++ part, one file per core: `npm run lint:native [-- part of a path …]`. It learns how each file
 * is compiled from `compile_commands.json`: that of `native/build`, which `npm run build:native` writes, and for the
 * tests of the core and the programs of the bench those of `native/build-test` and `native/build-bench`, which it makes
 * itself. Tests have a lighter set of checks: the `.clang-tidy` beside them.
 * clang's thread-safety analysis runs with it: the annotations of `native/src/mutex.h` say which lock guards what.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute, isInstalled, runMain, StepFailure } from './steps.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const builds = [
  {
    build: 'native/build',
    folders: ['native/src/', 'test/extraction/', 'test/fault-hsm/', 'test/token-reader/', 'test/vendor-hsm/'],
  },
  { build: 'native/build-test', folders: ['native/test/'] },
  { build: 'native/build-bench', folders: ['bench/native/'] },
];

/** Configures the other builds as `native/test/run.sh` does, and compiles nothing. */
async function configureOthers() {
  const options = ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DHOLDFAST_TESTS=ON'];
  await execute('cmake', ['-S', 'native', '-B', 'native/build-test', ...options], { cwd: root });
  const forBench = ['-DCMAKE_BUILD_TYPE=Release', '-DCMAKE_EXPORT_COMPILE_COMMANDS=ON'];
  await execute('cmake', ['-S', 'bench/native', '-B', 'native/build-bench', ...forBench], { cwd: root });
}

/** Our compiled sources, with the folder of their build; those of cmake-js are not ours. */
function ourSources({ build, folders }, parts) {
  const database = join(root, build, 'compile_commands.json');
  if (!existsSync(database)) throw new StepFailure(`There is no ${build} yet: npm run build:native`);
  const files = JSON.parse(readFileSync(database, 'utf8'))
    .map(({ file }) => relative(root, file))
    .filter((file) => folders.some((folder) => file.startsWith(folder)))
    .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
  return [...new Set(files)].sort().map((file) => ({ file, build }));
}

/** The findings of clang-tidy in one file; '' if there are none. */
function findingsIn({ file, build }) {
  return new Promise((resolve, reject) => {
    const threadSafety = ['--extra-arg=-Wthread-safety', '--extra-arg=-Werror=thread-safety'];
    const argumentList = ['-p', join(root, build), '--quiet', ...threadSafety, join(root, file)];
    execFile('clang-tidy', argumentList, { cwd: root, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error === null) resolve('');
      else if (stdout.trim() !== '') resolve(stdout.trimEnd());
      else reject(new StepFailure(`clang-tidy on ${file}: ${stderr.trim() || error.message}`));
    });
  });
}

/** A header's finding appears in every file that includes it: once is enough. */
function withoutRepeats(outputs) {
  const seen = new Set();
  return outputs
    .flatMap((output) => output.split(/\n(?=\/[^\n]*: (?:error|warning): )/))
    .filter((finding) => finding !== '' && !seen.has(finding) && seen.add(finding))
    .map((finding) => finding.replaceAll(root, ''));
}

async function lint(parts) {
  if (!isInstalled('clang-tidy')) throw new StepFailure('clang-tidy is missing: npm run setup -- --with-lint');
  await configureOthers();
  const files = builds.flatMap((build) => ourSources(build, parts));
  if (files.length === 0) throw new StepFailure(`No file of the C++ part matches ${parts.join(', ')}`);
  const waiting = [...files];
  const outputs = [];
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) outputs.push(await findingsIn(file));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const findings = withoutRepeats(outputs);
  if (findings.length > 0) throw new StepFailure(`${findings.join('\n')}\n${findings.length} findings`);
  process.stdout.write(`clang-tidy: nothing to say about ${files.length} files\n`);
}

await runMain(() => lint(process.argv.slice(2)));

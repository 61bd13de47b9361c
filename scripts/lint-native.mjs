#!/usr/bin/env node
/**
 * clang-tidy over the C++ part: `npm run lint:native [-- part of a path …]`. It learns how each file is compiled from
 * `compile_commands.json`: that of `native/build`, which `npm run build:native` writes, and for the tests of the core
 * and the programs of the bench those of `native/build-test` and `native/build-bench`, which it makes itself. Tests have
 * a lighter set of checks: the `.clang-tidy` beside them.
 * clang's thread-safety analysis runs with it: the annotations of `native/src/mutex.h` say which lock guards what.
 *
 * Most of the time goes into the headers of the standard library, so files are first checked in batches: one source
 * that includes several. Files of a batch with findings are checked again alone, because the findings may be the
 * batch's own, such as two local names that are the same. Tests have too many of those: each is checked alone.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execute, isInstalled, runMain, StepFailure } from './steps.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const builds = [
  {
    build: 'native/build',
    folders: [
      'native/src/',
      'test/disk-shim/',
      'test/extraction/',
      'test/fault-hsm/',
      'test/token-reader/',
      'test/vendor-hsm/',
    ],
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

/** Files of one batch. More share the headers better, but one finding has them all checked again. */
const batchLength = 8;

/** Our compiled sources, with the options of their compiler; those of cmake-js are not ours. */
function ourSources({ build, folders }, parts) {
  const database = join(root, build, 'compile_commands.json');
  if (!existsSync(database)) throw new StepFailure(`There is no ${build} yet: npm run build:native`);
  const files = JSON.parse(readFileSync(database, 'utf8'))
    .map(({ file, command }) => ({ file: relative(root, file), options: optionsIn(command), build }))
    .filter(({ file }) => folders.some((folder) => file.startsWith(folder)))
    .filter(({ file }) => parts.length === 0 || parts.some((part) => file.includes(part)));
  return [...new Map(files.map((source) => [source.file, source])).values()].sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** Those of the front end: includes, definitions, warnings and the language. */
function optionsIn(command) {
  const words = command.split(' -o ')[0].split(' ').slice(1);
  return words.filter((word, index) => /^-[DIWf]|^-std|^-isystem$/.test(word) || words[index - 1] === '-isystem');
}

/** Sources with the same options and the same `.clang-tidy`, as many as make a batch. */
function batchesOf(sources) {
  const alone = (source) => source.build === 'native/build-test';
  const alike = new Map();
  for (const source of sources) {
    const key = alone(source) ? source.file : [dirname(source.file), ...source.options].join(' ');
    alike.set(key, [...(alike.get(key) ?? []), source]);
  }
  return [...alike.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / batchLength) }, (_, index) =>
      group.slice(index * batchLength, (index + 1) * batchLength),
    ),
  );
}

const threadSafety = ['--extra-arg=-Wthread-safety', '--extra-arg=-Werror=thread-safety'];

/** The findings of clang-tidy with these arguments; '' if there are none. */
function findingsOf(argumentList, file) {
  return new Promise((resolve, reject) => {
    const all = ['--quiet', ...threadSafety, ...argumentList];
    execFile('clang-tidy', all, { cwd: root, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error === null) resolve('');
      else if (stdout.trim() !== '') resolve(stdout.trimEnd());
      else reject(new StepFailure(`clang-tidy on ${file}: ${stderr.trim() || error.message}`));
    });
  });
}

const findingsIn = ({ file, build }) => findingsOf(['-p', join(root, build), join(root, file)], file);

/**
 * Whether a batch has findings. Its source exists only for clang-tidy, beside the files that it includes, where their
 * `.clang-tidy` is found. The static analyzer follows such includes only from a file with this name
 * (AnalysisManager::isInCodeFile).
 */
async function isClean(batch, folder) {
  const [{ file, options }] = batch;
  const name = `UnifiedSource-${file.replaceAll('/', '-')}`;
  const content = join(folder, name);
  writeFileSync(content, batch.map((source) => `#include "${join(root, source.file)}"\n`).join(''));
  const overlay = join(folder, `${name}.json`);
  const virtual = join(root, dirname(file), name);
  const entry = { name: virtual, type: 'file', 'external-contents': content };
  writeFileSync(overlay, JSON.stringify({ version: 0, 'use-external-names': false, roots: [entry] }));
  const checks = '--checks=-bugprone-suspicious-include';
  return (await findingsOf([`--vfsoverlay=${overlay}`, checks, virtual, '--', ...options], file)) === '';
}

async function findingsInBatch(batch, folder) {
  if (batch.length > 1 && (await isClean(batch, folder))) return [];
  const outputs = [];
  for (const source of batch) outputs.push(await findingsIn(source));
  const isOfBatch = batch.length > 1 && outputs.every((output) => output === '');
  // That takes several times as long, and two other names end it.
  if (isOfBatch) process.stdout.write(`Checked one by one: ${batch.map(({ file }) => file).join(', ')}\n`);
  return outputs;
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
  const waiting = batchesOf(files);
  const outputs = [];
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-lint-'));
  const work = async () => {
    for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift())
      outputs.push(...(await findingsInBatch(batch, folder)));
  };
  try {
    await Promise.all(Array.from({ length: availableParallelism() }, work));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const findings = withoutRepeats(outputs);
  if (findings.length > 0) throw new StepFailure(`${findings.join('\n')}\n${findings.length} findings`);
  process.stdout.write(`clang-tidy: nothing to say about ${files.length} files\n`);
}

await runMain(() => lint(process.argv.slice(2)));

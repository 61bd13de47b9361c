#!/usr/bin/env node
/**
 * clang-tidy over the C++ part, one file a core: `npm run lint:native [-- part of a path …]`. How each file is compiled it
 * learns from `native/build/compile_commands.json`, which `npm run build:native` writes.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isInstalled, runMain, StepFailure } from './steps.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const database = join(root, 'native/build/compile_commands.json');
const folders = ['native/src/', 'test/token-reader/'];

/** What is compiled and ours: what cmake-js brings is not. */
function ourSources(parts) {
  if (!existsSync(database)) throw new StepFailure('There is no native/build yet: npm run build:native');
  const files = JSON.parse(readFileSync(database, 'utf8'))
    .map(({ file }) => relative(root, file))
    .filter((file) => folders.some((folder) => file.startsWith(folder)))
    .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)));
  return [...new Set(files)].sort();
}

/** What clang-tidy says about one file; '' where it finds nothing. */
function findingsIn(file) {
  return new Promise((resolve, reject) => {
    const argumentList = ['-p', dirname(database), '--quiet', join(root, file)];
    execFile('clang-tidy', argumentList, { cwd: root, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (error === null) resolve('');
      else if (stdout.trim() !== '') resolve(stdout.trimEnd());
      else reject(new StepFailure(`clang-tidy on ${file}: ${stderr.trim() || error.message}`));
    });
  });
}

/** A header's finding shows in every file that includes it: once is enough. */
function withoutRepeats(outputs) {
  const seen = new Set();
  return outputs
    .flatMap((output) => output.split(/\n(?=\/[^\n]*: (?:error|warning): )/))
    .filter((finding) => finding !== '' && !seen.has(finding) && seen.add(finding))
    .map((finding) => finding.replaceAll(root, ''));
}

async function lint(parts) {
  if (!isInstalled('clang-tidy')) throw new StepFailure('clang-tidy is missing: npm run setup -- --with-lint');
  const files = ourSources(parts);
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

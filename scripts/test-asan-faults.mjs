#!/usr/bin/env node
/**
 * `npm run test:asan:faults [-- <vitest arguments>]`: the suites of the addon and of faults, with an addon and a
 * fault-injecting module that are built with AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer. They run
 * in a copy of the tree in a temporary folder whose `native/build/Release` is that build, so the product needs no
 * switch for it.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { findingsIn, lookedForLeaks } from './sanitizer-reports.mjs';
import { root, setup } from './setup.mjs';
import { execute, runMain, StepFailure } from './steps.mjs';

/** `native/test/run.sh asan` builds there too: if it runs after this script, the core is compiled only once. */
const build = 'native/build-asan';
const configuration = 'RelWithDebInfo';
const suites = ['test/faults', 'test/hsm', 'test/native'];
/** Not copied. In CI the examples are being built meanwhile. */
const left = ['.git', 'node_modules', 'native', '.holdfast', 'bench/results', 'examples'];

async function buildSanitized() {
  const place = ['-d', 'native', '-O', build, '-B', configuration];
  const generator = ['-G', 'Unix Makefiles', '--parallel', String(availableParallelism())];
  const options = ['--CDHOLDFAST_SANITIZER=address,undefined', '--CDHOLDFAST_TESTS=ON'];
  await execute('npx', ['cmake-js', 'build', ...place, ...generator, ...options], { cwd: root });
}

/** The sources themselves, not links to them: the addon and the modules are expected beside them. */
function copyTree(tree) {
  cpSync(root, tree, { recursive: true, filter: (path) => !left.includes(relative(root, path)) });
  for (const folder of ['native/src', 'native/test']) {
    cpSync(join(root, folder), join(tree, folder), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  mkdirSync(join(tree, 'native/build'));
  symlinkSync(join(root, build, configuration), join(tree, 'native/build/Release'));
}

/**
 * Every process writes its findings to a file of its own. Leaks alone do not change its exit code: Node always has
 * some.
 */
function sanitizedEnvironment(reports) {
  const runtime = execFileText('gcc', ['-print-file-name=libasan.so']);
  const log = `log_path=${join(reports, 'report')}`;
  return {
    ...process.env,
    LD_PRELOAD: runtime,
    // The tests that check for growth read the size of the quarantine from here.
    ASAN_OPTIONS: `detect_leaks=1:detect_stack_use_after_return=1:quarantine_size_mb=64:abort_on_error=1:${log}`,
    LSAN_OPTIONS: 'exitcode=0',
    UBSAN_OPTIONS: `print_stacktrace=1:abort_on_error=1:${log}`,
  };
}

function execFileText(program, argumentList) {
  const { status, stdout } = spawnSync(program, argumentList, { encoding: 'utf8' });
  if (status !== 0) throw new StepFailure(`${program} ${argumentList.join(' ')} failed: is it installed?`);
  return stdout.trim();
}

function runSuites(tree, env) {
  const given = process.argv.slice(2);
  const what = given.some((argument) => !argument.startsWith('-')) ? given : [...suites, ...given];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const settings = ['--root', '.', '--config', 'test/leak-check/vitest.config.ts'];
  return spawnSync(process.execPath, [vitest, 'run', ...settings, ...what], { cwd: tree, stdio: 'inherit', env });
}

/** @throws StepFailure with the findings, or if no sanitizer ran */
function judge(reports, { status, signal }) {
  const texts = readdirSync(reports).map((name) => readFileSync(join(reports, name), 'utf8'));
  const findings = texts.flatMap(findingsIn);
  if (findings.length > 0) throw new StepFailure(`${findings.join('\n\n')}\n\nSanitizers: ${findings.length} findings`);
  if (status !== 0) throw new StepFailure(`The suites failed (${signal ?? status}); the sanitizers found nothing.`);
  const processes = texts.filter(lookedForLeaks).length;
  if (processes === 0) throw new StepFailure('LeakSanitizer looked at no process.');
  process.stdout.write(`Sanitizers: nothing found; ${processes} processes were checked for leaks\n`);
}

await runMain(async () => {
  await setup({ quiet: true });
  await buildSanitized();
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-asan-'));
  try {
    const [tree, reports] = [join(folder, 'tree'), join(folder, 'reports')];
    copyTree(tree);
    mkdirSync(reports);
    judge(reports, runSuites(tree, sanitizedEnvironment(reports)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/**
 * `node --import ./test/contract/typescript-hooks.mjs bench/profile-addon.ts [requests in flight] [seconds] [file]`:
 * profiles all threads of a process with the addon alone, on a SoftHSM token with one lane, with Linux `perf`. Prints
 * the shares of CPU by thread and by owner, and draws a flame graph (SVG) to the given file. Run `npm run setup` first,
 * which builds the addon. Only root sees the kernel's functions, unless `kernel.perf_event_paranoid` is 1 or less.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSoftHsm } from '../test/softhsm.js';
import { drawFlameGraph } from './flame-graph.js';
import type { Measurement } from './measurement.js';
import { foldStacks, lastNames, ofTheLoad, readPerfScript, summariseSamples } from './perf-stacks.js';
import { exitOnSignals } from './processes.js';
import type { ProfileRow } from './profile.js';
import { isInstalled, runProgram } from './program.js';
import { addonProgram } from './scenarios.js';

const [inFlight = 16, seconds = 3] = process.argv.slice(2, 4).map(Number);
const flameGraphPath = process.argv[4];
const token = { label: 'profiled', userPin: '1234' };
const lanes = 1;
/**
 * Debian's libraries and the addon keep no frame pointers: their stacks are unwound from the information in their
 * files, from this many bytes of each. That ends at a function that V8 has compiled.
 */
const callGraph = ['--call-graph', 'dwarf,8192'];
/** Samples by the clock: virtual machines seldom have hardware counters. */
const sampling = ['-e', 'cpu-clock', '-F', '999', ...callGraph];
const owners = ['SoftHSM', 'libcrypto', 'libc', 'kernel', 'holdfast/addon', 'node and V8'];

function print(title: string, rows: readonly ProfileRow[]): void {
  process.stdout.write(`\n${title}\n`);
  for (const { name, share } of rows) process.stdout.write(`${(share * 100).toFixed(1).padStart(6)} %  ${name}\n`);
}

/** Runs the load under perf. @returns its measurement */
async function record(dataPath: string, folder: string): Promise<Measurement> {
  const softHsm = createSoftHsm({ tokens: [token] });
  process.once('exit', () => softHsm.dispose());
  const { libraryPath, environment } = softHsm;
  const load = { libraryPath, environment, tokenLabel: token.label, lanes, inFlight, seconds };
  const { program, parameters, ...run } = addonProgram(load, token.userPin);
  const naming = ['--perf-basic-prof', '--interpreted-frames-native-stack'];
  const logging = ['--no-logfile-per-isolate', `--logfile=${join(folder, 'v8.log')}`];
  const command = [program, ...naming, ...logging, ...parameters];
  const recording = ['record', '--quiet', ...sampling, '-o', dataPath, '--', ...command];
  return JSON.parse(await runProgram({ ...run, program: 'perf', parameters: recording })) as Measurement;
}

async function script(dataPath: string, fields: string): Promise<string> {
  return runProgram({ program: 'perf', parameters: ['script', '--no-inline', '-i', dataPath, '-F', fields] });
}

/** The samples of perf, with the names of the functions that V8 compiled, which V8 writes where perf looks for them. */
async function readSamples(dataPath: string): Promise<string> {
  const pid = Number.parseInt(await script(dataPath, 'pid'));
  const mapPath = `/tmp/perf-${pid}.map`;
  try {
    writeFileSync(mapPath, lastNames(readFileSync(mapPath, 'utf8')));
    return await script(dataPath, 'comm,pid,tid,time,ip,sym,dso');
  } finally {
    rmSync(mapPath, { force: true });
  }
}

if (!isInstalled('perf'))
  throw new Error('perf is missing: install the package linux-perf (on Ubuntu linux-tools-generic).');
exitOnSignals();
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const dataPath = join(folder, 'perf.data');
const { rps, cpuMicrosPerRequest } = await record(dataPath, folder);
const samples = ofTheLoad(readPerfScript(await readSamples(dataPath)), seconds);
if (flameGraphPath !== undefined) {
  const title = `The addon alone, ${lanes} lane, ${inFlight} encryptions in flight: CPU of all threads`;
  writeFileSync(flameGraphPath, drawFlameGraph(foldStacks(samples), title, owners));
}
process.stdout.write(
  `${Math.round(rps)} encryptions/s and ${cpuMicrosPerRequest.toFixed(1)} µs CPU an encryption while profiled; ` +
    `${samples.length} samples\n`,
);
const { threads, owners: byOwner, callers } = summariseSamples(samples);
print('By thread', threads);
print('By owner', byOwner);
print('By who called: kernel, libc and libcrypto counted for their callers', callers);

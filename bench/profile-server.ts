/**
 * `node --import ./test/contract/typescript-hooks.mjs bench/profile-server.ts [requests in flight] [seconds] [file]`:
 * profiles the main thread of the server under load, prints self time by owner and by function, draws a flame graph
 * (SVG) to the given file, and leaves the profile in the folder for temporary files, for the flame charts of a
 * browser's developer tools or of speedscope. Run `npm run bench` first, which builds everything.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nativePrograms, requireBuilt } from './build.js';
import { flameGraph } from './flame-graph.js';
import { measureWithH2load } from './h2load.js';
import { type CpuProfile, type ProfileRow, summariseProfile } from './profile.js';
import { MeasuredServer } from './measured-server.js';

const path = join(tmpdir(), 'holdfast-bench.cpuprofile');
const hook = fileURLToPath(new URL('profile-hook.mjs', import.meta.url));
const [inFlight = 32, seconds = 5] = process.argv.slice(2, 4).map(Number);
const flameGraphPath = process.argv[4];

function print(title: string, rows: readonly ProfileRow[]): void {
  process.stdout.write(`\n${title}\n`);
  for (const { name, share } of rows) process.stdout.write(`${(share * 100).toFixed(1).padStart(6)} %  ${name}\n`);
}

requireBuilt();
rmSync(path, { force: true });
const environment = { NODE_OPTIONS: `--import=${hook}`, HOLDFAST_BENCH_PROFILE: path };
const server = await MeasuredServer.start({ lanes: 1, environment });
const target = server.target('encrypt');
try {
  const load = () => measureWithH2load(target, nativePrograms.clientCertificateLibrary, inFlight, seconds);
  await load();
  process.kill(target.pid, 'SIGUSR2');
  const { rps, cpuMicrosPerRequest } = await load();
  process.kill(target.pid, 'SIGUSR2');
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 100));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const profile = JSON.parse(readFileSync(path, 'utf8')) as CpuProfile;
  const { idleShare, functions, owners } = summariseProfile(profile);
  if (flameGraphPath !== undefined) {
    const title = `Encrypt over mutual TLS, ${inFlight} in flight: main thread of the server, by self time`;
    writeFileSync(flameGraphPath, flameGraph(profile, title));
  }
  process.stdout.write(
    `${Math.round(rps)} requests/s and ${cpuMicrosPerRequest.toFixed(1)} µs CPU a request while profiled, ` +
      `idle ${(idleShare * 100).toFixed(1)} %; profile in ${path}\n`,
  );
  print('By owner', owners);
  print('By function', functions.slice(0, 60));
} finally {
  await server.stop();
}

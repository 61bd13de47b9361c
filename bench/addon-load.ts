/**
 * A process with the addon alone: `addon-load.ts <JSON of AddonLoad>`, the PIN on stdin. Prints one JSON measurement.
 */
import { secretKeyClass } from '../src/hsm/material-cache.js';
import { readFileSync } from 'node:fs';
import type { NativeMaterialReference, NativePool } from '../src/hsm/native.js';
import { addon, connect, inMilliseconds, makeKey, memberOptions, soon } from '../test/native/fixture.js';
import type { Measurement } from './measurement.js';
import { percentile } from './statistics.js';
import { perOperation, totalOf, withThreadCpu } from './thread-cpu.js';

export interface AddonLoad {
  libraryPath: string;
  environment: Record<string, string>;
  tokenLabel: string;
  lanes: number;
  plaintextBytes: number;
  additionalDataBytes: number;
  inFlight: number;
  seconds: number;
}

/** The inputs of one run at one level of load. */
interface Loop {
  pool: NativePool;
  reference: NativeMaterialReference;
  plaintext: Uint8Array;
  additionalData: Uint8Array;
}

const operationTimeoutMs = 5_000;

/** Keeps `inFlight` encryptions under way for a while. @returns the duration of each, in milliseconds. */
async function encryptFor(loop: Loop, inFlight: number, seconds: number): Promise<number[]> {
  const latenciesMs: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  const caller = async (): Promise<void> => {
    for (let beforeMs = performance.now(); beforeMs < endMs; ) {
      const { pool, reference, plaintext, additionalData } = loop;
      await pool.encrypt(null, reference, plaintext, additionalData, inMilliseconds(operationTimeoutMs));
      const afterMs = performance.now();
      latenciesMs.push(afterMs - beforeMs);
      beforeMs = afterMs;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  return latenciesMs;
}

async function measure(loop: Loop, inFlight: number, seconds: number): Promise<Measurement> {
  await encryptFor(loop, inFlight, seconds / 5);
  const startMs = performance.now();
  const { result: latenciesMs, cpu } = await withThreadCpu(process.pid, () => encryptFor(loop, inFlight, seconds));
  const elapsedMs = performance.now() - startMs;
  return {
    rps: (latenciesMs.length / elapsedMs) * 1000,
    cpuMicrosPerRequest: totalOf(cpu) / latenciesMs.length,
    cpuMicrosByThread: perOperation(cpu, latenciesMs.length),
    latencyMs: { p50: percentile(latenciesMs, 0.5), p99: percentile(latenciesMs, 0.99) },
  };
}

async function run(load: AddonLoad, pin: string): Promise<Measurement> {
  const pool = addon.createPool(10_000);
  const { libraryPath, environment, tokenLabel, lanes } = load;
  const module = { libraryPath, environment, privateInstance: false, initializationString: null };
  const member = await connect(pool, memberOptions(module, tokenLabel, { laneCount: lanes }), pin);
  const { id, reference } = await makeKey(pool, member, 'addon load');
  const plaintext = new Uint8Array(load.plaintextBytes).fill(0x61);
  const additionalData = new Uint8Array(load.additionalDataBytes).fill(0x62);
  const measurement = await measure({ pool, reference, plaintext, additionalData }, load.inFlight, load.seconds);
  await pool.destroyKey(member, secretKeyClass, id, soon());
  await pool.close(soon());
  return measurement;
}

const load = JSON.parse(process.argv[2] ?? '') as AddonLoad;
const pin = readFileSync(0, 'utf8').trim();
process.stdout.write(JSON.stringify(await run(load, pin)));

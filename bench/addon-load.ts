/**
 * A process with the addon alone: `addon-load.ts <JSON of AddonLoad>`, the PIN on stdin. Prints one JSON measurement.
 */
import { secretKeyClass } from '../src/hsm/material-cache.js';
import { readFileSync } from 'node:fs';
import { type Answer, type AnswerReceiver, loadAnswers } from '../src/hsm/answers.js';
import { Encryption } from '../src/hsm/data-operations.js';
import { loadAddon, type NativeFailure, type NativePool } from '../src/hsm/native.js';
import { connect, inMilliseconds, makeKey, memberOptions, soon } from '../test/native/fixture.js';
import { Secret } from '../src/secret.js';
import type { Measurement } from './measurement.js';
import { percentile } from './statistics.js';
import { perOperation, withThreadUse } from './thread-cpu.js';

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
  encryption: Encryption;
}

const operationTimeoutMs = 5_000;
const empty = new Uint8Array();

/** Encrypts again as soon as it has the answer, until the end. */
class Caller implements AnswerReceiver {
  readonly done: Promise<void>;
  readonly #loop: Loop;
  readonly #latenciesMs: number[];
  readonly #endMs: number;
  #beforeMs = 0;
  #resolve!: () => void;
  #reject!: (failure: NativeFailure) => void;

  constructor(loop: Loop, latenciesMs: number[], endMs: number) {
    this.#loop = loop;
    this.#latenciesMs = latenciesMs;
    this.#endMs = endMs;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  next(): void {
    const { pool, encryption } = this.#loop;
    this.#beforeMs = performance.now();
    if (this.#beforeMs < this.#endMs)
      loadAnswers().post(encryption, pool, null, inMilliseconds(operationTimeoutMs), this);
    else this.#resolve();
  }

  answered(answer: Answer): void {
    this.#loop.encryption.read(answer);
    this.#latenciesMs.push(performance.now() - this.#beforeMs);
    this.next();
  }

  failed(failure: NativeFailure): void {
    this.#reject(failure);
  }
}

/** Keeps `inFlight` encryptions under way for a while. @returns the duration of each, in milliseconds. */
async function encryptFor(loop: Loop, inFlight: number, seconds: number): Promise<number[]> {
  const latenciesMs: number[] = [];
  const endMs = performance.now() + seconds * 1000;
  const callers = Array.from({ length: inFlight }, () => new Caller(loop, latenciesMs, endMs));
  for (const caller of callers) caller.next();
  await Promise.all(callers.map(({ done }) => done));
  return latenciesMs;
}

async function measure(loop: Loop, inFlight: number, seconds: number): Promise<Measurement> {
  await encryptFor(loop, inFlight, seconds / 5);
  const startMs = performance.now();
  const { result: latenciesMs, use } = await withThreadUse(process.pid, () => encryptFor(loop, inFlight, seconds));
  const elapsedMs = performance.now() - startMs;
  return {
    rps: (latenciesMs.length / elapsedMs) * 1000,
    ...perOperation(use, latenciesMs.length),
    latencyMs: { p50: percentile(latenciesMs, 0.5), p99: percentile(latenciesMs, 0.99) },
  };
}

async function run(load: AddonLoad, pin: string): Promise<Measurement> {
  const pool = loadAddon().createPool(10_000);
  const { libraryPath, environment, tokenLabel, lanes } = load;
  const module = { libraryPath, environment, privateInstance: false, initializationString: null };
  const member = await connect(pool, memberOptions(module, tokenLabel, { laneCount: lanes }), pin);
  const { id, label, reference } = await makeKey(pool, member, 'addon load');
  const canary = { nonce: empty, ciphertext: empty };
  const encryption = new Encryption(reference, {
    material: { materialId: Buffer.from(id).toString('hex'), label, extractable: false, canary },
    plaintext: new Secret(new Uint8Array(load.plaintextBytes).fill(0x61)),
    additionalData: new Uint8Array(load.additionalDataBytes).fill(0x62),
  });
  const measurement = await measure({ pool, encryption }, load.inFlight, load.seconds);
  await pool.destroyKey(member, secretKeyClass, id, soon());
  await pool.close(soon());
  return measurement;
}

const load = JSON.parse(process.argv[2] ?? '') as AddonLoad;
const pin = readFileSync(0, 'utf8').trim();
process.stdout.write(JSON.stringify(await run(load, pin)));

/** A process that ends while it has a pool open; `how` in its job (argv[2], see start-together.mjs) gives the state. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { promisedAnswers } from './promised-answers.mjs';

const job = isMainThread ? JSON.parse(process.argv[2] ?? '{}') : workerData;
const addon = createRequire(import.meta.url)(job.addon);
const answerOf = promisedAnswers(addon);
const random = (pool, length, deadlineMs) => answerOf((ticket) => pool.random(ticket, null, length, deadlineMs));
const inMs = (milliseconds) => Number(process.hrtime.bigint()) / 1e6 + milliseconds;

async function openPool(module) {
  const pool = addon.createPool(100_000);
  const options = {
    module,
    tokenLabel: job.tokenLabel,
    tokenSerialNumber: null,
    laneCount: 2,
    maxQuarantinedLanes: 1,
    maxStuckOpenings: 2,
  };
  const { member } = await pool.openMember(options, inMs(20_000));
  await pool.loginMember(member, new TextEncoder().encode(job.pin), inMs(20_000), null);
  pool.resume(member);
  return pool;
}

const softHsm = () => {
  const { libraryPath, environment } = job;
  return { libraryPath, privateInstance: true, environment, initializationString: null };
};

const faultHsm = () => {
  const environment = {
    ...job.environment,
    HOLDFAST_FAULT_MODULE: job.libraryPath,
    HOLDFAST_FAULT_CONTROL: job.control,
  };
  return { ...softHsm(), libraryPath: join(dirname(job.addon), 'fault-hsm.so'), environment };
};

const ways = {
  async open() {
    await openPool(softHsm());
    process.exit(0);
  },
  async working() {
    const pool = await openPool(softHsm());
    for (let i = 0; i < 50_000; i += 1) random(pool, 64, inMs(20_000)).catch(() => undefined);
    process.exit(0);
  },
  /** The loop waits for the answer, and for nothing after it. */
  async idle() {
    const pool = await openPool(softHsm());
    random(pool, 64, inMs(20_000)).then(() => process.stdout.write('answered\n'));
  },
  async unhandled() {
    const pool = await openPool(softHsm());
    random(pool, 64, inMs(20_000)).catch(() => undefined);
    process.exit(1);
  },
  /** Two environments, each with a pool on the same shared instance; the worker is terminated at work. */
  async worker() {
    // Tickets count from 1 in both: an answer in the wrong environment would be the other's.
    if (!isMainThread) {
      const pool = await openPool({ ...softHsm(), privateInstance: false });
      await random(pool, 64, inMs(20_000));
      parentPort.postMessage('at work');
      for (;;) await random(pool, 64, inMs(20_000));
    }
    const pool = await openPool({ ...softHsm(), privateInstance: false });
    const worker = new Worker(new URL(import.meta.url), { workerData: job });
    // An error of the worker rejects this.
    await once(worker, 'message');
    for (let i = 0; i < 100; i += 1) await random(pool, 64, inMs(20_000));
    await worker.terminate();
    await random(pool, 8, inMs(5_000));
    process.exit(0);
  },
  /** A worker ends itself from a receiver, and more answers wait than fit into the batch. */
  async 'worker-in-batch'() {
    if (isMainThread) {
      const bytes = new Uint8Array(new SharedArrayBuffer(256));
      const [code] = await once(new Worker(new URL(import.meta.url), { workerData: { ...job, bytes } }), 'exit');
      process.stdout.write(`code ${code}, ${bytes.filter((byte) => byte !== 0).length} bytes left\n`);
      return;
    }
    const pool = await openPool(softHsm());
    const rows = 4;
    addon.receiveAnswers(
      new Float64Array(rows * 8),
      job.bytes,
      () => process.exit(3),
      () => undefined,
    );
    for (let ticket = 1; ticket <= 3 * rows; ticket += 1) pool.random(ticket, null, 8, inMs(20_000));
    while (pool.statistics().some(({ running, queued }) => running + queued > 0)) continue;
  },
  async hung() {
    const pool = await openPool(faultHsm());
    await random(pool, 8, inMs(100)).catch(() => undefined);
    const hung = await pool.close(inMs(100));
    addon.exitNow(hung === 1 ? 7 : 8);
  },
  async 'no-core'() {
    addon.disableCoreDumps();
    process.stdout.write(readFileSync('/proc/self/limits', 'utf8'));
  },
};

if (isMainThread) process.stdout.write('ending\n');
await ways[job.how]();

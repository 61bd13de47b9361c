/** A process that ends while it has a file writer: idle, writing, or in a write that blocks, perhaps of a worker thread. */
import { openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

const job = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const { createFileWriter } = createRequire(import.meta.url)(job.addon);
const say = (text) => writeSync(1, `${text}\n`);

function block() {
  const writer = createFileWriter(() => say('never'));
  writer.write(openSync(job.pipePath, 'w'), 'x'.repeat(1_000_000));
  return writer;
}

if (!isMainThread) {
  globalThis.kept = block();
  parentPort.postMessage('blocked');
} else if (job.how === 'idle') {
  globalThis.kept = createFileWriter(() => say('never'));
  say('ended');
} else if (job.how === 'writing') {
  // The loop stays alive until it is written.
  globalThis.kept = createFileWriter(() => say('written'));
  globalThis.kept.write(openSync('/dev/null', 'w'), 'x');
  say('ended');
} else if (job.how === 'blocked') {
  globalThis.kept = block();
  await setTimeout(100);
  say('ended');
  process.exit(3);
} else {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: job });
  await new Promise((resolve) => worker.once('message', resolve));
  say('ended');
  await worker.terminate();
  say('terminated');
  process.exit(3);
}

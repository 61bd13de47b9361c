/**
 * A process that ends while a call hangs inside its module. Its job is argv[2]; its parent says by messages when to
 * continue.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const job = isMainThread ? JSON.parse(process.argv[2]) : workerData;
const addon = createRequire(import.meta.url)(job.addon);
const inMs = (milliseconds) => Number(process.hrtime.bigint()) / 1e6 + milliseconds;
let lastTicket = 0;
const later = () => inMs(job.deadlineMs);
const bytes = (text) => new TextEncoder().encode(text);
/** Sends a message to the parent's test, directly or through the main thread. */
const say = (message) => (isMainThread ? process.send(message) : parentPort.postMessage(message));
const hear = async () => once(isMainThread ? process : parentPort, 'message');

async function connect() {
  const pool = addon.createPool(100);
  const options = {
    module: job.module,
    tokenLabel: 'alpha',
    tokenSerialNumber: null,
    laneCount: 2,
    maxQuarantinedLanes: 1,
    maxStuckOpenings: 2,
  };
  const { member } = await pool.openMember(options, inMs(20_000));
  await pool.loginMember(member, bytes('1234'), inMs(20_000), null);
  await pool.inventory(member, inMs(20_000));
  pool.resume(member);
  return { pool, member };
}

async function makeMaterial({ pool, member }) {
  const id = new Uint8Array(randomBytes(32));
  const { value } = await pool.generateKey(member, id, 'key', bytes('known'), bytes(''), false, inMs(20_000));
  const reference = addon.createMaterial({
    objectClass: 4,
    id,
    label: 'key',
    extractable: false,
    canaryMac: null,
    canaryNonce: value.nonce,
    canaryCiphertext: value.ciphertext,
    canaryAdditionalData: bytes(''),
    canaryPlaintext: bytes('known'),
  });
  return { id, reference };
}

/** Everything that enters the module. The outcome is irrelevant: packed answers find no receiver. */
function callEverything({ pool, member }, material) {
  pool.random(++lastTicket, member, 8, later());
  pool.encrypt(++lastTicket, member, material.reference, bytes('x'), bytes(''), later());
  const calls = [
    pool.probe(member, material.reference, later()),
    pool.generateKey(member, new Uint8Array(randomBytes(32)), 'other', bytes('known'), bytes(''), false, later()),
    pool.inventory(member, later()),
    pool.tokenInfo(member, later()),
    pool.loginMember(member, bytes('1234'), later(), null),
  ];
  if (job.destroys) calls.push(pool.destroyKey(member, 4, material.id, later()));
  for (const call of calls) call.catch(() => undefined);
  if (job.reopens) pool.reopenMember(member, later()).catch(() => undefined);
}

async function work() {
  const connections = [];
  for (let count = 0; count < job.pools; count += 1) connections.push(await connect());
  const material = await makeMaterial(connections[0]);
  say('connected');
  await hear();
  for (const connection of connections) callEverything(connection, material);
  say('called');
  await hear();
}

const ends = {
  exit: () => process.exit(5),
  exception() {
    setImmediate(() => {
      throw new Error('the end of the process');
    });
  },
  natural() {
    process.exitCode = 4;
    process.disconnect();
  },
};

if (isMainThread && job.end === 'terminate') {
  const worker = new Worker(new URL(import.meta.url), { workerData: job });
  worker.on('message', (message) => process.send(message));
  await once(worker, 'message');
  worker.postMessage(await hear());
  await once(worker, 'message');
  await hear();
  await worker.terminate();
  process.exit(6);
} else {
  await work();
  if (isMainThread) ends[job.end]();
}

/**
 * One of many processes that start together on one token, as a server starts: module lock, open, log in, inventory,
 * then one encryption. Its job comes as JSON on stdin (which keeps the PIN out of command lines), see
 * start-together.test.ts; it begins when its parent sends `go`. Prints one line of JSON.
 */
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { promisedAnswers } from '../native/promised-answers.mjs';

const deadline = () => Number(process.hrtime.bigint()) / 1e6 + 60_000;
const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'));

async function start({ addonPath, libraryPath, environment, tokenLabel, pin, lockDirectory, material }) {
  const addon = createRequire(import.meta.url)(addonPath);
  const module = { libraryPath, privateInstance: true, environment, initializationString: null };
  const pool = addon.createPool(10);
  const lock = await addon.acquireModuleLock(module, lockDirectory, deadline());
  const options = {
    module,
    tokenLabel,
    tokenSerialNumber: null,
    laneCount: 2,
    maxQuarantinedLanes: 2,
    maxStuckOpenings: 2,
  };
  const { member } = await pool.openMember(options, deadline());
  await pool.loginMember(member, new TextEncoder().encode(pin), deadline(), null);
  lock.release();
  const entries = await pool.inventory(member, deadline());
  pool.resume(member);
  const reference = addon.createMaterial({
    objectClass: 4,
    id: bytes(material.id),
    label: material.label,
    extractable: false,
    canaryMac: null,
    canaryNonce: bytes(material.canaryNonce),
    canaryCiphertext: bytes(material.canaryCiphertext),
    canaryAdditionalData: bytes(material.canaryAdditionalData),
    canaryPlaintext: bytes(material.canaryPlaintext),
  });
  const answerOf = promisedAnswers(addon);
  const { nonce, ciphertext } = await answerOf((ticket) =>
    pool.encrypt(ticket, null, reference, bytes('00'.repeat(32)), bytes(''), deadline()),
  );
  const { secret } = await answerOf((ticket) =>
    pool.decrypt(ticket, null, reference, nonce, ciphertext, bytes(''), deadline()),
  );
  const hung = await pool.close(deadline());
  return { objects: entries.length, decrypted: Buffer.from(secret).equals(Buffer.alloc(32)), hung };
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const job = JSON.parse((await lines.next()).value);
console.log('ready');
await lines.next();
try {
  console.log(JSON.stringify(await start(job)));
} catch (error) {
  const { kind, rv, functionName, message } = error;
  console.log(JSON.stringify({ kind, rv, functionName, message }));
}
process.stdin.destroy();

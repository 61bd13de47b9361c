/**
 * One of many processes that start together on one token. Its job comes as JSON in argv[2]: {"addon", "libraryPath",
 * "environment", "tokenLabel", "pin", "lockDirectory", "startAt"}, where startAt is wall-clock milliseconds and
 * lockDirectory may be null (no lock, to show what then fails). Prints one line of JSON.
 */
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisedAnswers } from './promised-answers.mjs';

const job = JSON.parse(process.argv[2] ?? '{}');
const addon = createRequire(import.meta.url)(job.addon);
const answerOf = promisedAnswers(addon);
const deadline = () => Number(process.hrtime.bigint()) / 1e6 + 30_000;

/** Initialise, log in, draw some random bytes, close. */
async function start() {
  const { libraryPath, environment, tokenLabel } = job;
  const module = { libraryPath, privateInstance: true, environment, initializationString: null };
  const lock = job.lockDirectory && (await addon.acquireModuleLock(module, job.lockDirectory, deadline()));
  const pool = addon.createPool(10);
  const options = {
    module,
    tokenLabel,
    tokenSerialNumber: null,
    laneCount: 2,
    maxQuarantinedLanes: 1,
    maxStuckOpenings: 2,
  };
  const { member } = await pool.openMember(options, deadline());
  await pool.loginMember(member, new TextEncoder().encode(job.pin), deadline(), null);
  if (lock) lock.release();
  pool.resume(member);
  const { secret } = await answerOf((ticket) => pool.random(ticket, null, 16, deadline()));
  await pool.close(deadline());
  return { ok: secret.length === 16 };
}

await sleep(Math.max(0, job.startAt - Date.now()));
try {
  console.log(JSON.stringify(await start()));
} catch (error) {
  const { kind, rv, message } = error;
  console.log(JSON.stringify({ ok: false, kind, rv, message }));
}

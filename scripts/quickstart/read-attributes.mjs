#!/usr/bin/env node
/**
 * Asks a token for the attributes of one key, in a process and a PKCS#11 session of its own: the token's answer, not
 * the server's. Arguments: configuration file, token label, PIN file, ARN of the key (its CKA_LABEL).
 */
import { readFileSync } from 'node:fs';
import { loadConfiguration } from '../../dist/config/load.js';
import { loadAddon } from '../../dist/hsm/native.js';

const [configurationFile, tokenLabel, pinFile, keyArn] = process.argv.slice(2);
const configuration = await loadConfiguration(configurationFile);
const [{ path: libraryPath, environment }] = configuration.modules;
const module = { libraryPath, environment, privateInstance: false, initializationString: null };
const addon = loadAddon();
const deadlineMs = Number(process.hrtime.bigint()) / 1e6 + 30_000;
const lock = await addon.acquireModuleLock(module, configuration.lockDirectory, deadlineMs);
const pool = addon.createPool(1);
try {
  const options = {
    module,
    tokenLabel,
    tokenSerialNumber: null,
    laneCount: 1,
    maxQuarantinedLanes: 1,
    maxStuckOpenings: 2,
  };
  const { member } = await pool.openMember(options, deadlineMs);
  await pool.loginMember(member, readFileSync(pinFile).subarray(0, -1), deadlineMs, null);
  const ids = (await pool.inventory(member, deadlineMs)).filter(({ label }) => label === keyArn).map(({ id }) => id);
  const objects = [];
  for (const id of ids) objects.push(...(await pool.readAttributes(member, 4, id, deadlineMs)).value);
  process.stdout.write(`${JSON.stringify(objects)}\n`);
} finally {
  lock.release();
  await pool.close(deadlineMs);
}

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CreateKeyCost, CreateKeyLoad } from './create-key-load.js';
import { runProgram } from './program.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';

const createKeyLoad = fileURLToPath(new URL('create-key-load.ts', import.meta.url));

/** A file system in memory: SoftHSM waits for the disk at every key, for longer than it computes. */
const memory = '/dev/shm';

/** The cost of making a key on a token with few keys and with many, ascending by the keys on it. */
export async function measureCreateKey(load: CreateKeyLoad): Promise<CreateKeyCost[]> {
  const output = await runProgram({
    program: process.execPath,
    parameters: ['--import', typescriptHooks, createKeyLoad, JSON.stringify(load)],
    environment: { ...withoutHooks(), ...(existsSync(memory) ? { TMPDIR: memory } : {}) },
  });
  return JSON.parse(output) as CreateKeyCost[];
}

/** The last level's CPU time over the first's. Throws if there is no level. */
export function createKeyGrowth(costs: readonly CreateKeyCost[]): number {
  const [few, many] = [costs.at(0), costs.at(-1)];
  if (few === undefined || many === undefined) throw new Error('The making of keys was not measured.');
  return many.cpuMicrosPerKey / few.cpuMicrosPerKey;
}

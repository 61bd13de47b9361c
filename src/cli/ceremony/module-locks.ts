import { realpath } from 'node:fs/promises';
import { systemClock } from '../../clock-system.js';
import type { Configuration } from '../../config/configuration.js';
import type { NativeLock, NativeModuleOptions } from '../../hsm/native.js';
import { loadAddon } from '../../hsm/native.js';

/**
 * Runs work that initialises modules or logs in, while no other process does. The locks of several modules are taken in
 * one order everywhere, so that two ceremonies never wait for each other.
 */
export async function underModuleLocks<T>(
  { lockDirectory, limits }: Configuration,
  modules: readonly NativeModuleOptions[],
  work: () => Promise<T>,
): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + limits.connectTimeoutMs;
  const held: NativeLock[] = [];
  try {
    for (const module of await distinct(modules))
      held.push(await loadAddon().acquireModuleLock(module, lockDirectory, deadlineMs));
    return await work();
  } finally {
    for (const lock of held) lock.release();
  }
}

/** A lock is of a library's real path, environment and string. Taken twice, it would wait for itself. */
async function distinct(modules: readonly NativeModuleOptions[]): Promise<NativeModuleOptions[]> {
  const byKey = new Map<string, NativeModuleOptions>();
  for (const module of modules) {
    const path = await realpath(module.libraryPath).catch(() => module.libraryPath);
    const environment = Object.entries(module.environment).sort(([a], [b]) => (a < b ? -1 : 1));
    byKey.set(JSON.stringify([path, environment, module.initializationString]), module);
  }
  return [...byKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, module]) => module);
}

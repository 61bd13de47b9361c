import type { NativeModuleOptions, NativeTokenInfo } from './native.js';
import { loadAddon } from './native.js';

export type { NativeTokenInfo as TokenInfo } from './native.js';

/**
 * Loads a module and describes the tokens in its slots, under the lock that a serving process respects. Never logs in.
 * @param lockDirectory folder of the lock files; created (0700) if it is missing.
 * @throws NativeFailure, or the error of the addon's loader
 */
export async function listTokens(
  module: NativeModuleOptions,
  lockDirectory: string,
  deadlineMs: number,
): Promise<NativeTokenInfo[]> {
  const addon = loadAddon();
  const lock = await addon.acquireModuleLock(module, lockDirectory, deadlineMs);
  try {
    return await addon.listTokens(module, deadlineMs);
  } finally {
    lock.release();
  }
}

import { fileURLToPath } from 'node:url';

/** The file whose `node --import` lets a process run the TypeScript sources directly. */
export const typescriptHooks = fileURLToPath(new URL('../test/contract/typescript-hooks.mjs', import.meta.url));

/** The environment for such a process: the hooks mark the process that they run in; a child must register its own. */
export function withoutHooks(): NodeJS.ProcessEnv {
  return { ...process.env, HOLDFAST_TYPESCRIPT_HOOKS: undefined };
}

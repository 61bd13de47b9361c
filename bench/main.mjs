/** `npm run bench`: lets the TypeScript sources of the bench run as they are. */
import '../test/contract/typescript-hooks.mjs';

await import('./main.ts');

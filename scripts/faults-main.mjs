/** Lets a TypeScript program of test/faults run as it is: `node scripts/faults-main.mjs <program> [arguments]`. */
import '../test/contract/typescript-hooks.mjs';

const [program] = process.argv.splice(2, 1);
await import(`../test/faults/${program}.ts`);

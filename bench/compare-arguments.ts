import { parseArgs } from 'node:util';
import { atLeast, UsageError } from './arguments.js';

/** The options of `npm run bench -- compare`. */
export interface CompareArguments {
  help: boolean;
  /** One JSON document on stdout instead of a table. */
  json: boolean;
  /** Compile the bench's own programs first. */
  build: boolean;
  rounds: number;
  /** Length of one measurement, in seconds. */
  seconds: number;
  /** Requests of each method before each round's measurements: V8 compiles as it runs. */
  warmUpRequests: number;
  lanes: number;
  /** Whether the servers' tokens encrypt at next to no cost. */
  cheapToken: boolean;
  /** The commits as they were given; empty with `help`. */
  commits: readonly string[];
}

export const compareUsage = `Usage: npm run bench -- compare <commit> <commit> [options]

Builds two commits of this repository in temporary folders and measures their servers beside one echo server: interleaved,
in random order, in new processes each round. Prints each figure of both, and the ratio of the second commit's to the
first's with 95 % confidence. The bench itself is the working copy's. Ten rounds take about ten minutes after the builds.

  --rounds <n>   rounds (default 10; with --quick 3)
  --quick        short measurements: shows that it works, and large differences
  --seconds <s>  length of one measurement (default 2; with --quick 0.4)
  --lanes <n>    lanes of the servers' members (default 1)
  --cheap-token  with a token that encrypts at next to no cost, so that the service's own share shows
  --json         print exactly one JSON document on stdout; progress goes to stderr
  --no-build     do not install or compile anything of the working copy first; the commits are always built
  --help         print this
`;

/** @throws UsageError */
export function parseCompareArguments(parameters: readonly string[]): CompareArguments {
  const { values, positionals } = parse(parameters);
  const help = values.help ?? false;
  const quick = values.quick ?? false;
  if (!help && positionals.length !== 2) throw new UsageError('compare takes two commits.');
  return {
    help,
    json: values.json ?? false,
    build: !(values['no-build'] ?? false),
    rounds: atLeast(1, values.rounds, '--rounds', true) ?? (quick ? 3 : 10),
    seconds: atLeast(0.1, values.seconds, '--seconds', false) ?? (quick ? 0.4 : 2),
    warmUpRequests: quick ? 2_000 : 10_000,
    lanes: atLeast(1, values.lanes, '--lanes', true) ?? 1,
    cheapToken: values['cheap-token'] ?? false,
    commits: positionals,
  };
}

function parse(parameters: readonly string[]) {
  try {
    return parseArgs({
      args: [...parameters],
      allowPositionals: true,
      options: {
        help: { type: 'boolean' },
        json: { type: 'boolean' },
        quick: { type: 'boolean' },
        'no-build': { type: 'boolean' },
        'cheap-token': { type: 'boolean' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        lanes: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

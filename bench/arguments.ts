import { parseArgs } from 'node:util';

/** The options of the command line. */
export interface BenchArguments {
  help: boolean;
  /** One JSON document on stdout instead of a table. */
  json: boolean;
  /** About a minute: short runs at fewer levels of load, not stored unless `--store` says so. */
  quick: boolean;
  /** Only ratios, and a failure if one is far too low: for CI. */
  smoke: boolean;
  /** Write JSON and plots to `bench/results`. */
  store: boolean;
  /** Set everything up and compile changed code first. */
  build: boolean;
  rounds: number;
  /** Length of one measurement, in seconds; undefined: the plan's. */
  seconds: number | undefined;
  /** Lanes (threads with a session) of the member, in the addon's scenarios and in the server. */
  lanes: number;
  /** Stored with the result, e.g. that the machine was shared. */
  note: string | undefined;
}

export const usage = `Usage: npm run bench -- [options]
       npm run bench -- compare <commit> <commit> [options]   (compare --help)
       npm run bench -- replication [--json] [--quick] [--no-build]   (several HSMs alone, about three minutes)
       npm run bench -- backup [--json] [--quick] [--no-build]        (archives alone, about five minutes)

Measures, interleaved, a raw PKCS#11 loop, the addon, a bare grpc-js echo server and the real server, and prints medians.

  --json         print exactly one JSON document on stdout; progress goes to stderr
  --quick        take about a minute; not stored unless --store is given
  --smoke        measure only ratios to the echo, and fail if one is about half of what it was: for CI; not stored
  --store        store JSON and plots in bench/results (what a run without --quick does)
  --no-store     do not
  --no-build     do not install or compile anything first
  --rounds <n>   rounds of every measurement, interleaved (default 3; with --quick 2)
  --seconds <s>  length of one measurement (default 4; with --quick 0.4)
  --lanes <n>    lanes of the member (default 1: SoftHSM is slower with more)
  --note <text>  a remark on the run, stored with it
  --help         print this
`;

/** An invalid command line. */
export class UsageError extends Error {}

/** @throws UsageError */
export function parseBenchArguments(parameters: readonly string[]): BenchArguments {
  const values = parse(parameters);
  const quick = values.quick ?? false;
  const smoke = values.smoke ?? false;
  return {
    help: values.help ?? false,
    json: values.json ?? false,
    quick,
    smoke,
    store: (values.store ?? !quick) && !smoke && !(values['no-store'] ?? false),
    build: !(values['no-build'] ?? false),
    rounds: atLeast(1, values.rounds, '--rounds', true) ?? (quick ? 2 : 3),
    seconds: atLeast(0.1, values.seconds, '--seconds', false),
    lanes: atLeast(1, values.lanes, '--lanes', true) ?? 1,
    note: values.note,
  };
}

function parse(parameters: readonly string[]) {
  try {
    return parseArgs({
      args: [...parameters],
      options: {
        help: { type: 'boolean' },
        json: { type: 'boolean' },
        quick: { type: 'boolean' },
        smoke: { type: 'boolean' },
        store: { type: 'boolean' },
        'no-store': { type: 'boolean' },
        'no-build': { type: 'boolean' },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        lanes: { type: 'string' },
        note: { type: 'string' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** An option's number. @throws UsageError */
export function atLeast(
  minimum: number,
  given: string | undefined,
  option: string,
  whole: boolean,
): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (given.trim() !== '' && value >= minimum && Number.isFinite(value) && (!whole || Number.isInteger(value))) {
    return value;
  }
  throw new UsageError(`${option} takes a ${whole ? 'whole number' : 'number'} of at least ${minimum}.`);
}

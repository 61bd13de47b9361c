/** Parses the output of `perf script -F comm,pid,tid,time,ip,sym,dso` as stacks of named frames. */
import { addStack, type FlameFrame, type NamedFrame, newFlameFrame } from './flame-graph.js';
import type { ProfileRow } from './profile.js';

/** A thread that was running when perf sampled it. */
export interface PerfSample {
  thread: string;
  timeSeconds: number;
  /** Frames, callers before their callees. */
  frames: readonly NamedFrame[];
}

export interface PerfSummary {
  threads: ProfileRow[];
  /** Shares by the owner of the running code. */
  owners: ProfileRow[];
  /** Shares by the owner of the calling code: time in the kernel and in libraries counts for their caller. */
  callers: ProfileRow[];
}

/** The thread that works on the token (`native/src/threads.h`). */
const laneThread = 'hf-lane';
const header = /^(\S.*?)\s+(\d+)\/(\d+)\s+(\d+\.\d+):/;
const frameLine = /^\s+[0-9a-f]+ (.*) \((.*)\)$/;
/** The owners that a stack counts for; the others work for them. */
const asking = ['SoftHSM', 'holdfast/addon', 'node and V8'];
const ownersByFile: readonly (readonly [RegExp, string])[] = [
  [/^\[(?!unknown|heap|stack|vdso|anon)/, 'kernel'],
  [/libsofthsm2\.so/, 'SoftHSM'],
  [/libcrypto\.so/, 'libcrypto'],
  [/holdfast\.node$/, 'holdfast/addon'],
  [/\/(libc|libstdc\+\+|libm|libgcc_s|ld-linux)[-.][^/]*$|^\[vdso\]$/, 'libc'],
];

/** Reads the samples of one process. Frames whose file perf does not know are left out. */
export function readPerfScript(output: string): PerfSample[] {
  return output.split('\n\n').flatMap((block) => {
    const [first = '', ...lines] = block.replace(/^\n+/, '').split('\n');
    const [, thread = '', pid, tid, seconds] = header.exec(first) ?? [];
    if (seconds === undefined) return [];
    const frames = whole(lines.flatMap((line) => frameOf(line)).toReversed());
    return [{ thread: threadName(thread, pid === tid), timeSeconds: Number(seconds), frames }];
  });
}

/**
 * The samples of the load: those in the `seconds` before the lane's last one. Before them the process starts and warms
 * up.
 */
export function ofTheLoad(samples: readonly PerfSample[], seconds: number): PerfSample[] {
  const end = samples.findLast(({ thread }) => thread === laneThread)?.timeSeconds ?? 0;
  return samples.filter(({ timeSeconds }) => timeSeconds > end - seconds && timeSeconds <= end);
}

/** Folds samples into a tree, one unit of weight each. The threads are at the bottom. */
export function foldStacks(samples: readonly PerfSample[]): FlameFrame {
  const root = newFlameFrame('', '');
  for (const { thread, frames } of samples) addStack(root, [{ name: thread, owner: 'thread' }, ...frames], 1);
  return root;
}

export function summariseSamples(samples: readonly PerfSample[]): PerfSummary {
  const innermost = ({ frames }: PerfSample, of: (owner: string) => boolean): string =>
    frames.findLast(({ owner }) => of(owner))?.owner ?? 'unknown';
  return {
    threads: shares(samples.map(({ thread }) => thread)),
    owners: shares(samples.map((sample) => innermost(sample, () => true))),
    callers: shares(samples.map((sample) => innermost(sample, (owner) => asking.includes(owner)))),
  };
}

/**
 * A map of compiled functions (`--perf-basic-prof`: start and length, hexadecimal, and name) without those whose place
 * V8 has reused since: perf might take either name.
 */
export function lastNames(map: string): string {
  const functions = map.split('\n').flatMap((line, order) => {
    const [start = Number.NaN, length = 0] = line.split(' ', 2).map((number) => Number.parseInt(number, 16));
    return Number.isNaN(start) ? [] : [{ line, order, start, end: start + length }];
  });
  const kept: typeof functions = [];
  for (const next of functions.toSorted((left, right) => left.start - right.start || left.order - right.order)) {
    while ((kept.at(-1)?.end ?? 0) > next.start && (kept.at(-1)?.order ?? 0) < next.order) kept.pop();
    if ((kept.at(-1)?.end ?? 0) <= next.start) kept.push(next);
  }
  return kept.map(({ line }) => `${line}\n`).join('');
}

function shares(names: readonly string[]): ProfileRow[] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([name, count]) => ({ name, share: count / names.length }))
    .toSorted((left, right) => right.share - left.share);
}

function threadName(name: string, isMain: boolean): string {
  if (name.startsWith('hf-')) return name;
  return isMain ? 'main thread' : "V8's helpers";
}

function frameOf(line: string): NamedFrame[] {
  const [, symbol = '', file = '[unknown]'] = frameLine.exec(line) ?? [];
  const owner = ownersByFile.find(([pattern]) => pattern.test(file))?.[1] ?? 'node and V8';
  if (symbol !== '[unknown]') return [{ name: readable(symbol), owner }];
  return file.startsWith('/') && file !== '//anon' ? [{ name: `(${fileName(file)})`, owner }] : [];
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/**
 * Unnamed functions of one library are one frame as long as they call each other. The main thread's stacks begin where
 * the event loop waits: unwinding does not always get further, and the rest is the same for all.
 */
function whole(frames: readonly NamedFrame[]): NamedFrame[] {
  const loop = frames.findLastIndex(({ name }) => name === 'uv__io_poll');
  const inside = frames.slice(Math.max(loop, 0));
  return inside.filter(({ name }, index) => !name.startsWith('(') || name !== inside[index - 1]?.name);
}

/** A name without versions, template arguments, unnamed namespaces, V8's marks of the compilation tier, and folders. */
function readable(symbol: string): string {
  const script = /^(?:JS|Script|Function|LazyCompile|Eval):[~^*+]*(\S*) (\S+?):(\d+):\d+$/.exec(symbol);
  if (script !== null) {
    const [, name = '', url = '', line = ''] = script;
    return `${name === '' ? '(anonymous)' : name} ${url.split('/').slice(-2).join('/')}:${line}`;
  }
  let name = symbol.replace(/^__GI_|@@?[A-Z].*$/g, '').replaceAll('(anonymous namespace)::', '');
  for (let before = ''; before !== name; ) {
    before = name;
    name = name.replaceAll(/<[^<>]*>/g, '');
  }
  return name;
}

import { readdirSync, readFileSync } from 'node:fs';

/** What a thread of a Node process with the addon does; `other`: the addon's watchdog and control threads, and the rest. */
export const threadKinds = ['eventLoop', 'lanes', 'libuv', 'v8', 'other'] as const;
export type ThreadKind = (typeof threadKinds)[number];

/** A figure by what the threads do. */
export type ByThread = Record<ThreadKind, number>;

/** What the threads of a process used. */
export interface ThreadUse {
  /** CPU time, user and system, in microseconds. */
  cpuMicros: ByThread;
  /** How often a thread went to sleep. Somebody has to wake it each time. */
  sleeps: ByThread;
}

/** A thread of a process. */
export interface ThreadTime {
  threadId: number;
  /** At most 15 bytes (proc(5), `/proc/<pid>/task/<tid>/comm`). */
  name: string;
  /** Time on a CPU so far (the kernel's sched-stats documentation, `/proc/<pid>/schedstat`). */
  nanoseconds: number;
  /** How often it has gone to sleep so far (proc(5), `voluntary_ctxt_switches` of `/proc/<pid>/task/<tid>/status`). */
  sleeps: number;
}

/**
 * The threads that V8's platform (one for delayed tasks, four workers) and Node (one for the inspector's signal) start
 * before anything else. Node 20 names no thread; later versions name them.
 */
const unnamedOfV8 = 6;

const kindByName: readonly [RegExp, ThreadKind][] = [
  [/^hf-lane/, 'lanes'],
  [/^hf-/, 'other'],
  [/^libuv-worker/, 'libuv'],
  [/^(V8Worker|DelayedTaskSche|SignalInspector)/, 'v8'],
];

/** What the threads of a process use while `work` runs. */
export async function withThreadUse<T>(pid: number, work: () => Promise<T>): Promise<{ result: T; use: ThreadUse }> {
  const before = threadsOf(pid);
  const result = await work();
  return { result, use: useBetween(pid, before, threadsOf(pid)) };
}

/** The threads of a process, in the order of their start. */
export function threadsOf(pid: number): ThreadTime[] {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder)
    .map(Number)
    .toSorted((left, right) => left - right)
    .flatMap((threadId) => readThread(`${folder}/${threadId}`, threadId) ?? []);
}

/** Undefined if the thread has ended meanwhile. */
function readThread(folder: string, threadId: number): ThreadTime | undefined {
  try {
    const [nanoseconds] = readFileSync(`${folder}/schedstat`, 'utf8').split(' ').map(Number);
    const sleeps = /^voluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`${folder}/status`, 'utf8'))?.[1];
    const name = readFileSync(`${folder}/comm`, 'utf8').trim();
    return { threadId, name, nanoseconds: nanoseconds ?? 0, sleeps: Number(sleeps) };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Of the threads that are there at the end. Those that ended in between are missing; lanes and pools last. */
export function useBetween(pid: number, before: readonly ThreadTime[], after: readonly ThreadTime[]): ThreadUse {
  const earlier = new Map(before.map((thread) => [thread.threadId, thread]));
  const use: ThreadUse = { cpuMicros: noUse(), sleeps: noUse() };
  for (const [kind, { threadId, nanoseconds, sleeps }] of withKinds(pid, after)) {
    use.cpuMicros[kind] += (nanoseconds - (earlier.get(threadId)?.nanoseconds ?? 0)) / 1000;
    use.sleeps[kind] += sleeps - (earlier.get(threadId)?.sleeps ?? 0);
  }
  return use;
}

const noUse = (): ByThread => ({ eventLoop: 0, lanes: 0, libuv: 0, v8: 0, other: 0 });

/** The same use as the fields of a measurement, divided by the number of operations. */
export function perOperation({ cpuMicros, sleeps }: ThreadUse, operations: number) {
  const divided = (figure: ByThread) =>
    Object.fromEntries(threadKinds.map((kind) => [kind, figure[kind] / operations])) as ByThread;
  return {
    cpuMicrosPerRequest: threadKinds.reduce((sum, kind) => sum + cpuMicros[kind], 0) / operations,
    cpuMicrosByThread: divided(cpuMicros),
    sleepsByThread: divided(sleeps),
  };
}

/** A thread without a name of its own has that of its process: V8's come first, then libuv's pool. */
function withKinds(pid: number, threads: readonly ThreadTime[]): [ThreadKind, ThreadTime][] {
  let unnamed = 0;
  const processName = threads.find(({ threadId }) => threadId === pid)?.name;
  return threads.map((thread) => {
    if (thread.threadId === pid) return ['eventLoop', thread];
    const named = kindByName.find(([pattern]) => pattern.test(thread.name))?.[1];
    if (named !== undefined) return [named, thread];
    if (thread.name !== processName) return ['other', thread];
    unnamed += 1;
    return [unnamed <= unnamedOfV8 ? 'v8' : 'libuv', thread];
  });
}

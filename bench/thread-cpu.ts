import { readdirSync, readFileSync } from 'node:fs';

/** What a thread of a Node process with the addon does; `other`: the addon's watchdog and control threads, and the rest. */
export const threadKinds = ['eventLoop', 'lanes', 'libuv', 'v8', 'other'] as const;
export type ThreadKind = (typeof threadKinds)[number];

/** CPU time, user and system, by what the threads do, in microseconds. */
export type ThreadCpu = Record<ThreadKind, number>;

/** A thread of a process. */
export interface ThreadTime {
  threadId: number;
  /** At most 15 bytes (proc(5), `/proc/<pid>/task/<tid>/comm`). */
  name: string;
  /** Time on a CPU so far (the kernel's sched-stats documentation, `/proc/<pid>/schedstat`). */
  nanoseconds: number;
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

/** CPU time that `work` makes the threads of a process use. */
export async function withThreadCpu<T>(pid: number, work: () => Promise<T>): Promise<{ result: T; cpu: ThreadCpu }> {
  const before = threadsOf(pid);
  const result = await work();
  return { result, cpu: cpuBetween(pid, before, threadsOf(pid)) };
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
    return { threadId, name: readFileSync(`${folder}/comm`, 'utf8').trim(), nanoseconds: nanoseconds ?? 0 };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** CPU time of the threads that are there at the end. Those that ended in between are missing; lanes and pools last. */
export function cpuBetween(pid: number, before: readonly ThreadTime[], after: readonly ThreadTime[]): ThreadCpu {
  const earlier = new Map(before.map(({ threadId, nanoseconds }) => [threadId, nanoseconds]));
  const cpu: ThreadCpu = { eventLoop: 0, lanes: 0, libuv: 0, v8: 0, other: 0 };
  for (const [kind, { threadId, nanoseconds }] of withKinds(pid, after)) {
    cpu[kind] += (nanoseconds - (earlier.get(threadId) ?? 0)) / 1000;
  }
  return cpu;
}

export function totalOf(cpu: ThreadCpu): number {
  return threadKinds.reduce((sum, kind) => sum + cpu[kind], 0);
}

/** CPU time divided by the number of operations. */
export function perOperation(cpu: ThreadCpu, operations: number): ThreadCpu {
  return Object.fromEntries(threadKinds.map((kind) => [kind, cpu[kind] / operations])) as ThreadCpu;
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

/** The functions that a CPU profile (`Profiler.stop` of the inspector protocol) spent its time in. */
export interface CpuProfile {
  nodes: ProfileNode[];
  samples: number[];
  timeDeltas: number[];
}

export interface ProfileNode {
  id: number;
  callFrame: { functionName: string; url: string; lineNumber: number };
  children?: number[];
}

/** A row of the table. Shares are of the time in which the thread was busy. */
export interface ProfileRow {
  name: string;
  share: number;
}

export interface ProfileSummary {
  /** Share of the time in which the thread was idle. */
  idleShare: number;
  functions: ProfileRow[];
  /** Self time by the owner of the code: our folders, packages, Node, native code. */
  owners: ProfileRow[];
}

const idle = ['(idle)', '(program)'];

/** Self time by function and by owner. */
export function summariseProfile(profile: CpuProfile): ProfileSummary {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const functions = new Map<string, number>();
  const owners = new Map<string, number>();
  let [busyMicros, allMicros] = [0, 0];
  for (const [index, id] of profile.samples.entries()) {
    const node = nodes.get(id);
    const micros = profile.timeDeltas[index] ?? 0;
    allMicros += micros;
    if (node === undefined || idle.includes(node.callFrame.functionName)) continue;
    busyMicros += micros;
    add(functions, frameName(node), micros);
    add(owners, frameOwner(node), micros);
  }
  const rows = (totals: Map<string, number>) =>
    [...totals]
      .map(([name, micros]) => ({ name, share: micros / busyMicros }))
      .toSorted((left, right) => right.share - left.share);
  return { idleShare: 1 - busyMicros / allMicros, functions: rows(functions), owners: rows(owners) };
}

function add(totals: Map<string, number>, name: string, micros: number): void {
  totals.set(name, (totals.get(name) ?? 0) + micros);
}

/** A function's name, the end of its file's path, its line. */
export function frameName({ callFrame }: ProfileNode): string {
  const place = callFrame.url.split('/').slice(-2).join('/');
  const name = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName;
  return place === '' ? name : `${name} ${place}:${callFrame.lineNumber + 1}`;
}

/** `holdfast/dispatch`, `@grpc/grpc-js`, `node`, or `native` for V8's own and the addon's functions. */
export function frameOwner({ callFrame }: ProfileNode): string {
  const { url, functionName } = callFrame;
  const dependency = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  if (dependency !== undefined) return dependency;
  const area = /\/dist\/((?:faces\/)?[^/]+)/.exec(url)?.[1];
  if (area !== undefined) return `holdfast/${area.replace('.js', '')}`;
  if (url.startsWith('node:')) return 'node';
  return functionName === '(garbage collector)' ? functionName : 'native';
}

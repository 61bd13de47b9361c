import { type CpuProfile, frameName, frameOwner } from './profile.js';

interface Frame {
  name: string;
  owner: string;
  micros: number;
  children: Map<string, Frame>;
}

const widthPx = 1200;
const rowPx = 16;
/** Frames with a smaller share of the busy time are not drawn. */
const leastShare = 0.002;
/** About how wide a letter is. */
const letterPx = 6.2;
const waiting = ['(idle)', '(program)'];
const colours: readonly (readonly [string, string])[] = [
  ['holdfast/', '#e8833a'],
  ['@grpc/', '#5b8dd6'],
  ['node', '#7fb069'],
  ['(garbage', '#b04a5a'],
  ['native', '#a8a8a8'],
];

/** A flame graph (SVG) of the busy time of a CPU profile: callers below what they call, widths are shares of CPU time. */
export function flameGraph(profile: CpuProfile, title: string): string {
  const root = frameTree(profile);
  const rows: string[] = [];
  const depth = drawChildren(root, root.micros, { x: 0, level: 0 }, rows);
  const heightPx = (depth + 2) * rowPx;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widthPx} ${heightPx}" font-family="sans-serif" font-size="11">`,
    `<rect width="${widthPx}" height="${heightPx}" fill="white"/><text x="4" y="12">${escaped(title)}</text>`,
    `<g transform="translate(0 ${heightPx}) scale(1 -1)">${rows.join('\n')}</g>`,
    '</svg>\n',
  ].join('\n');
}

function frameTree(profile: CpuProfile): Frame {
  const parents = new Map<number, number>();
  for (const { id, children = [] } of profile.nodes) for (const child of children) parents.set(child, id);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const root: Frame = { name: '', owner: '', micros: 0, children: new Map() };
  for (const [index, sample] of profile.samples.entries()) {
    const stack = [];
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) stack.unshift(nodes.get(id));
    if (waiting.includes(stack.at(-1)?.callFrame.functionName ?? '(idle)')) continue;
    let frame = root;
    const micros = profile.timeDeltas[index] ?? 0;
    frame.micros += micros;
    for (const node of stack) {
      if (node === undefined || node.callFrame.functionName === '(root)') continue;
      frame = childOf(frame, frameName(node), frameOwner(node));
      frame.micros += micros;
    }
  }
  return root;
}

function childOf(frame: Frame, name: string, owner: string): Frame {
  const child = frame.children.get(name) ?? { name, owner, micros: 0, children: new Map<string, Frame>() };
  frame.children.set(name, child);
  return child;
}

/** @returns how many rows are in use. */
function drawChildren(frame: Frame, all: number, at: { x: number; level: number }, rows: string[]): number {
  let { x } = at;
  let depth = at.level;
  for (const child of [...frame.children.values()].toSorted((left, right) => right.micros - left.micros)) {
    const share = child.micros / all;
    if (share < leastShare) break;
    const width = share * widthPx;
    rows.push(rectangle(child, share, { x, y: at.level * rowPx, width }));
    depth = Math.max(depth, drawChildren(child, all, { x, level: at.level + 1 }, rows));
    x += width;
  }
  return Math.max(depth, at.level);
}

function rectangle({ name, owner }: Frame, share: number, { x, y, width }: { x: number; y: number; width: number }) {
  const fill = colours.find(([prefix]) => owner.startsWith(prefix))?.[1] ?? '#d9c36a';
  const letters = Math.floor((width - 4) / letterPx);
  const label = letters < 3 ? '' : escaped(name.length > letters ? `${name.slice(0, letters - 1)}…` : name);
  const text = `<text transform="translate(${(x + 2).toFixed(1)} ${y + 4}) scale(1 -1)">${label}</text>`;
  return (
    `<g><title>${escaped(name)}: ${(share * 100).toFixed(1)} %</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${rowPx - 1}" fill="${fill}"/>${label === '' ? '' : text}</g>`
  );
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

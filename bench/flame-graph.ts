import { type CpuProfile, frameName, frameOwner } from './profile.js';

export interface NamedFrame {
  name: string;
  /** The owner of the code; decides the colour. */
  owner: string;
}

/** A function, as called along one path, and the functions that it called. */
export interface FlameFrame extends NamedFrame {
  /** How much of the time it was running, or waited for functions that it called; in any unit. */
  weight: number;
  children: Map<string, FlameFrame>;
}

const widthPx = 1200;
const rowPx = 16;
/** Frames with a smaller share of the busy time are not drawn. */
const minShare = 0.002;
/** The approximate width of a letter. */
const letterPx = 6.2;
const waiting = ['(idle)', '(program)'];
const colours: readonly (readonly [string, string])[] = [
  ['holdfast/', '#e8833a'],
  ['@grpc/', '#5b8dd6'],
  ['node', '#7fb069'],
  ['(garbage', '#b04a5a'],
  ['native', '#a8a8a8'],
  ['SoftHSM', '#9c7ac7'],
  ['libcrypto', '#4fa8a0'],
  ['kernel', '#a8a8a8'],
  ['thread', '#e3e3e3'],
];
const otherColour = '#d9c36a';
const legendPx = 110;

/** A flame graph (SVG) of the busy time of a CPU profile. */
export function flameGraph(profile: CpuProfile, title: string): string {
  return drawFlameGraph(frameTree(profile), title);
}

/**
 * A flame graph (SVG): callers below their callees, widths are shares of CPU time.
 * @param owners whose colours the legend beside the title explains
 */
export function drawFlameGraph(root: FlameFrame, title: string, owners: readonly string[] = []): string {
  const rows: string[] = [];
  const depth = drawChildren(root, root.weight, { x: 0, level: 0 }, rows);
  const heightPx = (depth + 2) * rowPx;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${widthPx} ${heightPx}" font-family="sans-serif" font-size="11">`,
    `<rect width="${widthPx}" height="${heightPx}" fill="white"/><text x="4" y="12">${escaped(title)}</text>`,
    ...owners.map((owner, index) => legend(owner, widthPx - (owners.length - index) * legendPx)),
    `<g transform="translate(0 ${heightPx}) scale(1 -1)">${rows.join('\n')}</g>`,
    '</svg>\n',
  ].join('\n');
}

function frameTree(profile: CpuProfile): FlameFrame {
  const parents = new Map<number, number>();
  for (const { id, children = [] } of profile.nodes) for (const child of children) parents.set(child, id);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const root = newFlameFrame('', '');
  for (const [index, sample] of profile.samples.entries()) {
    const stack = [];
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) stack.unshift(nodes.get(id));
    if (waiting.includes(stack.at(-1)?.callFrame.functionName ?? '(idle)')) continue;
    const frames = stack.flatMap((node) =>
      node === undefined || node.callFrame.functionName === '(root)'
        ? []
        : [{ name: frameName(node), owner: frameOwner(node) }],
    );
    addStack(root, frames, profile.timeDeltas[index] ?? 0);
  }
  return root;
}

export function newFlameFrame(name: string, owner: string): FlameFrame {
  return { name, owner, weight: 0, children: new Map() };
}

/** Adds one sample, callers first, to the tree. */
export function addStack(root: FlameFrame, stack: readonly NamedFrame[], weight: number): void {
  let frame = root;
  frame.weight += weight;
  for (const { name, owner } of stack) {
    const child = frame.children.get(name) ?? newFlameFrame(name, owner);
    frame.children.set(name, child);
    child.weight += weight;
    frame = child;
  }
}

/** @returns the number of rows in use. */
function drawChildren(frame: FlameFrame, all: number, at: { x: number; level: number }, rows: string[]): number {
  let { x } = at;
  let depth = at.level;
  for (const child of [...frame.children.values()].toSorted((left, right) => right.weight - left.weight)) {
    const share = child.weight / all;
    if (share < minShare) break;
    const width = share * widthPx;
    rows.push(rectangle(child, share, { x, y: at.level * rowPx, width }));
    depth = Math.max(depth, drawChildren(child, all, { x, level: at.level + 1 }, rows));
    x += width;
  }
  return Math.max(depth, at.level);
}

function rectangle(
  { name, owner }: NamedFrame,
  share: number,
  { x, y, width }: { x: number; y: number; width: number },
) {
  const fill = colourOf(owner);
  const letters = Math.floor((width - 4) / letterPx);
  const label = letters < 3 ? '' : escaped(name.length > letters ? `${name.slice(0, letters - 1)}…` : name);
  const text = `<text transform="translate(${(x + 2).toFixed(1)} ${y + 4}) scale(1 -1)">${label}</text>`;
  return (
    `<g><title>${escaped(name)}: ${(share * 100).toFixed(1)} %</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${rowPx - 1}" fill="${fill}"/>${label === '' ? '' : text}</g>`
  );
}

function colourOf(owner: string): string {
  return colours.find(([prefix]) => owner.startsWith(prefix))?.[1] ?? otherColour;
}

function legend(owner: string, x: number): string {
  return `<rect x="${x}" y="3" width="10" height="10" fill="${colourOf(owner)}"/><text x="${x + 14}" y="12">${escaped(owner)}</text>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

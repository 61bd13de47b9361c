/** The Mermaid drawings of a page, in the part of its language that our pages use. */
import { readFileSync } from 'node:fs';

/** An arrow of a drawing. `[*]` is the beginning or the end. */
export interface Edge {
  from: string;
  to: string;
  label: string;
}

/** A drawing, fully parsed. */
export interface Drawing {
  kind: 'stateDiagram-v2' | 'sequenceDiagram' | 'flowchart';
  edges: Edge[];
}

/** @throws for a block that is not one of the three kinds, or has a line that is not understood */
export function drawingsOf(path: string): Drawing[] {
  return [...readFileSync(path, 'utf8').matchAll(/^```mermaid\n([\s\S]*?)^```$/gm)].map(([, block = '']) =>
    drawing(block),
  );
}

function drawing(block: string): Drawing {
  const [first = '', ...rest] = block.trimEnd().split('\n');
  const lines = rest.map((line) => line.trim()).filter((line) => line !== '');
  // Mermaid reads `;` as the end of a statement and `#` as the beginning of an entity.
  const separated = lines.find((line) => /[;#]/.test(line));
  if (separated !== undefined) throw new Error(`"${separated}" has a character that Mermaid does not take for text.`);
  if (first === 'stateDiagram-v2') return { kind: first, edges: stateEdges(lines) };
  if (first === 'sequenceDiagram') return { kind: first, edges: sequenceEdges(lines) };
  if (/^flowchart (TD|LR)$/.test(first)) return { kind: 'flowchart', edges: flowEdges(lines) };
  throw new Error(`"${first}" begins no drawing that is known here.`);
}

function stateEdges(lines: readonly string[]): Edge[] {
  const names = new Map<string, string>();
  const edges: Edge[] = [];
  for (const line of lines) {
    const alias = /^state "([^"]+)" as (\w+)$/.exec(line);
    const arrow = /^(\[\*\]|\w+) --> (\[\*\]|\w+)(?:: (.+))?$/.exec(line);
    if (alias?.[1] !== undefined && alias[2] !== undefined) names.set(alias[2], alias[1]);
    else if (arrow?.[1] !== undefined && arrow[2] !== undefined) {
      const [, from, to, label = ''] = arrow;
      edges.push({ from: names.get(from) ?? from, to: names.get(to) ?? to, label });
    } else throw new Error(`"${line}" is no line of a state diagram.`);
  }
  return edges;
}

function sequenceEdges(lines: readonly string[]): Edge[] {
  const participants = new Set<string>();
  const edges: Edge[] = [];
  let depth = 0;
  for (const line of lines) {
    const participant = /^participant (\w+)(?: as .+)?$/.exec(line)?.[1];
    const arrow = /^(\w+)--?>>(\w+): (.+)$/.exec(line);
    const note = /^Note over (\w+)(?:,(\w+))?: .+$/.exec(line);
    if (participant !== undefined) participants.add(participant);
    else if (/^(alt|opt|loop) .+$/.test(line)) depth += 1;
    else if (line === 'end' && depth > 0) depth -= 1;
    else if (arrow?.[1] !== undefined && arrow[2] !== undefined) {
      edges.push({ from: arrow[1], to: arrow[2], label: arrow[3] ?? '' });
    } else if (note === null && !(depth > 0 && /^else .+$/.test(line))) {
      throw new Error(`"${line}" is no line of a sequence diagram.`);
    }
    for (const name of [arrow?.[1], arrow?.[2], note?.[1], note?.[2]]) {
      if (name !== undefined && !participants.has(name)) throw new Error(`"${line}" names no participant.`);
    }
  }
  if (depth !== 0) throw new Error('A block of a sequence diagram has no end.');
  return edges;
}

function flowEdges(lines: readonly string[]): Edge[] {
  const declared = new Map<string, string>();
  const edges: Edge[] = [];
  const node = /(\w+)(\[[^[\]{}|]+\]|\{[^[\]{}|]+\}|\([^()|]+\))?/.source;
  const arrow = new RegExp(`^${node} -->(?:\\|([^|]+)\\|)? ${node}$`);
  for (const line of lines) {
    const [, from, fromText, label = '', to, toText] = arrow.exec(line) ?? [];
    if (from === undefined || to === undefined) throw new Error(`"${line}" is no line of a flowchart.`);
    for (const [name, text] of [
      [from, fromText],
      [to, toText],
    ] as const) {
      if (text !== undefined && declared.has(name)) throw new Error(`"${name}" is declared twice.`);
      if (text !== undefined) declared.set(name, text);
      if (!declared.has(name)) throw new Error(`"${name}" has no text where it is met first.`);
    }
    edges.push({ from, to, label });
  }
  return edges;
}

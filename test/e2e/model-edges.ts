/** Values at and beyond the limits of a shape of the AWS KMS API model. */
import type { ModelShape } from '../kms-model.js';
import type { Message } from './client.js';

/** One value for a field: the limits say whether it is allowed. */
export interface Edge {
  /** The name in reports: `length 257`. */
  what: string;
  value: unknown;
  /** Within the limits. */
  inside: boolean;
  /** The path in a violation, in the proto's names. */
  field: string;
}

/** `CustomKeyStoreName` → `custom_key_store_name`. */
export function fieldOf(member: string): string {
  return member.replaceAll(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

interface TextPattern {
  /** A text of this length that matches, if one can; otherwise one that does not. */
  make(length: number): string;
  /** Characters that no text may end in. */
  wrong: string[];
}

const filled = (prefix: string, filler: string) => (length: number) =>
  `${prefix}${filler.repeat(Math.max(0, length - prefix.length))}`.slice(0, length);

const anyText: TextPattern = { make: filled('', 'x'), wrong: [] };

function xksPath(length: number): string {
  if (length < 13) return '/kms/xks/v12'.slice(0, length);
  return `/${'a'.repeat(length - 12)}/kms/xks/v1`;
}

/** How to make texts for each pattern of the model; an unlisted pattern fails. */
const patterns: Record<string, TextPattern> = {
  'cluster-[2-7a-zA-Z]{11,16}': { make: filled('cluster-', 'a'), wrong: ['1', '8', '-', '\n'] },
  '^https://[a-zA-Z0-9.-]+$': { make: filled('https://', 'a'), wrong: ['_', ':', '/', '\n'] },
  '^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$': { make: xksPath, wrong: ['a', ' ', '\n'] },
  '^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$': {
    make: filled('com.amazonaws.vpce.eu-central-1.vpce-svc-', 'a'),
    wrong: ['A', '_', '\n'],
  },
  '[0-9]{12}': { make: filled('', '1'), wrong: ['a', '\u0661', '\n'] },
  '^[A-Z2-7]+$': { make: filled('', 'A'), wrong: ['a', '1', '\n'] },
  '^[a-zA-Z0-9\\/+=]+$': { make: filled('', 'a'), wrong: ['-', '_', '\n'] },
  '^[a-zA-Z0-9:/_-]+$': { make: filled('alias/', 'a'), wrong: [' ', '.', 'ä', '\n'] },
  '^[a-zA-Z0-9-_.]+$': { make: filled('', 'a'), wrong: ['/', ':', '\n'] },
  '[\\u0020-\\u00FF]*': { make: filled('', '~'), wrong: ['\n', '\u0000', '\u0100', '\u{1F512}'] },
  '[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+': { make: filled('', '{'), wrong: ['\u0000', '\u0008', '\u0100'] },
};

/** Edges of a field. @param field its path in the proto's names. */
export function edgesOf(shape: ModelShape, field: string): Edge[] {
  if (shape.enum !== undefined) return choiceEdges(shape.enum, field);
  switch (shape.type) {
    case 'string':
      return textEdges(shape, field);
    case 'blob':
      return lengthEdges(shape, field, (length) => Buffer.alloc(length, 1));
    case 'integer':
      return integerEdges(shape, field);
    case 'boolean':
      return [false, true].map((value) => ({ what: String(value), value, inside: true, field }));
    case 'list':
      return listEdges(shape, field);
    case 'structure':
      return structureEdges(shape, field);
    case 'map':
      return [{ what: 'a pair', value: { name: 'value' }, inside: true, field }];
    default:
      throw new Error(`No edges for the type ${shape.type} of ${field}.`);
  }
}

/** The proto numbers the values of an enum in the model's order; `proto-model.test.ts` checks that. */
function choiceEdges(values: readonly string[], field: string): Edge[] {
  const known = values.map((name, index) => ({ what: name, value: index + 1, inside: true, field }));
  const unknown = [values.length + 1, 9999, -1].map((value) => ({
    what: `number ${value}`,
    value,
    inside: false,
    field,
  }));
  return [...known, ...unknown];
}

function textEdges(shape: ModelShape, field: string): Edge[] {
  const pattern = shape.pattern === undefined ? anyText : patterns[shape.pattern];
  if (pattern === undefined) throw new Error(`No text for the pattern ${shape.pattern ?? ''} of ${field}.`);
  const longest = shape.max ?? 0;
  const lengths = lengthEdges(shape, field, (length) => pattern.make(length)).map((edge) => ({
    ...edge,
    // Some patterns cannot match at the minimum length in the model.
    inside: edge.inside && matches(edge.value as string, shape.pattern),
  }));
  const wrong = pattern.wrong.map((character) => ({
    what: `ends in ${JSON.stringify(character)}`,
    value: pattern.make(longest - 1) + character,
    inside: false,
    field,
  }));
  const astral = {
    what: 'characters outside the basic plane',
    value: '\u{1F511}'.repeat(longest),
    inside: true,
    field,
  };
  return [...lengths, ...wrong, ...(shape.pattern === undefined && longest > 0 ? [astral] : [])];
}

function matches(text: string, pattern: string | undefined): boolean {
  return pattern === undefined || new RegExp(`^(?:${pattern})$`, 'u').test(text);
}

function lengthEdges(shape: ModelShape, field: string, make: (length: number) => unknown): Edge[] {
  const { min, max } = shape;
  const lengths = new Map<number, boolean>();
  if (min !== undefined) lengths.set(min, true);
  if (max !== undefined) lengths.set(max, true).set(max + 1, false);
  if (min !== undefined && min > 0) lengths.set(min - 1, false);
  if (lengths.size === 0) lengths.set(1, true);
  return [...lengths].map(([length, inside]) => ({ what: `length ${length}`, value: make(length), inside, field }));
}

function integerEdges({ min = 0, max = 0 }: ModelShape, field: string): Edge[] {
  const outside = [min - 1, max + 1, -1, -2_147_483_648, 2_147_483_647];
  return [
    ...[min, max].map((value) => ({ what: String(value), value, inside: true, field })),
    ...outside.map((value) => ({ what: String(value), value, inside: false, field })),
  ];
}

function listEdges(shape: ModelShape, field: string): Edge[] {
  const { member } = shape;
  if (member === undefined) throw new Error(`The list ${field} has no member.`);
  const element = sampleOf(member);
  const repeat = (length: number) => Array.from({ length }, () => element);
  const elements = edgesOf(member, `${field}[0]`).map((edge) => ({ ...edge, value: [edge.value] }));
  // An empty list is an absent one on the wire.
  const lengths = lengthEdges(shape, field, repeat).filter(
    ({ value }) => (value as unknown[]).length > 0 || shape.min === 0,
  );
  return [...lengths, ...elements];
}

function structureEdges(shape: ModelShape, field: string): Edge[] {
  const whole = sampleOf(shape) as Message;
  const members = Object.entries(shape.members ?? {}).flatMap(([name, member]) =>
    edgesOf(member, `${field}.${fieldOf(name)}`).map((edge) => ({
      ...edge,
      what: `${name} ${edge.what}`,
      value: { ...whole, [fieldOf(name)]: edge.value },
    })),
  );
  const missing = (shape.required ?? []).map((name) => ({
    what: `without ${name}`,
    value: { ...whole, [fieldOf(name)]: undefined },
    inside: false,
    field: `${field}.${fieldOf(name)}`,
  }));
  return [...members, ...missing];
}

/** A value that the limits allow. */
export function sampleOf(shape: ModelShape): unknown {
  if (shape.type === 'structure') {
    const members = Object.entries(shape.members ?? {});
    return Object.fromEntries(members.map(([name, member]) => [fieldOf(name), sampleOf(member)]));
  }
  const allowed = edgesOf(shape, '').filter(({ inside }) => inside);
  const sample = allowed.at(-1);
  if (sample === undefined) throw new Error('The limits allow nothing.');
  return sample.value;
}

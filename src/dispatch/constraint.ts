/**
 * What a request field may be, as data: the shapes of the published AWS KMS API model.
 * `unsupported` says when a field that the model allows is refused because Holdfast does not honour it yet
 * (design invariant 13): an ignored policy leaves a key open, an ignored dry run executes.
 */
export type Shape =
  /** Lengths in Unicode code points. `sensitive` values never appear in messages. */
  | { kind: 'text'; min: number; max: number; pattern?: RegExp; sensitive?: boolean }
  /** Lengths in bytes. */
  | { kind: 'bytes'; min: number; max: number }
  /** A text that is held as a `Secret` of its UTF-8 bytes. Lengths in Unicode code points, as those of `text`. */
  | { kind: 'secret-text'; min: number; max: number }
  | { kind: 'integer'; min: number; max: number }
  | { kind: 'choice'; values: readonly string[] }
  | { kind: 'flag' }
  /** A map of strings to strings; its rules are those of `operations/encryption-context.ts`. */
  | { kind: 'context' }
  | { kind: 'list'; min: number; max: number; of: Shape }
  | { kind: 'structure'; fields: FieldConstraints };

export interface FieldConstraint {
  shape: Shape;
  required: boolean;
  unsupported: 'never' | 'always' | 'when-true' | readonly string[];
}

export type FieldConstraints = Readonly<Record<string, FieldConstraint>>;

export const text = (min: number, max: number, pattern?: RegExp): Shape =>
  pattern === undefined ? { kind: 'text', min, max } : { kind: 'text', min, max, pattern };
export const sensitiveText = (min: number, max: number, pattern: RegExp): Shape => ({
  kind: 'text',
  min,
  max,
  pattern,
  sensitive: true,
});
export const bytes = (min: number, max: number): Shape => ({ kind: 'bytes', min, max });
export const secretText = (min: number, max: number): Shape => ({ kind: 'secret-text', min, max });
export const integer = (min: number, max: number): Shape => ({ kind: 'integer', min, max });
export const choice = (...values: string[]): Shape => ({ kind: 'choice', values });
const flag: Shape = { kind: 'flag' };
export const context: Shape = { kind: 'context' };
export const list = (min: number, max: number, of: Shape): Shape => ({ kind: 'list', min, max, of });
export const structure = (fields: FieldConstraints): Shape => ({ kind: 'structure', fields });

export const required = (shape: Shape): FieldConstraint => ({ shape, required: true, unsupported: 'never' });
export const optional = (shape: Shape): FieldConstraint => ({ shape, required: false, unsupported: 'never' });
/** The model has it, we do not honour it: refused whenever it is set. */
export const refused = (shape: Shape): FieldConstraint => ({ shape, required: false, unsupported: 'always' });
/** A flag whose `false` is what we do anyway. */
export const refusedWhenTrue: FieldConstraint = { shape: flag, required: false, unsupported: 'when-true' };
/** A choice of which only the other values are honoured. */
export const refusedValues = (shape: Shape, ...values: string[]): FieldConstraint => ({
  shape,
  required: false,
  unsupported: values,
});

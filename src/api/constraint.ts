/**
 * The allowed form of a request field, as data: the shapes of the published AWS KMS API model. `unsupported` says when
 * a field that the model allows is refused because Holdfast does not honour it yet (invariant 13): an ignored policy
 * leaves a key open, an ignored dry run executes.
 */
export type Shape =
  /** Lengths in Unicode code points. */
  | { kind: 'text'; min: number; max: number; pattern?: RegExp }
  /** Lengths in bytes. */
  | { kind: 'bytes'; min: number; max: number }
  /** Text that is held as a `Secret` of its UTF-8 bytes. Lengths in Unicode code points, like those of `text`. */
  | { kind: 'secret-text'; min: number; max: number }
  | { kind: 'integer'; min: number; max: number }
  | { kind: 'choice'; values: readonly string[] }
  | { kind: 'flag' }
  /** A map of strings to strings, with the rules of `operations/cryptography/encryption-context.ts`. */
  | { kind: 'context' }
  | { kind: 'list'; min: number; max: number; of: Shape }
  | { kind: 'structure'; fields: FieldConstraints };

/** The rule of one request field. `unsupported` may list values: only those are refused. */
export interface FieldConstraint {
  shape: Shape;
  required: boolean;
  unsupported: 'never' | 'always' | 'when-true' | readonly string[];
}

/** Constraints by the field's domain name (lower camel case). Fields without an entry are not checked. */
export type FieldConstraints = Readonly<Record<string, FieldConstraint>>;

/** Text, with bounds in code points. The pattern is tested as given: it needs anchors to cover the whole text. */
export const text = (min: number, max: number, pattern?: RegExp): Shape =>
  pattern === undefined ? { kind: 'text', min, max } : { kind: 'text', min, max, pattern };
/** A `Uint8Array` or a `Secret`, with bounds in bytes. */
export const bytes = (min: number, max: number): Shape => ({ kind: 'bytes', min, max });
/** A key store password, with bounds in code points. No pattern: that would need a string, which cannot be zeroed. */
export const secretText = (min: number, max: number): Shape => ({ kind: 'secret-text', min, max });
/** A whole number. Both bounds are allowed values. */
export const integer = (min: number, max: number): Shape => ({ kind: 'integer', min, max });
/** One of AWS's enum values, as the AWS API writes them. Compared with case. */
export const choice = (...values: string[]): Shape => ({ kind: 'choice', values });
/** True or false. */
export const flag: Shape = { kind: 'flag' };
/** An encryption context. The operations check its limits with `canonicalContext`. */
export const context: Shape = { kind: 'context' };
/** A list, with bounds on the number of its elements. After ten violations the rest of it is not checked. */
export const list = (min: number, max: number, of: Shape): Shape => ({ kind: 'list', min, max, of });
/** A nested message. Its fields may be required, but their `unsupported` is ignored: refuse the whole message. */
export const structure = (fields: FieldConstraints): Shape => ({ kind: 'structure', fields });

/** A field that must be present: absent, null and an empty list are VALIDATION ("Member must not be null"). */
export const required = (shape: Shape): FieldConstraint => ({ shape, required: true, unsupported: 'never' });
/** A field that is honoured if set, and only then checked against its shape. */
export const optional = (shape: Shape): FieldConstraint => ({ shape, required: false, unsupported: 'never' });

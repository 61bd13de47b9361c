import { type FieldViolation, HoldfastError } from '../errors.js';
import { Secret } from '../secret.js';
import type { FieldConstraint, FieldConstraints, Shape } from './constraint.js';

/** One broken rule, as a field violation and in AWS's words. */
interface Violation extends FieldViolation {
  message: string;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * The maximum number of violations reported of one list. Half a million elements fit into one message, and a request is
 * checked before its caller is authorised: reporting all of them takes ten seconds in which no other request is served.
 */
const maxViolationsPerList = 10;

/**
 * Checks a decoded request against the limits of its method.
 * @throws VALIDATION with AWS's words ("1 validation error detected: …") and one field violation per broken rule;
 *   UNSUPPORTED_OPERATION that names every field that is set and not honoured.
 */
export function validateRequest(request: Fields, constraints: FieldConstraints): void {
  const violations = checkFields(request, constraints, '');
  if (violations.length > 0) throw validationError(violations);
  const unsupported: string[] = [];
  for (const [name, constraint] of entriesOf(constraints)) {
    if (isUnsupported(request[name], constraint)) unsupported.push(fieldName(name));
  }
  if (unsupported.length > 0) throw unsupportedError(unsupported);
}

type Entries = readonly (readonly [string, FieldConstraint])[];

/** Constraints are constants, so their entries are computed once. */
const knownEntries = new WeakMap<FieldConstraints, Entries>();

function entriesOf(constraints: FieldConstraints): Entries {
  const known = knownEntries.get(constraints);
  if (known !== undefined) return known;
  const entries = Object.entries(constraints);
  knownEntries.set(constraints, entries);
  return entries;
}

function validationError(violations: readonly Violation[]): HoldfastError {
  const noun = violations.length === 1 ? 'validation error' : 'validation errors';
  const message = violations.map((violation) => violation.message).join('; ');
  return new HoldfastError('VALIDATION', `${violations.length} ${noun} detected: ${message}`, {
    fieldViolations: violations.map(({ field, description }) => ({ field, description })),
  });
}

function unsupportedError(fields: readonly string[]): HoldfastError {
  return new HoldfastError(
    'UNSUPPORTED_OPERATION',
    `Not supported by this version of Holdfast, and refused rather than ignored: ${fields.join(', ')}.`,
    { fieldViolations: fields.map((field) => ({ field, description: 'This field or value is not supported yet.' })) },
  );
}

function isUnsupported(value: unknown, constraint: FieldConstraint): boolean {
  if (isAbsent(value)) return false;
  switch (constraint.unsupported) {
    case 'never':
      return false;
    case 'always':
      return true;
    case 'when-true':
      return value === true;
    default:
      return typeof value === 'string' && constraint.unsupported.includes(value);
  }
}

/** On the wire an empty list and no list look the same. */
function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function checkFields(fields: Fields, constraints: FieldConstraints, prefix: string): Violation[] {
  const violations: Violation[] = [];
  for (const [name, constraint] of entriesOf(constraints)) {
    const value = fields[name];
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (!isAbsent(value)) violations.push(...checkShape(value, constraint.shape, path));
    else if (constraint.required) violations.push(violation(path, 'Member must not be null', 'null'));
  }
  return violations;
}

function checkShape(value: unknown, shape: Shape, path: string): Violation[] {
  switch (shape.kind) {
    case 'text':
      return checkText(value, shape, path);
    case 'bytes':
      return checkLength(byteLengthOf(value), shape, path);
    case 'secret-text':
      return checkLength(value instanceof Secret ? codePointLengthOfUtf8(value.reveal()) : undefined, shape, path);
    case 'integer':
      return checkInteger(value, shape, path);
    case 'choice':
      return checkChoice(value, shape.values, path);
    case 'flag':
      return typeof value === 'boolean' ? [] : [violation(path, 'Member must be a boolean')];
    case 'context':
      return value instanceof Map ? [] : [violation(path, 'Member must be a map of strings')];
    case 'list':
      return checkList(value, shape, path);
    case 'structure':
      return isFields(value) ? checkFields(value, shape.fields, path) : [violation(path, 'Member must be a structure')];
  }
}

function checkText(value: unknown, shape: Extract<Shape, { kind: 'text' }>, path: string): Violation[] {
  if (typeof value !== 'string') return [violation(path, 'Member must be a string')];
  const violations = checkLength(codePointLength(value), shape, path);
  if (shape.pattern !== undefined && !shape.pattern.test(value)) {
    violations.push(violation(path, `Member must satisfy regular expression pattern: ${shape.pattern.source}`));
  }
  return violations;
}

function checkLength(length: number | undefined, limits: { min: number; max: number }, path: string): Violation[] {
  if (length === undefined) return [violation(path, 'Member must be a byte string')];
  if (length < limits.min) {
    return [violation(path, `Member must have length greater than or equal to ${limits.min}`)];
  }
  if (length > limits.max) return [violation(path, `Member must have length less than or equal to ${limits.max}`)];
  return [];
}

function checkInteger(value: unknown, limits: { min: number; max: number }, path: string): Violation[] {
  if (typeof value !== 'number' || !Number.isInteger(value)) return [violation(path, 'Member must be an integer')];
  if (value < limits.min) {
    return [violation(path, `Member must have value greater than or equal to ${limits.min}`, `'${value}'`)];
  }
  if (value > limits.max) {
    return [violation(path, `Member must have value less than or equal to ${limits.max}`, `'${value}'`)];
  }
  return [];
}

function checkChoice(value: unknown, values: readonly string[], path: string): Violation[] {
  if (typeof value === 'string' && values.includes(value)) return [];
  return [violation(path, `Member must satisfy enum value set: [${values.join(', ')}]`)];
}

function checkList(value: unknown, shape: Extract<Shape, { kind: 'list' }>, path: string): Violation[] {
  if (!Array.isArray(value)) return [violation(path, 'Member must be a list')];
  const violations = checkLength(value.length, shape, path);
  for (const [index, item] of value.entries()) {
    if (violations.length >= maxViolationsPerList) break;
    violations.push(...checkShape(item, shape.of, `${path}[${index}]`));
  }
  return violations;
}

/**
 * Words a violation as AWS does. A value is shown only if it is a number or null: texts may be long, hostile or secret.
 */
function violation(path: string, description: string, shownValue?: string): Violation {
  const value = shownValue === undefined ? 'Value' : `Value ${shownValue}`;
  return {
    field: fieldName(path),
    description,
    message: `${value} at '${path}' failed to satisfy constraint: ${description}`,
  };
}

function byteLengthOf(value: unknown): number | undefined {
  return value instanceof Secret || value instanceof Uint8Array ? value.byteLength : undefined;
}

function codePointLength(value: string): number {
  let length = 0;
  for (const _ of value) length += 1;
  return length;
}

/**
 * Counts code points in valid UTF-8: each has exactly one non-continuation byte. Needs no string, which could not be
 * zeroed.
 */
function codePointLengthOfUtf8(bytes: Uint8Array): number {
  let length = 0;
  for (const byte of bytes) if ((byte & 0xc0) !== 0x80) length += 1;
  return length;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

/** A field's path in the proto's spelling, which callers and operators know: `tags[0].tagKey` → `tags[0].tag_key`. */
export function fieldName(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

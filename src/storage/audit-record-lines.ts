import { LRUCache } from 'lru-cache';
import type { AuditEvent } from '../audit/event.js';
import { printable, printableJsonLine } from '../printable.js';

/** Text that JSON writes as it is, between quotes, and that every terminal shows as it is. */
const plain = /^[ !#-[\]-~]*$/;

/**
 * How many callers, and how many resources, have their fragments kept, and how many fragments each has. A fragment
 * takes a few hundred bytes.
 */
const defaultCapacity = 2_000;
const maxFragmentsOfOne = 16;

/**
 * Writes audit records as lines of JSON: the same bytes as `printableJsonLine`. What does not change between two
 * requests of one caller, or between two of one operation on one resource, is written once and kept.
 */
export class AuditRecordLines {
  readonly #callers: Fragments<CallerPart>;
  readonly #accesses: Fragments<AccessPart>;
  #time = '';
  #timeJson = '""';

  constructor(capacity: number = defaultCapacity) {
    this.#callers = new Fragments(capacity, isOfCaller, callerPart);
    this.#accesses = new Fragments(capacity, isOfAccess, accessPart);
  }

  /** Without a line end. */
  lineOf(event: AuditEvent): string {
    const { principal, outcome, errorCode, decidedBy } = event;
    if (outcome !== 'success' || errorCode !== null || principal === null) return printableJsonLine(event);
    const [resource] = event.resources;
    if (resource === undefined || decidedBy === undefined || event.certificate !== undefined) {
      return printableJsonLine(event);
    }
    const start = `{"time":${this.#timeOf(event)},"requestId":${quoted(event.requestId)},`;
    const fragments = this.#callers.of(principal, event) + this.#accesses.of(resource, event);
    const parameters = printable(JSON.stringify(event.parameters));
    const durationMs = JSON.stringify(event.durationMs);
    return `${start}${fragments}"outcome":"success","errorCode":null,"parameters":${parameters},"durationMs":${durationMs}}`;
  }

  /** Records of one turn of the event loop usually have one time. */
  #timeOf({ time }: AuditEvent): string {
    if (time !== this.#time) {
      this.#timeJson = quoted(time);
      this.#time = time;
    }
    return this.#timeJson;
  }
}

type CallerPart = Pick<AuditEvent, 'face' | 'operation' | 'principal' | 'sourceAddress'>;
type AccessPart = Pick<AuditEvent, 'actions' | 'decidedBy' | 'resources'>;

function callerPart({ face, operation, principal, sourceAddress }: AuditEvent): CallerPart {
  return { face, operation, principal, sourceAddress };
}

function accessPart({ actions, decidedBy, resources }: AuditEvent): AccessPart {
  return { actions, decidedBy: decidedBy ?? [], resources };
}

function isOfCaller(part: CallerPart, event: AuditEvent): boolean {
  return (
    part.operation === event.operation &&
    part.sourceAddress === event.sourceAddress &&
    part.principal === event.principal &&
    part.face === event.face
  );
}

function isOfAccess(part: AccessPart, event: AuditEvent): boolean {
  return (
    isSameList(part.actions, event.actions) &&
    isSameList(part.decidedBy ?? [], event.decidedBy ?? []) &&
    isSameList(part.resources, event.resources)
  );
}

function isSameList(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index += 1) if (left[index] !== right[index]) return false;
  return true;
}

interface Fragment<Part> {
  readonly part: Part;
  /** The members of the part with a comma after the last one. */
  readonly json: string;
}

/** Fragments of records by a key that they have in common; the keys used least recently are forgotten. */
class Fragments<Part> {
  readonly #byKey: LRUCache<string, Fragment<Part>[]>;
  readonly #isOf: (part: Part, event: AuditEvent) => boolean;
  readonly #partOf: (event: AuditEvent) => Part;

  constructor(capacity: number, isOf: (part: Part, event: AuditEvent) => boolean, partOf: (event: AuditEvent) => Part) {
    this.#byKey = new LRUCache({ max: capacity });
    this.#isOf = isOf;
    this.#partOf = partOf;
  }

  of(key: string, event: AuditEvent): string {
    const known = this.#byKey.get(key);
    if (known !== undefined) for (const { part, json } of known) if (this.#isOf(part, event)) return json;
    return this.#add(key, known, event);
  }

  #add(key: string, known: Fragment<Part>[] | undefined, event: AuditEvent): string {
    const part = this.#partOf(event);
    const json = `${printableJsonLine(part).slice(1, -1)},`;
    // A caller with very many addresses begins anew.
    if (known === undefined || known.length >= maxFragmentsOfOne) this.#byKey.set(key, [{ part, json }]);
    else known.push({ part, json });
    return json;
  }
}

function quoted(text: string): string {
  return plain.test(text) ? `"${text}"` : printable(JSON.stringify(text));
}

import type { Eventual } from '../calls/eventual.js';
import type { ChangeFeed } from '../coordination/change-feed.js';
import { LRUCache } from 'lru-cache';
import { toHoldfastError } from '../errors.js';
import type { Scope } from '../calls/scope.js';
import type { Catalog } from './database.js';

/**
 * Keeps in memory what every cryptographic request reads: keys, materials, aliases, stores.
 *
 * Each read compares the position of the change feed, which moves before a change of this process is acknowledged and soon
 * after one of another process; when it has moved, everything is forgotten. Changes are operators' work and rare, so
 * forgetting everything costs less than tracking what belongs together.
 *
 * Records that come from here are shared by all readers. They are frozen; their dates and bytes, which JavaScript cannot
 * freeze, must not be changed either.
 *
 * @param capacity how many names (of keys, materials, aliases and stores) are kept, each with all answers about it; those
 * that were unused for longest go first. 0 keeps none.
 */
export function withReadCache(catalog: Catalog, changes: ChangeFeed, capacity: number): Catalog {
  if (capacity === 0) return catalog;
  const cache = new ReadCache(changes, capacity);
  return {
    ...catalog,
    findKey: (scope, keyId) => cache.get('key', scope, keyId, 1, () => catalog.findKey(scope, keyId)),
    findMaterial: (materialId) =>
      cache.get('material', anyScope, materialId, 1, () => catalog.findMaterial(materialId)),
    findAlias: (scope, name) => cache.get('alias', scope, name, 1, () => catalog.findAlias(scope, name)),
    findStore: (scope, id) => cache.get('store', scope, id, 1, () => catalog.findStore(scope, id)),
    listAliases: (query) =>
      query.targetKeyId === undefined || query.afterAliasName !== undefined
        ? catalog.listAliases(query)
        : cache.get('aliases', query.scope, query.targetKeyId, query.limit, () => catalog.listAliases(query)),
  };
}

/** The scope of ids that are unique everywhere. */
const anyScope: Scope = { account: '', region: '' };

/** What is asked about a name. */
type Kind = 'key' | 'material' | 'alias' | 'store' | 'aliases';

/** An answer of the database: the promise of the read that is under way, then what it found. */
class Answer<T> {
  readonly kind: Kind;
  readonly account: string;
  readonly region: string;
  readonly limit: number;
  content: Eventual<T> | undefined;

  constructor(kind: Kind, { account, region }: Scope, limit: number) {
    this.kind = kind;
    this.account = account;
    this.region = region;
    this.limit = limit;
  }

  isTo(kind: Kind, scope: Scope, limit: number): boolean {
    return this.kind === kind && this.limit === limit && this.account === scope.account && this.region === scope.region;
  }
}

/** How many answers about one name are kept: usually there are two, of a key and of its aliases. */
const maxAnswersOfName = 16;

/**
 * Answers by the name that is asked about. A text that is put together of all parts of a question would have to be read
 * to be found. A name is usually a string object of a record from this cache, whose hash V8 knows.
 */
class ReadCache {
  readonly #changes: ChangeFeed;
  readonly #answers: LRUCache<string, Answer<unknown>[]>;
  #position: number | undefined;

  constructor(changes: ChangeFeed, capacity: number) {
    this.#changes = changes;
    this.#answers = new LRUCache({ max: capacity });
  }

  /** Neither a position that is known without waiting nor a known answer costs a promise. Rejects, and never throws. */
  get<T>(kind: Kind, scope: Scope, name: string, limit: number, read: () => Eventual<T>): Eventual<T> {
    try {
      const position = this.#changes.position();
      if (typeof position !== 'number') {
        return position.then((known) => {
          this.#forgetBefore(known);
          return this.#find<T>(kind, scope, name, limit) ?? this.#ask(new Answer(kind, scope, limit), name, read);
        }, rejectAsOurs);
      }
      this.#forgetBefore(position);
      return this.#find<T>(kind, scope, name, limit) ?? this.#ask(new Answer(kind, scope, limit), name, read);
    } catch (error) {
      return rejectAsOurs(error);
    }
  }

  #forgetBefore(position: number): void {
    if (position === this.#position) return;
    this.#answers.clear();
    this.#position = position;
  }

  /**
   * A read is shared while it is under way: then a thousand requests after a write ask the database once. That is
   * sound: nothing has changed since it began, or the position would have moved.
   */
  #find<T>(kind: Kind, scope: Scope, name: string, limit: number): Eventual<T> | undefined {
    const answers = this.#answers.get(name);
    if (answers === undefined) return undefined;
    for (const answer of answers) if (answer.isTo(kind, scope, limit)) return answer.content as Eventual<T>;
    return undefined;
  }

  /** "Not found" is not kept: a caller that guesses names could evict all entries in use. */
  #ask<T>(answer: Answer<T>, name: string, read: () => Eventual<T>): Promise<T> {
    const reading: Promise<T> = Promise.resolve(read()).then(
      (found) => {
        if (found === undefined) this.#forget(name, answer);
        return (answer.content = freezeDeeply(found));
      },
      (error: unknown) => {
        this.#forget(name, answer);
        throw error;
      },
    );
    answer.content = reading;
    this.#keep(name, answer);
    return reading;
  }

  #keep(name: string, answer: Answer<unknown>): void {
    const others = this.#answers.peek(name);
    if (others === undefined) this.#answers.set(name, [answer]);
    else {
      if (others.length >= maxAnswersOfName) others.shift();
      others.push(answer);
    }
  }

  #forget(name: string, answer: Answer<unknown>): void {
    const answers = this.#answers.peek(name);
    const index = answers?.indexOf(answer) ?? -1;
    if (answers === undefined || index < 0) return;
    answers.splice(index, 1);
    if (answers.length === 0) this.#answers.delete(name);
  }
}

function rejectAsOurs(error: unknown): Promise<never> {
  return Promise.reject(toHoldfastError(error));
}

function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) freezeDeeply(part);
  return Object.freeze(value);
}

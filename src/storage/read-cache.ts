import type { Eventual } from '../calls/eventual.js';
import type { ChangeFeed } from '../coordination/change-feed.js';
import { LRUCache } from 'lru-cache';
import { toHoldfastError } from '../errors.js';
import type { AliasQuery } from '../keys/catalog.js';
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
 * @param capacity how many answers are kept; those that were unused for longest go first. 0 keeps none.
 */
export function withReadCache(catalog: Catalog, changes: ChangeFeed, capacity: number): Catalog {
  if (capacity === 0) return catalog;
  const cache = new ReadCache(changes, capacity);
  return {
    ...catalog,
    findKey: (scope, keyId) => cache.get(cacheKey('key', scope, keyId), () => catalog.findKey(scope, keyId)),
    findMaterial: (materialId) => cache.get(`material\0${materialId}`, () => catalog.findMaterial(materialId)),
    findAlias: (scope, name) => cache.get(cacheKey('alias', scope, name), () => catalog.findAlias(scope, name)),
    findStore: (scope, id) => cache.get(cacheKey('store', scope, id), () => catalog.findStore(scope, id)),
    listAliases: (query) =>
      query.targetKeyId === undefined || query.afterAliasName !== undefined
        ? catalog.listAliases(query)
        : cache.get(aliasesKey(query, query.targetKeyId), () => catalog.listAliases(query)),
  };
}

function cacheKey(kind: string, scope: Scope, name: string): string {
  return `${kind}\0${scope.account}\0${scope.region}\0${name}`;
}

function aliasesKey(query: AliasQuery, targetKeyId: string): string {
  return `${cacheKey('aliases', query.scope, targetKeyId)}\0${query.limit}`;
}

/** An answer of the database: the promise of the read that is under way, then what it found. */
class Answer<T> {
  content: Eventual<T>;

  constructor(reading: Promise<T>) {
    this.content = reading;
  }
}

/** Answers by their question. */
class ReadCache {
  readonly #changes: ChangeFeed;
  readonly #answers: LRUCache<string, Answer<unknown>>;
  #position: number | undefined;

  constructor(changes: ChangeFeed, capacity: number) {
    this.#changes = changes;
    this.#answers = new LRUCache({ max: capacity });
  }

  /** Neither a position that is known without waiting nor a known answer costs a promise. Rejects, and never throws. */
  get<T>(question: string, read: () => Eventual<T>): Eventual<T> {
    try {
      const position = this.#changes.position();
      if (typeof position === 'number') return this.#at(position, question, read);
      return position.then((known) => this.#at(known, question, read), rejectAsOurs);
    } catch (error) {
      return rejectAsOurs(error);
    }
  }

  /**
   * A read is shared while it is under way: then a thousand requests after a write ask the database once. That is
   * sound: nothing has changed since it began, or the position would have moved.
   */
  #at<T>(position: number, question: string, read: () => Eventual<T>): Eventual<T> {
    if (position !== this.#position) {
      this.#answers.clear();
      this.#position = position;
    }
    const known = this.#answers.get(question) as Answer<T> | undefined;
    return known === undefined ? this.#ask(question, read) : known.content;
  }

  /** "Not found" is not kept: a caller that guesses names could evict all entries in use. */
  #ask<T>(question: string, read: () => Eventual<T>): Promise<T> {
    const reading: Promise<T> = Promise.resolve(read()).then(
      (found) => {
        if (found === undefined) this.#forget(question, answer);
        return (answer.content = freezeDeeply(found));
      },
      (error: unknown) => {
        this.#forget(question, answer);
        throw error;
      },
    );
    const answer = new Answer<T>(reading);
    this.#answers.set(question, answer);
    return reading;
  }

  #forget(question: string, answer: Answer<unknown>): void {
    if (this.#answers.peek(question) === answer) this.#answers.delete(question);
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

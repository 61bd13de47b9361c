/**
 * Most things that a request asks for on its way are known already: the read cache has the record, the access list
 * decides at once. A promise for each would cost an allocation and a turn of the microtask queue, several times a
 * request.
 */

/**
 * A value that is usually known at once, or else the promise of it. `await` takes both. A function that gives one throws if
 * it fails at once, and rejects otherwise.
 */
export type Eventual<T> = T | Promise<T>;

/**
 * Goes on with a value: at once if it is known, otherwise when its promise has resolved. If `next` throws for a known
 * value, this throws: code that handles failures must expect both a throw and a rejection (`orElse`).
 */
export function whenKnown<T, U>(value: Eventual<T>, next: (value: T) => Eventual<U>): Eventual<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** The value that `ask` gives, or the one that `failed` makes of its error, whether it throws or rejects. */
export function orElse<T, U>(ask: () => Eventual<T>, failed: (error: unknown) => Eventual<U>): Eventual<T | U> {
  try {
    const value = ask();
    return value instanceof Promise ? value.catch(failed) : value;
  } catch (error) {
    return failed(error);
  }
}

/**
 * The port to the changes of the catalog's keys, materials, aliases and key stores, for a cache of what was read there.
 *
 * A change by this process shows in the first call after it was acknowledged. A change by another process shows within
 * `maxStalenessMs`. Other writes, such as leases, reservations and login attempts, do not show.
 */
export interface ChangeFeed {
  /**
   * A new number whenever a change may have committed. Only equality means anything: what was read under one number is
   * true as long as the number stays.
   *
   * A number that is known at once is not wrapped in a promise, because every request asks several times. SQLite always
   * knows it. A database that reports its changes knows it as long as its reports arrive, and otherwise has to be
   * asked. Throws or rejects with `HoldfastError` KMS_INTERNAL when the database cannot say.
   */
  position(): number | Promise<number>;
}

/** The maximum age of an answer that a change by another process has outdated, in milliseconds. */
export const maxStalenessMs = 1_000;

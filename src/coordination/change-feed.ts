/**
 * The port to the changes of the catalog's keys, materials, aliases and key stores, for a cache of what was read there.
 *
 * A change that this process made shows in the first call after it was acknowledged, one that another process made within
 * `maxStalenessMs`. Other writes, such as leases, reservations and login attempts, do not show.
 */
export interface ChangeFeed {
  /**
   * A new number whenever a change may have committed. Only equality means anything: what was read under one
   * number is true as long as the number stays.
   *
   * A number that is known without waiting is no promise: every request asks several times. SQLite always knows; a database
   * that reports its changes knows while it is heard, and otherwise has to be asked. Throws or rejects with `HoldfastError`
   * KMS_INTERNAL when the database cannot say.
   */
  position(): number | Promise<number>;
}

/** How old an answer may be that another process has changed, in milliseconds. */
export const maxStalenessMs = 1_000;

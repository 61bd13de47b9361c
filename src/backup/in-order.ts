/**
 * Takes results in the order in which their work was begun, with a bounded number under way: the HSMs work on several
 * materials, and the archive has them in order.
 */
export class InOrder<Result> {
  readonly #max: number;
  readonly #take: (result: Result) => Promise<void>;
  readonly #underWay: Promise<Result>[] = [];

  constructor(max: number, take: (result: Result) => Promise<void>) {
    this.#max = max;
    this.#take = take;
  }

  /** Adds work that has begun; waits for the oldest if there is too much. Rejects with the failure of any before. */
  async add(work: Promise<Result>): Promise<void> {
    // Its failure is thrown when its turn comes; until then it is no unhandled one.
    work.catch(() => undefined);
    this.#underWay.push(work);
    if (this.#underWay.length >= this.#max) await this.#takeOldest();
  }

  /** Takes all that is left. */
  async end(): Promise<void> {
    while (this.#underWay.length > 0) await this.#takeOldest();
  }

  async #takeOldest(): Promise<void> {
    const oldest = this.#underWay.shift();
    if (oldest !== undefined) await this.#take(await oldest);
  }
}

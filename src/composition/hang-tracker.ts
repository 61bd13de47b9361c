/** What hangs in the modules of the clusters, as far as the life of the process depends on it. */
export class HangTracker {
  /** Told of a member or a cluster that gets stuck: from then on the replacement of the process has to be thought of. */
  onStuck: () => void = () => undefined;
  #lanesHung = false;

  /** Whether closing a cluster left a lane behind: then the process cannot end by itself. */
  get lanesHung(): boolean {
    return this.#lanesHung;
  }

  laneHangs(): void {
    this.#lanesHung = true;
  }

  memberIsStuck(): void {
    this.onStuck();
  }
}

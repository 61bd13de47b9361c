/** Tracks hanging module calls, as far as the life of the process depends on them. */
export class HangTracker {
  /** Called when a member or a cluster gets stuck: from then on the replacement of the process must be considered. */
  onStuck: () => void = () => undefined;
  #lanesHung = false;

  /** Whether closing a cluster left a lane behind: the process cannot end by itself then. */
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

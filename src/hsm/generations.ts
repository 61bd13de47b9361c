import type { HsmEvents } from './events.js';
import type { Member } from './member.js';
import type { NativeGeneration } from './native-ceremony.js';

/** The marks on a member's token, as they were in one of its session epochs. */
interface Marks {
  epoch: number | undefined;
  generations: readonly NativeGeneration[];
}

/** Reads the marks of a member; rejects if it cannot. */
export type MarkReader = (member: Member) => Promise<readonly NativeGeneration[]>;

/**
 * The generations of wrapping keys on the members of a connected cluster. In use is the highest number that enough
 * members for a new key have, with one digest on all that have it. While a ceremony goes on, or after one that was broken
 * off between two marks, that is still the one before. A member without it is behind: it serves the keys that it has, and
 * gets no others.
 *
 * A generation is read once in a session epoch, because a search takes time that grows with the token's contents.
 */
export class Generations {
  readonly #read: MarkReader;
  readonly #enforced: boolean;
  readonly #events: Pick<HsmEvents, 'generationBehind'>;
  readonly #marks = new Map<Member, Marks>();
  readonly #reported = new Map<Member, number>();
  readonly #contradicting = new Map<Member, number>();
  readonly #minimumMembers: number;
  /** What was in use stays so when members leave: a member that was removed may have the keys of the one before. */
  #leastNumber = 0;

  /**
   * @param cluster how many members a new key must be on; and whether the configuration says that every member enforces
   *   trust: a mark that says otherwise counts for nothing
   */
  constructor(
    read: MarkReader,
    { enforced, minimumMembers }: { enforced: boolean; minimumMembers: number },
    events: Pick<HsmEvents, 'generationBehind'>,
  ) {
    this.#read = read;
    this.#enforced = enforced;
    this.#events = events;
    this.#minimumMembers = minimumMembers;
  }

  /**
   * The number of the generation in use; undefined if no member has shown one that may be used. Perhaps no member that is
   * open has it.
   */
  get inUse(): number | undefined {
    return this.#usable ?? (this.#leastNumber > 0 ? this.#leastNumber : undefined);
  }

  /** Whether the token of this member has the generation in use. */
  isCurrent(member: Member): boolean {
    const usable = this.#usable;
    return usable !== undefined && this.numbersOf(member).includes(usable);
  }

  /** Of the members that are open; never one that is older than what was in use. */
  get #usable(): number | undefined {
    const numbers = this.#known().flatMap(({ generations }) => generations.map(({ number }) => number));
    const alike = [...new Set(numbers)]
      .sort((one, other) => other - one)
      .filter((number) => number >= this.#leastNumber && new Set(this.#digestsOf(number)).size === 1);
    return alike.find((number) => this.#isEnough(number)) ?? alike[0];
  }

  #isEnough(number: number): boolean {
    return this.#digestsOf(number).length >= this.#minimumMembers;
  }

  /** The generations of a member, ascending; none if it has none, or is not open. */
  numbersOf(member: Member): number[] {
    return this.#present(member)?.generations.map(({ number }) => number) ?? [];
  }

  /**
   * A member whose wrapping keys were made with another trust than the configuration has, and their generation. Not if
   * another member says of the same generation what the configuration says: anyone who reaches a token can plant a mark,
   * and one token must not stop the others.
   */
  get contradiction(): { member: Member; generation: number } | undefined {
    const found = [...this.#contradicting].find(([, generation]) => this.#digestsOf(generation).length === 0);
    return found === undefined ? undefined : { member: found[0], generation: found[1] };
  }

  /** Reads the marks of all open members anew: a ceremony may have made a generation. */
  async readAgain(members: readonly Member[]): Promise<void> {
    await Promise.all(members.filter(({ isOpen }) => isOpen).map((member) => this.#readOne(member)));
    this.#reportBehind(members);
  }

  /**
   * Reads the marks of members that have begun a session epoch since. If one has a generation that no other one shows,
   * those of all are read again.
   */
  async readNew(members: readonly Member[]): Promise<void> {
    const unread = members.filter((member) => member.isOpen && this.#present(member) === undefined);
    if (unread.length === 0) return;
    const before = this.#highest();
    await Promise.all(unread.map((member) => this.#readOne(member)));
    if (this.#highest() > before && unread.length < members.length) await this.readAgain(members);
    else this.#reportBehind(members);
  }

  /** A member whose marks cannot be read counts as behind until they can. */
  async #readOne(member: Member): Promise<void> {
    const { epoch } = member;
    try {
      const read = await this.#read(member);
      this.#marks.set(member, { epoch, generations: read.filter(({ enforced }) => enforced === this.#enforced) });
      const other = read.find(({ enforced }) => enforced !== this.#enforced);
      if (other === undefined) this.#contradicting.delete(member);
      else this.#contradicting.set(member, other.number);
    } catch {
      this.#marks.delete(member);
    }
  }

  #known(): Marks[] {
    return [...this.#marks.keys()].flatMap((member) => this.#present(member) ?? []);
  }

  #present(member: Member): Marks | undefined {
    const marks = this.#marks.get(member);
    return member.isOpen && marks?.epoch === member.epoch ? marks : undefined;
  }

  #highest(): number {
    return Math.max(0, ...this.#known().flatMap(({ generations }) => generations.map(({ number }) => number)));
  }

  /** One for each member that has it. */
  #digestsOf(wanted: number): string[] {
    const marks = this.#known().flatMap(({ generations }) => generations.filter(({ number }) => number === wanted));
    return marks.map(({ digest }) => Buffer.from(digest).toString('hex'));
  }

  /** Once for each member and generation. */
  #reportBehind(members: readonly Member[]): void {
    const { inUse } = this;
    if (inUse === undefined) return;
    if (this.#isEnough(inUse)) this.#leastNumber = inUse;
    for (const member of members) {
      if (!member.isOpen || this.isCurrent(member) || this.#reported.get(member) === inUse) continue;
      this.#reported.set(member, inUse);
      this.#events.generationBehind(member.place, inUse);
    }
  }
}

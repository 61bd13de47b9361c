import type { Member } from './member.js';

/**
 * The materials of a connected wrapped cluster that some members lack, and which members. It is normally empty: a
 * request pays one look-up.
 */
export class MissingCopies {
  readonly #lacking = new Map<string, Set<Member>>();

  /** The members that lack a material, as they are at any time; undefined if none is known to. */
  membersLacking(materialId: string): ReadonlySet<Member> | undefined {
    return this.#lacking.get(materialId);
  }

  /** The materials that a member lacks. */
  lackedBy(member: Member): string[] {
    return [...this.#lacking].flatMap(([materialId, members]) => (members.has(member) ? [materialId] : []));
  }

  /** @returns whether it was not known before */
  note(materialId: string, member: Member): boolean {
    const members = this.#lacking.get(materialId);
    if (members === undefined) this.#lacking.set(materialId, new Set([member]));
    else if (members.has(member)) return false;
    else members.add(member);
    return true;
  }

  /** A member has proved that it has the material, or shown it. */
  forget(materialId: string, member: Member): void {
    const members = this.#lacking.get(materialId);
    if (members === undefined) return;
    members.delete(member);
    if (members.size === 0) this.#lacking.delete(materialId);
  }

  /** A material that no member needs any more. */
  forgetMaterial(materialId: string): void {
    this.#lacking.delete(materialId);
  }

  /**
   * Compares the inventory of a member with the catalog.
   * @param expected read before the inventory was taken: a material made in between counts for nothing
   */
  compare(member: Member, expected: Iterable<string>, present: ReadonlySet<string>): void {
    for (const materialId of this.#lacking.keys()) if (present.has(materialId)) this.forget(materialId, member);
    for (const materialId of expected) if (!present.has(materialId)) this.note(materialId, member);
  }
}

import type { Member } from './member.js';

/**
 * The materials of a connected wrapped cluster that some members lack, and which members. It is normally empty: a
 * request pays one look-up.
 */
export class MissingCopies {
  readonly #lacking = new Map<string, Set<Member>>();
  /** The copies that have begun, and are not known to have ended: each may be there already, or come late. */
  readonly #begun = new Map<string, Set<Member>>();

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

  /**
   * A copy to the member begins. @returns whether the member cannot have the material: it lacks it since its last
   * inventory, and no earlier copy may have come after that
   */
  begin(materialId: string, member: Member): boolean {
    const lacks = this.#lacking.get(materialId)?.has(member) === true;
    const members = this.#begun.get(materialId) ?? new Set();
    const isFirst = !members.has(member);
    this.#begun.set(materialId, members.add(member));
    return lacks && isFirst;
  }

  /** The copy that began when the member could not have the material has failed, and will not come late. */
  end(materialId: string, member: Member): void {
    remove(this.#begun, materialId, member);
  }

  /** A member has proved that it has the material, or shown it. */
  forget(materialId: string, member: Member): void {
    remove(this.#lacking, materialId, member);
    remove(this.#begun, materialId, member);
  }

  /** A material that no member needs any more. */
  forgetMaterial(materialId: string): void {
    this.#lacking.delete(materialId);
    this.#begun.delete(materialId);
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

function remove(map: Map<string, Set<Member>>, materialId: string, member: Member): void {
  const members = map.get(materialId);
  if (members?.delete(member) === true && members.size === 0) map.delete(materialId);
}

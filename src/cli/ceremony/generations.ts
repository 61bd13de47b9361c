/** A member's marks: the generations that it says are complete. */
export interface MemberMarks {
  readonly name: string;
  /** In ascending order. The digest as 64 hex digits. `enforced`: the cluster's trust, which every mark holds. */
  readonly generations: readonly { readonly number: number; readonly digest: string; readonly enforced: boolean }[];
}

/** One generation on all members that were read. */
export interface GenerationState {
  readonly number: number;
  /** Members without its mark. */
  readonly missing: readonly string[];
  /** More than one: the marks contradict each other, and the generation is not used. */
  readonly digests: readonly string[];
}

/** CK_ULONG would hold more, the mark's number does not. */
export const maximumGeneration = 0xffff_ffff;

/** The highest number on any member; 0 if there is none. */
export function highestGeneration(members: readonly MemberMarks[]): number {
  return Math.max(0, ...members.flatMap(({ generations }) => generations.map(({ number }) => number)));
}

/** The state of one generation. */
export function generationState(members: readonly MemberMarks[], number: number): GenerationState {
  const marks = members.map(({ name, generations }) => ({
    name,
    digest: generations.find((found) => found.number === number)?.digest,
  }));
  return {
    number,
    missing: marks.filter(({ digest }) => digest === undefined).map(({ name }) => name),
    digests: [...new Set(marks.flatMap(({ digest }) => (digest === undefined ? [] : [digest])))].sort(),
  };
}

/** Whether all members have it, and all the same. */
export function isComplete({ missing, digests }: GenerationState): boolean {
  return missing.length === 0 && digests.length === 1;
}

/** Every generation that some member has, in ascending order. */
export function allGenerations(members: readonly MemberMarks[]): GenerationState[] {
  const numbers = new Set(members.flatMap(({ generations }) => generations.map(({ number }) => number)));
  return [...numbers].sort((a, b) => a - b).map((number) => generationState(members, number));
}

/** The highest generation whose marks agree. Members without it are behind. */
export function newestGeneration(members: readonly MemberMarks[]): GenerationState | undefined {
  return allGenerations(members).findLast(({ digests }) => digests.length === 1);
}

/** The generation in use: the highest whose marks agree, and that enough members for a new key have. */
export function generationInUse(members: readonly MemberMarks[], minimumMembers: number): GenerationState | undefined {
  const isEnough = ({ digests, missing }: GenerationState): boolean =>
    digests.length === 1 && members.length - missing.length >= minimumMembers;
  return allGenerations(members).findLast(isEnough) ?? newestGeneration(members);
}

/**
 * The numbers to try for a new generation, in order. One that is on some members only may be an interrupted run: it is
 * finished if all members have its keys, and given up otherwise.
 */
export function nextGenerations(members: readonly MemberMarks[]): { finish: number | undefined; make: number } {
  const highest = generationState(members, highestGeneration(members));
  const isInterrupted = highest.digests.length === 1 && highest.missing.length > 0;
  return { finish: isInterrupted ? highest.number : undefined, make: highest.number + 1 };
}

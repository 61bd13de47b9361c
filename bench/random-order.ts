/** A copy in random order. */
export function shuffled<T>(values: readonly T[], random = Math.random): T[] {
  return values
    .map((value) => ({ value, place: random() }))
    .toSorted((left, right) => left.place - right.place)
    .map(({ value }) => value);
}

/** Blocks in random order, and the members of each: those of a block stay neighbours. */
export function shuffledBlocks<T>(blocks: readonly (readonly T[])[], random = Math.random): T[] {
  return shuffled(blocks, random).flatMap((block) => shuffled(block, random));
}

/**
 * The results of those that succeed: of all, or of those that have when the patience is over that begins once `enough`
 * have.
 */
export async function enoughOf<T>(
  work: readonly Promise<T>[],
  enough: number,
  patience: (signal: AbortSignal) => Promise<void>,
): Promise<T[]> {
  const results: T[] = [];
  const ended = new AbortController();
  let noteCount = (): void => undefined;
  const isOver = new Promise<void>((resolve) => {
    noteCount = () => {
      if (results.length === enough) void patience(ended.signal).then(resolve);
    };
  });
  noteCount();
  const all = work.map((each) =>
    each.then(
      (result) => {
        results.push(result);
        noteCount();
      },
      () => undefined,
    ),
  );
  await Promise.race([Promise.all(all), isOver]);
  ended.abort();
  return [...results];
}

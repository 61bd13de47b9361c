/** Rows and claims that do not hold yet, with what they wait for. The suites print them; empty is as it must be. */
export const pending: ReadonlyMap<string, string> = new Map([
  // A lane notices a lost session by itself, and its caller is told where no other member is left.
  ['chaos: no failed call while one member is well', 'operations that begin again on a new session'],
]);

export function printPending(): void {
  for (const [row, reason] of pending) process.stdout.write(`PENDING: ${row}: waits for ${reason}\n`);
}

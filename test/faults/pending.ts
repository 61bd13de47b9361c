/**
 * Rows and claims that do not hold yet, with the work that they wait for. The suites print them; the list should be
 * empty.
 */
export const pending: ReadonlyMap<string, string> = new Map<string, string>();

export function printPending(): void {
  for (const [row, reason] of pending) process.stdout.write(`PENDING: ${row}: waits for ${reason}\n`);
}

/** Rows that are not run yet, with what they wait for. The suites print them; empty is as it must be. */
export const pending: ReadonlyMap<string, string> = new Map([]);

export function printPending(): void {
  for (const [row, reason] of pending) process.stdout.write(`PENDING: ${row}: waits for ${reason}\n`);
}

/** Errors, and leaks of our code, in what one process wrote. */
export function findingsIn(report: string): string[];

/** Whether LeakSanitizer looked; it says so only where it found something, which in Node it always does. */
export function lookedForLeaks(report: string): boolean;

/** Errors, and leaks of our code, in the output of one process. */
export function findingsIn(report: string): string[];

/** Whether LeakSanitizer ran; it says so only if it found something, which in Node it always does. */
export function lookedForLeaks(report: string): boolean;

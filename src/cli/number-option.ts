import { InvalidArgumentError } from 'commander';

/** Parses a whole number; the server decides about the range. */
export function parseWholeNumber(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidArgumentError('Must be a whole number.');
  return Number(text);
}

/** Parses how long a command may take, in seconds. A value that is not a number would be no bound at all. */
export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds <= 0 || seconds > 3_600)
    throw new InvalidArgumentError('Must be a number of seconds, up to 3600.');
  return seconds;
}

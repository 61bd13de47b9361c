import { InvalidArgumentError } from 'commander';

/** Parses a whole number; what range is allowed is the server's to say. */
export function parseWholeNumber(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidArgumentError('Must be a whole number.');
  return Number(text);
}

import { InvalidArgumentError } from 'commander';

/** The values of an option that is given once for each member: `MEMBER=VALUE`. */
export type MemberValues = ReadonlyMap<string, string>;

/** Adds one `MEMBER=VALUE` to those before it. @throws InvalidArgumentError for another form, or a member twice */
export function collectMemberValue(text: string, before: MemberValues = new Map()): MemberValues {
  const separator = text.indexOf('=');
  const member = text.slice(0, separator);
  if (separator < 1 || separator === text.length - 1) throw new InvalidArgumentError('Must be MEMBER=VALUE.');
  if (before.has(member)) throw new InvalidArgumentError(`Member ${member} is named twice.`);
  return new Map(before).set(member, text.slice(separator + 1));
}

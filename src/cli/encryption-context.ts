import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';

/** Adds a repeatable `--<flag> name=value`. */
export function addContextOption(command: Command, flag = 'context', what = 'encryption context'): Command {
  const description = `${what}, one pair; repeatable. Seen in the audit log, so never a secret`;
  return command.option(`--${flag} <name=value>`, description, collectPair, new Map<string, string>());
}

/** Splits at the first `=`: a name cannot hold one, a value can. A name twice is refused, as the server would. */
function collectPair(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const separator = text.indexOf('=');
  if (separator < 1) throw new InvalidArgumentError('Must be name=value.');
  const name = text.slice(0, separator);
  if (before.has(name)) throw new InvalidArgumentError(`The name ${name} stands twice.`);
  return new Map(before).set(name, text.slice(separator + 1));
}

import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';

/** Adds a repeatable `--<flag> name=value`. */
export function addContextOption(command: Command, flag = 'context', what = 'encryption context'): Command {
  const description = `${what}, one pair; repeatable. It appears in the audit log: never a secret`;
  return command.option(`--${flag} <name=value>`, description, collectPair, new Map<string, string>());
}

/** Splits at the first `=`: a value may contain one, a name may not. A repeated name is refused, as by the server. */
function collectPair(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const separator = text.indexOf('=');
  if (separator < 1) throw new InvalidArgumentError('Must be name=value.');
  const name = text.slice(0, separator);
  if (before.has(name)) throw new InvalidArgumentError(`The name ${name} occurs twice.`);
  return new Map(before).set(name, text.slice(separator + 1));
}

/** The commands of docs/operating/disaster-recovery.md, as an operator would copy them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const page = fileURLToPath(new URL('../../docs/operating/disaster-recovery.md', import.meta.url));

/**
 * The lines of the shell blocks below a heading, without `holdfast` and what the shell does with the output.
 * @param heading without its marks. @throws if there are none
 */
export function commandsBelow(heading: string): string[][] {
  const [, section = ''] = readFileSync(page, 'utf8').split(`\n## ${heading}\n`);
  const [text = ''] = section.split('\n## ');
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  const inText = [...text.matchAll(/`(holdfast [^`]+)`/g)].map(([, line = '']) => line);
  const lines = [...inText, ...blocks.flatMap((block) => block.split('\n'))].map((line) => line.trim());
  const commands = lines.filter((line) => line.startsWith('holdfast ')).map((line) => line.replace(/ > .*$/, ''));
  if (commands.length === 0) throw new Error(`${heading} has no commands.`);
  return commands.map((line) => line.split(/\s+/).slice(1));
}

/** The one command below a heading that begins so. @throws unless there is exactly one */
export function commandBelow(heading: string, ...beginning: string[]): string[] {
  const found = commandsBelow(heading).filter((words) => beginning.every((word, index) => words[index] === word));
  const [words] = found;
  if (words === undefined || found.length > 1)
    throw new Error(`${heading} has ${found.length} of ${beginning.join(' ')}.`);
  return words;
}

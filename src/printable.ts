/**
 * Makes foreign strings printable. A description, a token's label or a server's message is shown, never obeyed: a line
 * break in it could forge a line of ours, an escape sequence could rewrite the screen, a bidirectional override could
 * reverse words.
 */

/** Controls, invisible formatting (with the bidirectional ones), line and paragraph separators, halves of surrogate pairs. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Matches most texts: nothing in them has to be escaped. */
const plain = /^[ -~]*$/;

/** The text as one line that shows everything in it. Escapes are written as in JSON. */
export function printable(text: string): string {
  if (plain.test(text)) return text;
  return text.replace(unprintable, (character) => named[character] ?? codeUnits(character));
}

/** A value as JSON that reads back unchanged and that a terminal cannot misread. */
export function printableJson(value: unknown): string[] {
  // JSON.stringify escapes line breaks in strings: the remaining ones are its own.
  return JSON.stringify(value, null, 2).split('\n').map(printable);
}

/** A value as one line of JSON, for files that people look at with `tail` and programs read. */
export function printableJsonLine(value: unknown): string {
  return printable(JSON.stringify(value));
}

function codeUnits(character: string): string {
  return Array.from({ length: character.length }, (_, index) => {
    return `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }).join('');
}

/**
 * Foreign text (a certificate's subject), on one line and without characters that a terminal or a log reader obeys:
 * control characters, line and paragraph separators, and changes of text direction become `\u….`.
 */
export function printable(text: string, maximumLength = 512): string {
  const escaped = text.replaceAll(
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udfff](?![\udc00-\udfff])/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
  return escaped.length <= maximumLength ? escaped : `${escaped.slice(0, maximumLength)}…`;
}

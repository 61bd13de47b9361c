/** A field's path in the proto's spelling, which callers and operators know: `tags[0].tagKey` → `tags[0].tag_key`. */
export function fieldName(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A field's path as callers and operators know it, from the proto: `tags[0].tagKey` → `tags[0].tag_key`. */
export function fieldName(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The values in a response after it was read. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };

/**
 * A message as protobuf's JSON with the names of the .proto file (`grpcurl` prints the same): snake_case, ISO dates,
 * base64 bytes, 64-bit numbers as strings, enum values by name; absent fields are left out.
 */
export function toProtoJson(value: unknown): JsonValue {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, entry]) => [String(key), toProtoJson(entry)]));
  if (Array.isArray(value)) return value.map(toProtoJson);
  if (typeof value !== 'object') throw new TypeError(`a ${typeof value} cannot stand in a response`);
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(entries.map(([name, entry]) => [snakeCase(name), toProtoJson(entry)]));
}

/** `cloudHsmClusterId` → `cloud_hsm_cluster_id`. */
function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * An enum value without the prefix that the proto style guide wants: `KEY_STATE_ENABLED` in a field `key_state` →
 * `ENABLED`. The prefix is the end of the field's name.
 */
export function withoutEnumPrefix(fieldName: string, value: string): string {
  const words = fieldName.replace(/s$/, '').toUpperCase().split('_');
  for (let start = 0; start < words.length; start++) {
    const prefix = `${words.slice(start).join('_')}_`;
    if (value.startsWith(prefix)) return value.slice(prefix.length);
  }
  return value;
}

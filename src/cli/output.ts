import type { ConnectionOptions } from './connection.js';
import type { JsonValue } from './proto-json.js';
import { toProtoJson, withoutEnumPrefix } from './proto-json.js';
import type { Terminal } from './terminal.js';
import { printable } from '../printable.js';
import { writeJson, writeLine, writeLines } from './terminal.js';

type OutputFormat = ConnectionOptions['output'];

/** Prints one record: a line for each field, or JSON. */
export async function printRecord(terminal: Terminal, format: OutputFormat, message: object): Promise<void> {
  const json = toProtoJson(message);
  if (format === 'json') return writeJson(terminal.stdout, json);
  const rows = flatten(json as Record<string, JsonValue>, '');
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  for (const [name, value] of rows) await writeLine(terminal.stdout, `${name.padEnd(width)}  ${value}`);
}

/** Prints a list: a table with these columns, or all fields as JSON under `name`. */
export async function printList(
  terminal: Terminal,
  format: OutputFormat,
  list: { name: string; items: readonly object[]; columns: readonly string[] },
): Promise<void> {
  const items = list.items.map((item) => toProtoJson(item) as Record<string, JsonValue>);
  if (format === 'json') return writeJson(terminal.stdout, { [list.name]: items });
  // Escaped before the table is laid out: a line break would become a row.
  const rows = items.map((item) => list.columns.map((column) => printable(show(column, item[column] ?? null))));
  const { tableLines } = await import('./table.js');
  await writeLines(terminal.stdout, tableLines(list.columns, rows));
}

/** Prints sentences for people, one per line. As JSON it prints `json` if that is given, and otherwise nothing. */
export async function printDone(
  terminal: Terminal,
  format: OutputFormat,
  sentence: string | readonly string[],
  json: object = {},
): Promise<void> {
  if (format === 'json') return writeJson(terminal.stdout, toProtoJson(json));
  await writeLines(terminal.stdout, [sentence].flat());
}

function flatten(fields: Record<string, JsonValue>, prefix: string): [string, string][] {
  return Object.entries(fields).flatMap(([name, value]): [string, string][] => {
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      return flatten(value, `${prefix}${name}.`);
    if (Array.isArray(value) && value.length === 0) return [];
    return [[prefix + name, show(name, value)]];
  });
}

function show(name: string, value: JsonValue): string {
  if (value === null) return '-';
  if (typeof value === 'string') return withoutEnumPrefix(name, value);
  if (Array.isArray(value)) return value.map((entry) => show(name, entry)).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

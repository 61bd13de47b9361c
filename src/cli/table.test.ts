import { expect, test } from 'vitest';
import { tableLines } from './table.js';

test('columns are as wide as their widest cell on the screen', () => {
  const lines = tableLines(
    ['name', 'state'],
    [
      ['鍵', 'Enabled'],
      ['a longer name', ''],
    ],
  );
  expect(lines).toEqual(['name           state', '鍵             Enabled', 'a longer name']);
});

test('a table of many rows is laid out', () => {
  const rows = Array.from({ length: 50_000 }, (_, index) => [String(index), 'x'.repeat(index % 7)]);
  const lines = tableLines(['number', 'x'], rows);
  expect([lines.length, lines.at(-1)]).toEqual([50_001, '49999   xxxxx']);
});

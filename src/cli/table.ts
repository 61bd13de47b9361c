import stringWidth from 'string-width';

const gap = '  ';

/**
 * The lines of a table without borders, which awk can split. Takes time in proportion to the rows.
 * @param rows cells without line breaks, as many in each row as in the head
 */
export function tableLines(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((name) => stringWidth(name));
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, stringWidth(cell));
  const padded = (cell: string, column: number): string => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell));
  return [head, ...rows].map((row) => row.map(padded).join(gap).trimEnd());
}

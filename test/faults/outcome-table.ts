/** The matrix's outcomes, as docs/faults/outcomes.md keeps them: one row for each kind. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { CellOutcome } from './matrix.js';

const document = fileURLToPath(new URL('../../docs/faults/outcomes.md', import.meta.url));

const header = [
  '| the HSM … | one member: answers | slowest, ms | back after, ms | three members: answers | slowest, ms | back after, ms |',
  '| --- | --- | ---: | ---: | --- | ---: | ---: |',
];

/** The table's lines. */
function outcomeTable(outcomes: readonly CellOutcome[]): string[] {
  const kinds = [...new Set(outcomes.map(({ kind }) => kind))];
  const row = (kind: string): string => {
    const cells = [1, 3].flatMap((memberCount) =>
      halfRow(outcomes.filter((outcome) => outcome.kind === kind && outcome.memberCount === memberCount)),
    );
    return `| ${[kind, ...cells].join(' | ')} |`;
  };
  return [...header, ...kinds.map(row)];
}

function halfRow(outcomes: readonly CellOutcome[]): string[] {
  if (outcomes.length === 0) return ['–', '–', '–'];
  const back = outcomes.map(({ recoveredMs }) => recoveredMs).filter((each) => each !== null);
  const slowest = Math.max(...outcomes.map(({ slowestMs }) => slowestMs));
  return [answersOf(outcomes), slowest.toFixed(0), back.length === 0 ? 'not by itself' : Math.max(...back).toFixed(0)];
}

/** Operations with the same answers share one entry: `ok 12; CreateKey: KMS_INTERNAL 2`. */
function answersOf(outcomes: readonly CellOutcome[]): string {
  const failsOver = sumOf(outcomes.filter((outcome) => outcome.failsOver));
  const others = outcomes
    .filter((outcome) => !outcome.failsOver)
    .map((outcome) => `${outcome.operation}: ${sumOf([outcome])}`);
  return [failsOver, ...others].filter((text) => text !== '').join('; ');
}

function sumOf(outcomes: readonly CellOutcome[]): string {
  const sums = new Map<string, number>();
  for (const { answers } of outcomes) {
    for (const [answer, count] of Object.entries(answers)) sums.set(answer, (sums.get(answer) ?? 0) + count);
  }
  return [...sums].map(([answer, count]) => `${answer} ${count}`).join(', ');
}

export function printOutcomes(outcomes: readonly CellOutcome[]): void {
  printTable(outcomeTable(outcomes));
}

export function updateDocumentedOutcomes(outcomes: readonly CellOutcome[]): void {
  updateDocumentedTable('outcomes', outcomeTable(outcomes));
}

export function printTable(lines: readonly string[]): void {
  process.stdout.write(`\n${lines.join('\n')}\n`);
}

/** The tables of docs/faults/outcomes.md that the suites write. */
export type DocumentedTable = 'outcomes' | 'killed' | 'blast';

const marks = (name: DocumentedTable): [begin: string, end: string] => [
  `<!-- ${name}: written by \`npm run test:faults\` -->`,
  `<!-- end of ${name} -->`,
];

export function documentedTable(name: DocumentedTable): string {
  const [begin, end] = marks(name);
  return readFileSync(document, 'utf8').split(begin)[1]?.split(end)[0] ?? '';
}

export function updateDocumentedTable(name: DocumentedTable, lines: readonly string[]): void {
  const [begin, end] = marks(name);
  const [before, rest] = readFileSync(document, 'utf8').split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`outcomes.md has no place for the ${name}.`);
  writeFileSync(document, `${before}${begin}\n\n${lines.join('\n')}\n\n${end}${after}`);
}

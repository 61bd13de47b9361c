/** One problem of a configuration. */
export interface ConfigurationProblem {
  /** Its place: `clusters[0].members[1].name`, or '' for the file as a whole. */
  readonly path: string;
  /** The problem and its remedy, in one or two sentences. */
  readonly message: string;
}

/** All problems of a configuration at once. The only error that `config/` throws for an operator's mistakes. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly file: string;
  readonly problems: readonly ConfigurationProblem[];

  constructor(file: string, problems: readonly ConfigurationProblem[], options: { cause?: unknown } = {}) {
    super([`${file} cannot be used:`, ...problems.map((problem) => `  ${formatProblem(problem)}`)].join('\n'), options);
    this.file = file;
    this.problems = problems;
  }
}

/** `path: message`, as a line of an error. */
export function formatProblem(problem: ConfigurationProblem): string {
  return problem.path === '' ? problem.message : `${problem.path}: ${problem.message}`;
}

/** `['clusters', 0, 'name']` → `clusters[0].name`. Names that would read as something else are quoted. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(String(part))) text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** The name in `known` that `name` was most likely meant to be: at most a third of its letters differ. */
export function closestName(name: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` Did you mean <name>?`, or nothing. */
export function suggestion(name: string, known: Iterable<string>): string {
  const closest = closestName(name, known);
  return closest === undefined ? '' : `; did you mean ${closest}?`;
}

/** Levenshtein distance. Names longer than any of ours are cut: they are far from every one. */
function editDistance(left: string, right: string): number {
  const [from, to] = [left.slice(0, 64), right.slice(0, 64)];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const substitution = at(previous, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(at(previous, column) + 1, at(current, column - 1) + 1, substitution));
    }
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? 0;
}

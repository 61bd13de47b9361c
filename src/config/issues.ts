import type * as z from 'zod';
import type { ConfigurationProblem } from './problem.js';
import { formatPath } from './problem.js';
import { unknownKeySeparator } from './schema.js';

/** Zod's issues in our words: where, what, and the remedy. */
export function problemsOf(issues: readonly z.core.$ZodIssue[]): ConfigurationProblem[] {
  return issues.flatMap((issue) => problemsOfIssue(issue));
}

function problemsOfIssue(issue: z.core.$ZodIssue): ConfigurationProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const messages = issue.message.split(unknownKeySeparator);
    return issue.keys.map((key, index) => ({
      path: formatPath([...issue.path, key]),
      message: messages[index] ?? 'unknown key',
    }));
  }
  if (issue.code === 'invalid_key') {
    return [{ path: formatPath(issue.path), message: `this name ${issue.issues[0]?.message ?? 'is not allowed'}` }];
  }
  return [{ path: formatPath(issue.path), message: messageOf(issue) }];
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' || issue.code === 'invalid_value' || issue.code === 'invalid_union') {
    if (issue.input === undefined) return 'is required';
  }
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    return `must be ${typeNames[issue.expected] ?? issue.expected}, not ${describe(issue.input)}`;
  }
  if (issue.code === 'too_small' && issue.origin === 'number') return `must be at least ${issue.minimum}`;
  if (issue.code === 'too_big' && issue.origin === 'number') return `must be at most ${issue.maximum}`;
  if (issue.code === 'too_small' && issue.message.startsWith('Too small')) return 'must not be empty';
  return issue.message;
}

const typeNames: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section with keys',
  record: 'a section with keys',
};

function describe(input: unknown): string {
  if (input === null) return 'empty';
  if (Array.isArray(input)) return 'a list';
  const name = { string: 'text', object: 'a section with keys', boolean: 'true or false' }[typeof input as string];
  return name ?? `a ${typeof input}`;
}

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { FieldConstraint } from '../../api/constraint.js';
import { operationNames } from '../../operations/registry.js';
import { requestConstraints } from '../../api/request-constraints.js';

/** A declaration of a proto file and the comment above it. */
interface Declaration {
  /** `Message.field`, `Enum.VALUE`, `Service.Method`, or a name of the top level. */
  path: string;
  kind: 'rpc' | 'service' | 'message' | 'enum' | 'member';
  comment: string[];
}

const declarations = ['kms', 'admin'].flatMap((name) => {
  const folder = new URL(`../../../proto/holdfast/${name}/v1/`, import.meta.url);
  return readdirSync(folder).flatMap((file) => read(readFileSync(new URL(file, folder), 'utf8')));
});

/** Our protos have one declaration a line and no nested types. */
function read(proto: string): Declaration[] {
  const found: Declaration[] = [];
  let comment: string[] = [];
  let container = '';
  for (const line of proto.slice(proto.indexOf('package ')).split('\n')) {
    const text = line.trim();
    const opened = /^(service|message|enum) (\w+) \{/.exec(text);
    const member =
      /^(?:rpc (\w+)\(|(?:optional |repeated )?[\w.]+(?:<.*>)? (\w+) = \d+;|([A-Z][A-Z0-9_]*) = \d+;)/.exec(text);
    if (opened?.[1] !== undefined && opened[2] !== undefined) {
      container = opened[2];
      found.push({ path: container, kind: opened[1] as Declaration['kind'], comment });
    } else if (member !== null) {
      const name = member[1] ?? member[2] ?? member[3] ?? '';
      found.push({ path: `${container}.${name}`, kind: member[1] === undefined ? 'member' : 'rpc', comment });
    }
    comment = text.startsWith('//') ? [...comment, text.slice(2).trim()] : [];
  }
  return found;
}

const rpcs = declarations.filter(({ kind }) => kind === 'rpc');

test('every declaration has a comment', () => {
  expect(declarations.length).toBeGreaterThan(300);
  const bare = declarations.filter(({ comment }) => !comment.some((line) => line.length > 3));
  expect(bare.map(({ path }) => path)).toEqual([]);
});

test('every rpc states limits, errors, callers, its cost for the HSM and its source', () => {
  expect(rpcs).toHaveLength(operationNames.length);
  for (const { path, comment } of rpcs) {
    const labels = comment.flatMap((line) => /^(Limits|Errors|Callers|HSM cost|Source): \S/.exec(line)?.[1] ?? []);
    expect([path, ...labels]).toEqual([path, 'Limits', 'Errors', 'Callers', 'HSM cost', 'Source']);
  }
});

test('every refused field says so', () => {
  const saysSo = (path: string): boolean => {
    const comment = declarations.find((declaration) => declaration.path === path)?.comment.join(' ') ?? '';
    return /not honoured yet: refused with UNSUPPORTED_OPERATION/i.test(comment);
  };
  for (const method of operationNames) {
    for (const [name, constraint] of Object.entries<FieldConstraint>(requestConstraints[method])) {
      const path = `${method}Request.${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
      const told = Array.isArray(constraint.unsupported) || saysSo(path);
      if (constraint.unsupported !== 'never') expect([path, told]).toEqual([path, true]);
    }
  }
});

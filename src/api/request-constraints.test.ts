import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FieldConstraints, Shape } from './constraint.js';
import { type KmsOperationName, kmsOperationNames } from './kms-operations.js';
import { requestShapes } from './gen/request-shapes.js';
import { requestConstraints } from './request-constraints.js';
import { unsupportedEverywhere, unsupportedFields } from './unsupported-fields.js';

interface ModelShape {
  type: string;
  min?: number;
  max?: number;
  pattern?: string;
  enum?: string[];
  sensitive?: boolean;
  member?: ModelShape;
  members?: Record<string, ModelShape>;
  required?: string[];
}

const model = JSON.parse(readFileSync(new URL('../../proto/aws/kms-model.json', import.meta.url), 'utf8')) as {
  operations: Record<string, { input: ModelShape }>;
};

const camelCase = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

function compareFields(constraints: FieldConstraints, shape: ModelShape, path: string): void {
  const members = shape.members ?? {};
  expect(Object.keys(constraints).sort(), path).toEqual(Object.keys(members).map(camelCase).sort());
  for (const [name, member] of Object.entries(members)) {
    const constraint = constraints[camelCase(name)];
    expect(constraint?.required, `${path}.${name}`).toBe(shape.required?.includes(name) ?? false);
    if (constraint !== undefined) compareShape(constraint.shape, member, `${path}.${name}`);
  }
}

function compareShape(shape: Shape, modelShape: ModelShape, path: string): void {
  // The cluster's configuration may widen the password's limit; the operations check it.
  const max = path.endsWith('.KeyStorePassword') ? 255 : modelShape.max;
  switch (shape.kind) {
    case 'text':
      expect({ type: 'string', min: shape.min, max: shape.max }, path).toEqual({ ...pick(modelShape), max });
      expect(shape.pattern === undefined, path).toBe(modelShape.pattern === undefined);
      return;
    case 'bytes':
    case 'secret-text':
      expect({ min: shape.min, max: shape.max }, path).toEqual({ min: modelShape.min, max });
      return;
    case 'integer':
      expect({ type: 'integer', min: shape.min, max: shape.max }, path).toEqual(pick(modelShape));
      return;
    case 'choice':
      expect(new Set(shape.values), path).toEqual(new Set(modelShape.enum));
      return;
    case 'flag':
    case 'context':
      expect(modelShape.type, path).toBe(shape.kind === 'flag' ? 'boolean' : 'map');
      return;
    case 'list':
      expect([shape.min, shape.max], path).toEqual([modelShape.min ?? 0, modelShape.max ?? Number.MAX_SAFE_INTEGER]);
      compareShape(shape.of, modelShape.member ?? { type: 'missing' }, `${path}[]`);
      return;
    case 'structure':
      compareFields(shape.fields, modelShape, path);
  }
}

function pick({ type, min, max }: ModelShape): { type: string; min: number | undefined; max: number | undefined } {
  return { type, min, max };
}

describe('requestConstraints', () => {
  it.each(kmsOperationNames)('%s has the fields and limits of the published model', (method) => {
    const operation = model.operations[method];
    if (operation === undefined) throw new Error(`The model has no ${method}.`);
    compareFields(requestConstraints[method], operation.input, method);
  });

  it('has only methods of the model', () => {
    const published = Object.keys(model.operations);
    expect(kmsOperationNames.filter((name) => !published.includes(name))).toEqual([]);
  });

  it('lists as unsupported only fields and values that the model has', () => {
    const fields = new Set(kmsOperationNames.flatMap((method) => Object.keys(requestShapes[method])));
    expect(Object.keys(unsupportedEverywhere).filter((name) => !fields.has(name))).toEqual([]);
    for (const [method, unsupported] of Object.entries(unsupportedFields)) {
      const shapes: FieldConstraints = requestShapes[method as KmsOperationName];
      expect(Object.keys(unsupported).filter((name) => !(name in shapes))).toEqual([]);
      for (const [name, rule] of Object.entries(unsupported)) {
        if (typeof rule === 'string') continue;
        const shape = shapes[name]?.shape;
        const values = shape?.kind === 'choice' ? shape.values : [];
        expect(rule.honoured.filter((value) => !values.includes(value))).toEqual([]);
      }
    }
  });
});

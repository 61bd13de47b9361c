import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../audit/event.js';
import { printableJsonLine } from '../printable.js';
import { AuditRecordLines } from './audit-record-lines.js';

/** Few values, so that records share parts; among them everything that must be escaped. */
const text = fc.constantFrom('', 'a', 'b', '"', '\\', 'ü漢🔑', '\n', '\u202e', '\u{e0001}', '\ud800', '\u007f');
/** Of fields whose fragments are kept: so few that records often differ in one of them alone. */
const few = fc.constantFrom('a', '"\u202e');
const list = fc.array(few, { maxLength: 2 });
/** Usually left out. */
function seldom<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> {
  return fc.oneof({ arbitrary: fc.constant(null), weight: 7 }, { arbitrary: value, weight: 1 });
}

/** The fields in the dispatcher's order. */
const event: fc.Arbitrary<AuditEvent> = fc
  .record({
    time: fc.constantFrom('2026-11-26T10:00:00.000Z', '2026-11-26T10:00:00.001Z', '\u009b'),
    requestId: text,
    face: fc.constantFrom('grpc', 'aws'),
    operation: fc.constantFrom('Encrypt', 'Decrypt'),
    principal: fc.option(few),
    certificate: seldom(fc.record({ subject: text, subjectAlternativeNames: text, sha256: text })),
    sourceAddress: few,
    actions: list,
    decidedBy: fc.option(list),
    resources: list,
    outcome: fc.constantFrom('success', 'success', 'success', 'denied', 'failed', 'started'),
    errorCode: seldom(text),
    parameters: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.dictionary(text, text))),
    durationMs: fc.oneof(fc.double(), fc.constantFrom(0.271, 0, -0, 1e21)),
  })
  .map(({ certificate, decidedBy, ...rest }) => {
    const ofCaller = certificate === null ? {} : { certificate };
    const { time, requestId, face, operation, principal, ...after } = rest;
    const { sourceAddress, actions, ...last } = after;
    const decided = decidedBy === null ? {} : { decidedBy };
    const first = { time, requestId, face, operation, principal, ...ofCaller };
    return { ...first, sourceAddress, actions, ...decided, ...last };
  });

const usual: AuditEvent = {
  time: '2026-11-26T10:00:00.000Z',
  requestId: '1',
  face: 'grpc',
  operation: 'Encrypt',
  principal: 'arn:aws:iam::111122223333:user/app',
  sourceAddress: '10.0.0.1',
  actions: ['kms:Encrypt'],
  decidedBy: ['role:user'],
  resources: ['arn:aws:kms:eu-central-1:111122223333:key/k'],
  outcome: 'success',
  errorCode: null,
  parameters: { key_id: 'alias/app', encryption_context: {} },
  durationMs: 0.27,
};

describe('lines of audit records', () => {
  it.each([1, 2, 2_000])('have the same bytes whatever was written before, with room for %i', (capacity) => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 40 }), (events) => {
        const lines = new AuditRecordLines(capacity);
        for (const each of events) expect(lines.lineOf(each)).toBe(printableJsonLine(each));
      }),
    );
  });

  it('differ if a single field differs from the record before', () => {
    const lines = new AuditRecordLines();
    const changes: Partial<AuditEvent>[] = [
      { time: 'later' },
      { requestId: '2' },
      { face: 'aws' },
      { operation: 'Decrypt' },
      { principal: 'another' },
      { sourceAddress: '10.0.0.2' },
      { actions: ['kms:Decrypt'] },
      { actions: ['kms:Encrypt', 'kms:Decrypt'] },
      { decidedBy: ['role:administrator'] },
      { resources: [...usual.resources, 'another'] },
      { outcome: 'failed', errorCode: 'DISABLED' },
      { parameters: {} },
      { durationMs: 1 },
    ];
    for (const change of changes) {
      expect(lines.lineOf(usual)).toBe(JSON.stringify(usual));
      expect(lines.lineOf({ ...usual, ...change })).toBe(JSON.stringify({ ...usual, ...change }));
    }
  });

  it('are right for a caller with more addresses than are kept', () => {
    const lines = new AuditRecordLines();
    for (let number = 0; number < 100; number += 1) {
      const record = { ...usual, sourceAddress: `10.0.0.${number % 40}` };
      expect(lines.lineOf(record)).toBe(JSON.stringify(record));
    }
  });
});

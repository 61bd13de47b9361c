import { expect, test } from 'vitest';
import { flameGraph } from './flame-graph.js';

const node = (id: number, functionName: string, url: string, children: number[] = []) => ({
  id,
  callFrame: { functionName, url, lineNumber: 9 },
  children,
});

const profile = {
  nodes: [
    node(1, '(root)', '', [2, 3, 6]),
    node(2, '(idle)', ''),
    node(3, 'answer', 'file:///x/dist/faces/grpc/handler.js', [4, 5]),
    node(4, '<encode>', 'file:///x/dist/faces/grpc/codec.js'),
    node(5, 'respond', 'node:internal/http2/core'),
    node(6, 'answer', 'file:///x/dist/faces/grpc/handler.js', [7]),
    node(7, 'respond', 'node:internal/http2/core'),
  ],
  samples: [2, 3, 4, 5, 7],
  timeDeltas: [1_000, 10, 30, 40, 20],
};

/** Name and share in percent of each drawn frame. */
function framesOf(svg: string): string[] {
  return [...svg.matchAll(/<title>(.*?)<\/title>/g)].map(([, title = '']) => title);
}

test('frames are as wide as their share of the busy time, one for each way to them', () => {
  const svg = flameGraph(profile, 'A & B');
  expect(framesOf(svg)).toEqual([
    'answer grpc/handler.js:10: 100.0 %',
    'respond http2/core:10: 60.0 %',
    '&lt;encode&gt; grpc/codec.js:10: 30.0 %',
  ]);
  expect([...svg.matchAll(/<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g)].map((match) => match.slice(1))).toEqual([
    ['0.0', '0', '1200.0'],
    ['0.0', '16', '720.0'],
    ['720.0', '16', '360.0'],
  ]);
  expect(svg).toContain('A &amp; B');
});

test('frames too narrow to be seen are left out', () => {
  const [idle, ...deltas] = profile.timeDeltas;
  const svg = flameGraph({ ...profile, timeDeltas: [idle ?? 0, ...deltas.slice(0, 1), 0.1, ...deltas.slice(2)] }, '');
  expect(framesOf(svg).some((frame) => frame.includes('encode'))).toBe(false);
});

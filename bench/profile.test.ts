import { expect, test } from 'vitest';
import { summariseProfile } from './profile.js';

const node = (id: number, functionName: string, url = '') => ({ id, callFrame: { functionName, url, lineNumber: 9 } });

test('self time is reported by function and by owner, as a share of the busy time', () => {
  const summary = summariseProfile({
    nodes: [
      node(1, '(idle)'),
      node(2, 'append', 'file:///x/dist/storage/audit-file.js'),
      node(3, 'send', 'file:///x/node_modules/@grpc/grpc-js/build/src/server.js'),
      node(4, '', 'node:http2'),
      node(5, 'encrypt'),
      node(6, 'call', 'file:///x/dist/faces/grpc/handler.js'),
    ],
    samples: [1, 2, 3, 4, 5, 6, 2],
    timeDeltas: [100, 10, 20, 30, 20, 10, 10],
  });
  expect(summary.idleShare).toBe(0.5);
  expect(summary.functions[0]).toEqual({ name: '(anonymous) node:http2:10', share: 0.3 });
  expect(summary.owners).toEqual(
    expect.arrayContaining([
      { name: 'holdfast/storage', share: 0.2 },
      { name: 'holdfast/faces/grpc', share: 0.1 },
      { name: '@grpc/grpc-js', share: 0.2 },
      { name: 'node', share: 0.3 },
      { name: 'native', share: 0.2 },
    ]),
  );
});

import { expect, test } from 'vitest';
import type { FlameFrame } from './flame-graph.js';
import { foldStacks, lastNames, ofTheLoad, readPerfScript, summariseSamples } from './perf-stacks.js';

/**
 * Output of perf, shortened: the lane in the kernel and in SoftHSM, the main thread from the event loop and from
 * JavaScript, a helper thread.
 */
const script = `
node 70/70     1.000000: 
\t          111a719 v8::internal::Runtime_CompileLazy (/usr/bin/node)

hf-lane 70/75     7.100000: 
\tffffffff816d2183 do_filp_open ([kernel.kallsyms])
\t           f8090 __GI___libc_open (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t           90a44 [unknown] (/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so)
\t           927b9 [unknown] (/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so)
\t           217d3 C_EncryptInit (/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so)
\t           75d35 holdfast::(anonymous namespace)::Encrypt::run (/home/who/native/build/Release/holdfast.node)
\t           891f4 start_thread (/usr/lib/x86_64-linux-gnu/libc.so.6)

hf-lane 70/75     7.200000: 
\t           217d3 C_EncryptInit (/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so)
\t           75d35 holdfast::(anonymous namespace)::Encrypt::run (/home/who/native/build/Release/holdfast.node)
\t           891f4 start_thread (/usr/lib/x86_64-linux-gnu/libc.so.6)

node 70/70     7.300000: 
\t           98f32 cfree@GLIBC_2.2.5 (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t           29e43 Napi::TypedThreadSafeFunction<A, void, &B<C>::wake>::CallJsInternal (/home/who/native/build/Release/holdfast.node)
\t         14c05fa uv__io_poll (/usr/bin/node)
\t         14ac8a7 uv_run (/usr/bin/node)
\tffffffffffffffff [unknown] ([unknown])

node 70/70     7.400000: 
\t         155e475 Builtins_CallApiCallback (/usr/bin/node)
\t    7f01103a7fdb JS:*caller file:///home/who/bench/addon-load.ts:39:18 (/tmp/perf-70.map)

node 70/72     7.500000: 
\t          d0f007 v8::internal::Heap::Scavenge (/usr/bin/node)
\t          208090 EVP_EncryptUpdate (/usr/lib/x86_64-linux-gnu/libcrypto.so.3)

hf-lane 70/75     7.600000: 
\t           891f4 start_thread (/usr/lib/x86_64-linux-gnu/libc.so.6)

node 70/70     8.000000: 
\t          d0f007 node::Stop (/usr/bin/node)
`;

/** Each frame with its weight and owner, indented below its caller. */
function lines({ children }: FlameFrame, indent = ''): string[] {
  return [...children.values()].flatMap((child) => [
    `${indent}${child.weight} ${child.name} [${child.owner}]`,
    ...lines(child, `${indent} `),
  ]);
}

test('stacks are folded by thread, with names to read and without the folders of the machine', () => {
  const root = foldStacks(ofTheLoad(readPerfScript(script), 2));
  expect(root.weight).toBe(6);
  expect(lines(root)).toEqual([
    '3 hf-lane [thread]',
    ' 3 start_thread [libc]',
    '  2 holdfast::Encrypt::run [holdfast/addon]',
    '   2 C_EncryptInit [SoftHSM]',
    '    1 (libsofthsm2.so) [SoftHSM]',
    '     1 __libc_open [libc]',
    '      1 do_filp_open [kernel]',
    '2 main thread [thread]',
    ' 1 uv__io_poll [node and V8]',
    '  1 Napi::TypedThreadSafeFunction::CallJsInternal [holdfast/addon]',
    '   1 cfree [libc]',
    ' 1 caller bench/addon-load.ts:39 [node and V8]',
    '  1 Builtins_CallApiCallback [node and V8]',
    "1 V8's helpers [thread]",
    ' 1 EVP_EncryptUpdate [libcrypto]',
    '  1 v8::internal::Heap::Scavenge [node and V8]',
  ]);
});

test('samples before and after the load are not counted', () => {
  const times = (seconds: number) => ofTheLoad(readPerfScript(script), seconds).map(({ timeSeconds }) => timeSeconds);
  expect(times(100)).toEqual([1, 7.1, 7.2, 7.3, 7.4, 7.5, 7.6]);
  expect(times(0.35)).toEqual([7.3, 7.4, 7.5, 7.6]);
});

test('time is reported by thread, by owner of the code, and by caller of the kernel and the libraries', () => {
  const samples = ofTheLoad(readPerfScript(script), 0.55).slice(0, 4);
  const { threads, owners, callers } = summariseSamples(samples);
  expect(threads).toEqual([
    { name: 'hf-lane', share: 0.5 },
    { name: 'main thread', share: 0.5 },
  ]);
  expect(owners).toEqual([
    { name: 'kernel', share: 0.25 },
    { name: 'SoftHSM', share: 0.25 },
    { name: 'libc', share: 0.25 },
    { name: 'node and V8', share: 0.25 },
  ]);
  expect(callers).toEqual([
    { name: 'SoftHSM', share: 0.5 },
    { name: 'holdfast/addon', share: 0.25 },
    { name: 'node and V8', share: 0.25 },
  ]);
});

test('the last of several functions that V8 put in one place keeps it', () => {
  const map = '1000 40 JS:~gone a:1:1\n1080 40 JS:~gone b:1:1\n2000 40 JS:~stays c:1:1\n1020 80 JS:*caller d:1:1\n';
  expect(lastNames(map)).toBe('1020 80 JS:*caller d:1:1\n2000 40 JS:~stays c:1:1\n');
  expect(lastNames('1000 80 JS:~gone a:1:1\n1040 10 JS:~here b:1:1\n')).toBe('1040 10 JS:~here b:1:1\n');
});

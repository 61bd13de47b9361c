import { expect, test } from 'vitest';
import { findingsIn, lookedForLeaks } from '../../scripts/sanitizer-reports.mjs';

const heading =
  '\n=================================================================\n==7==ERROR: LeakSanitizer: detected memory leaks\n';
const operatorNew =
  '    #0 0x7f0 in operator new(unsigned long) ../../../../src/libsanitizer/asan/asan_new_delete.cpp:95';
const lane = '    #2 0x7f2 in holdfast::Lane::run() /tree/native/src/lane.cc:40';
const template =
  '    #1 0x7f1 in std::__new_allocator<char>::allocate(unsigned long, void const*) /usr/include/c++/12/bits/new_allocator.h:137';
const node = '    #1 0xc50 in napi_create_reference (/usr/bin/node+0xc50f19)';

function leak(...frames: string[]): string {
  return ['Direct leak of 32 byte(s) in 1 object(s) allocated from:', operatorNew, ...frames].join('\n');
}

test('a leak of our code is found, even if a template allocated for it', () => {
  const report = `${heading}\n${leak(template, lane)}\n\nSUMMARY: AddressSanitizer: 32 byte(s) leaked in 1 allocation(s).\n`;
  expect(findingsIn(report)).toEqual([leak(template, lane)]);
  expect(lookedForLeaks(report)).toBe(true);
});

test.each([
  '    #1 0x7f2 in holdfast::Lane::run() ../src/lane.cc:40',
  '    #1 0x7f2 in (anonymous) ../src/threads.cc:26',
  '    #1 0x7f2 in (anonymous) /tree/test/vendor-hsm/vendor_hsm.cc:40',
])('our code is known by its name or its source: %s', (frame) => {
  expect(findingsIn(`${heading}\n${leak(frame)}\n`)).toEqual([leak(frame)]);
});

test('allocations of Node are V8’s to free, even if our code asked for them', () => {
  expect(findingsIn(`${heading}\n${leak(node, lane)}\n\n${leak(node)}\n`)).toEqual([]);
});

test('a leak without known frames counts as ours', () => {
  expect(findingsIn(`${heading}\n${leak()}\n\n${leak(node)}\n`)).toEqual([leak()]);
});

test.each([
  '==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x60200000eef0',
  '/tree/native/src/search.cc:12:3: runtime error: signed integer overflow',
  '==7==LeakSanitizer has encountered a fatal error.',
  '==7==You are trying to dlopen a /x.so shared library with RTLD_DEEPBIND flag which is incompatible with sanitizer runtime',
])('an error is found: %s', (line) => {
  expect(findingsIn(`AddressSanitizer: some warning\n${line}\n    #0 0x7f0 in one\n`)).toEqual([
    `${line}\n    #0 0x7f0 in one`,
  ]);
});

test('a program without findings reports none', () => {
  expect(findingsIn('')).toEqual([]);
  expect(lookedForLeaks('')).toBe(false);
});

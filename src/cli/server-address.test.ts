import { describe, expect, test } from 'vitest';
import { CliError } from './exit-codes.js';
import { proxyVariableFor } from './proxy.js';
import { defaultPort, grpcTarget, isLoopback, parseServerAddress } from './server-address.js';

describe('parseServerAddress', () => {
  test.each([
    ['kms.example', `kms.example:${defaultPort}`],
    ['kms.example:9000', 'kms.example:9000'],
    ['localhost', `localhost:${defaultPort}`],
    ['127.0.0.1', `127.0.0.1:${defaultPort}`],
    ['127.0.0.1:443', '127.0.0.1:443'],
    ['::1', `[::1]:${defaultPort}`],
    ['[::1]', `[::1]:${defaultPort}`],
    ['[::1]:8000', '[::1]:8000'],
    ['2001:db8::7443', `[2001:db8::7443]:${defaultPort}`],
    ['fe80::1%eth0', `[fe80::1%eth0]:${defaultPort}`],
  ])('%s is %s', (text, target) => {
    expect(grpcTarget(parseServerAddress(text))).toBe(target);
  });

  test.each([
    '',
    ':7443',
    'host:',
    'host:0',
    'host:65536',
    'host:x',
    'https://host',
    'a b',
    '[::1',
    '[host]:1',
    'a:1:2',
    'host/path',
  ])('%j is refused, and the message names the allowed forms', (text) => {
    expect(() => parseServerAddress(text)).toThrow(CliError);
  });
});

test('this machine is recognised by its names and addresses, not by similar ones', () => {
  for (const host of [
    'localhost',
    'LOCALHOST',
    'a.localhost',
    'localhost.',
    '127.0.0.1',
    '127.255.0.9',
    '::1',
    '::ffff:127.0.0.1',
    '0.0.0.0',
    '::',
  ])
    expect(isLoopback(host), host).toBe(true);
  for (const host of [
    'localhost.example',
    'notlocalhost',
    '128.0.0.1',
    '::2',
    'fe80::1%lo',
    '127.0.0.1.example',
    '10.0.0.1',
  ])
    expect(isLoopback(host), host).toBe(false);
});

describe('proxyVariableFor', () => {
  const names = ['grpc_proxy', 'https_proxy', 'http_proxy'];
  const proxy = 'http://proxy.example:3128';

  test.each(names)('%s is used, but not in upper case, and never for loopback', (name) => {
    expect(proxyVariableFor('kms.example', { [name]: proxy })).toEqual({ name, isUsed: true });
    const upper = name.toUpperCase();
    expect(proxyVariableFor('kms.example', { [upper]: proxy })).toEqual({ name: upper, isUsed: false });
    for (const host of ['localhost', '127.0.0.1', '::1'])
      expect(proxyVariableFor(host, { [name]: proxy, [upper]: proxy })).toBeUndefined();
    expect(proxyVariableFor('kms.example', { [name]: '' })).toBeUndefined();
  });

  test('the first variable in the order of gRPC counts', () => {
    const environment = Object.fromEntries(names.map((name) => [name, proxy]));
    expect(proxyVariableFor('kms.example', environment)?.name).toBe('grpc_proxy');
  });

  const exceptions: [list: string, host: string, excepted: boolean][] = [
    ['example', 'kms.example', true],
    ['.example, other', 'kms.example', true],
    ['KMS.example', 'kms.EXAMPLE', true],
    ['*', 'kms.example', true],
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.0/99', '10.1.2.3', false],
    ['10.0.0.0/8', 'kms.example', false],
    ['', 'kms.example', false],
    [' , ', 'kms.example', false],
    ['kms.example', 'kms.example.org', false],
  ];
  test.each(['no_grpc_proxy', 'no_proxy', 'NO_GRPC_PROXY', 'NO_PROXY'])('%s excepts hosts', (name) => {
    for (const [list, host, excepted] of exceptions) {
      const found = proxyVariableFor(host, { https_proxy: proxy, [name]: list });
      expect(found === undefined, `${list} ${host}`).toBe(excepted);
    }
  });
});

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

interface LockedPackage {
  version?: string;
  license?: string;
  dev?: boolean;
  devOptional?: boolean;
}

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const notices = read('THIRD_PARTY_NOTICES.md');
const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, LockedPackage> };

/** The packages that ship with the program, including dependencies of dependencies. */
const shipped = Object.entries(packages).filter(
  ([path, { dev, devOptional }]) => path !== '' && dev !== true && devOptional !== true,
);

const permissive =
  /^\(?(MIT|ISC|Apache-2\.0|BlueOak-1\.0\.0|0BSD|BSD-[23]-Clause|Unlicense|CC0-1\.0|WTFPL|AND|OR|[() ])+\)?$/;

describe('THIRD_PARTY_NOTICES.md', () => {
  it('lists every package that the program depends on, and no other, with its version and licence', () => {
    const listed = [...notices.matchAll(/^\| (\S+ \d\S*) \| (.+) \|$/gm)].map(
      ([, name, license]) => `${name}: ${license}`,
    );
    const expected = Object.entries(dependencies).map(
      ([name, version]) => `${name} ${version}: ${String(packages[`node_modules/${name}`]?.license)}`,
    );
    expect(listed).toEqual(expected.sort());
  });

  it('lists only permissive licences', () => {
    expect(shipped.length).toBeGreaterThan(50);
    const others = shipped.filter(([, { license }]) => license === undefined || !permissive.test(license));
    expect(others.map(([path, { license }]) => `${path}: ${String(license)}`)).toEqual([]);
  });

  it('names the bundled code in this repository, with correct paths', () => {
    for (const path of ['native/third_party/pkcs11.h', 'proto/google/rpc/', 'proto/aws/kms-model.json']) {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect(notices).toContain(`\`${path}\``);
    }
  });
});

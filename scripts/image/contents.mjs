/** The rules for the content of the image. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../setup.mjs';

const service = 'opt/holdfast';
const inService = ['LICENSE', 'THIRD_PARTY_NOTICES.md', 'dist', 'native', 'node_modules', 'package.json', 'proto'];
const maximumFileBytes = 8 * 1024 * 1024;

/** Compilers, package managers for Node, version control, test tools. apt stays: it installs a vendor's library. */
const programs =
  /\/(cc|c\+\+|cpp|gcc|g\+\+|clang|ld|as|make|cmake|ninja|python[\d.]*|npm|npx|yarn|corepack|git|tsc|vitest|buf|strace|gdb)(-[\d.]+)?$/;
const inSources = /\.(ts|mts|cts|cc|h|map|tsbuildinfo|o|a|gyp|gypi|mk)$|\.test\.|(^|\/)(src|test|bench)\/holdfast/;
const secretNames = /(^|\/)(\.npmrc|\.env|\.netrc|\.git|\.holdfast|id_rsa|[^/]+\.(pin|key|p12|pfx))$/;
const privateKey = /-----BEGIN (RSA |EC |ENCRYPTED |OPENSSH )?PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}/;
/** Debian's own p11-kit, which apt's TLS library links, is a loader and has no module. */
const pkcs11Library = /(softhsm|pkcs11|cryptoki|p11-kit-)[^/]*\.so/i;

/**
 * @param owners owner and mode of each path, if those in the folder come from the user who unpacked it; undefined if
 * they are right
 * @returns a sentence for each problem with the root of an image.
 */
export function contentProblems(folder, { forbiddenTexts, owners }) {
  const files = filesBelow(folder).map((file) => ({ ...file, ...owners?.get(file.path) }));
  const problems = [];
  const report = (what, found) => problems.push(...found.map((path) => `${what}: /${path}`));
  const inFolder = (path) => path.startsWith(`${service}/`);
  const regular = files.filter(({ isFile }) => isFile);
  const paths = files.map(({ path }) => path);
  report(
    'a build tool',
    paths.filter((path) => programs.test(`/${path}`) && /(^|\/)s?bin\//.test(path)),
  );
  report(
    'a source',
    paths.filter((path) => inFolder(path) && inSources.test(path)),
  );
  report(
    'a file with a name of secrets',
    paths.filter((path) => secretNames.test(path)),
  );
  report(
    'a PKCS#11 library',
    paths.filter((path) => pkcs11Library.test(path)),
  );
  report(
    'a file that changes its user',
    regular.filter(({ mode }) => (mode & 0o6000) !== 0).map(({ path }) => path),
  );
  report(
    'a file that others may change',
    regular.filter(({ mode }) => (mode & 0o002) !== 0).map(({ path }) => path),
  );
  report(
    "a file of the service that is not root's",
    files.filter(({ path, uid }) => inFolder(path) && uid !== 0).map(({ path }) => path),
  );
  report(
    'not expected',
    readdirSync(join(folder, service))
      .filter((name) => !inService.includes(name))
      .map((name) => `${service}/${name}`),
  );
  report('not a package of the running service', unknownPackages(paths));
  report(
    'holds what must not be in an image',
    regular.filter((file) => holds(folder, file, forbiddenTexts)).map(({ path }) => path),
  );
  return problems;
}

/** Packages that are in the lock file for development only, or not at all. */
function unknownPackages(paths) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const prefix = `${service}/`;
  const installed = paths
    .map(
      (path) =>
        /^(opt\/holdfast\/node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/@][^/]*)\/package\.json$/.exec(
          path,
        )?.[1],
    )
    .filter((path) => path !== undefined);
  if (installed.length < 10) return [`${service}/node_modules: only ${installed.length} packages`];
  return installed.filter((path) => {
    const entry = packages[path.slice(prefix.length)];
    return entry === undefined || entry.dev === true;
  });
}

/** Whether a file contains one of the texts. Libraries of the base image contain keys, for their self-tests. */
function holds(folder, { path, size }, texts) {
  if (size > maximumFileBytes) return false;
  const content = readFileSync(join(folder, path), 'latin1');
  return texts.some((text) => content.includes(text)) || (!/^usr\/lib\//.test(path) && privateKey.test(content));
}

function filesBelow(folder, below = '') {
  return readdirSync(join(folder, below)).flatMap((name) => {
    const path = join(below, name);
    const status = lstatSync(join(folder, path));
    const { mode, uid, size } = status;
    const file = { path, mode, uid, size, isFile: status.isFile() };
    return status.isDirectory() ? [file, ...filesBelow(folder, path)] : [file];
  });
}

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The patterns that `.dockerignore` uses: a path and all below it, `*`, and `**` before a name. The last match decides. */
function isInContext(file: string): boolean {
  const lines = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
  const patterns = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const last = patterns.findLast((pattern) => expressionOf(pattern.replace(/^!/, '')).test(file));
  return last === undefined || last.startsWith('!');
}

function expressionOf(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('**/', '(.*/)?').replace(/(?<!\.)\*/g, '[^/]*')}(/.*)?$`);
}

test('code is generated from what goes into the build of the image, and nothing else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-build-context-'));
  try {
    const listed = execFileSync('git', ['ls-files', '-z', '--cached'], { cwd: root, encoding: 'utf8' }).split('\0');
    const files = listed.filter((file) => file !== '' && existsSync(join(root, file)) && isInContext(file));
    expect(files).toContain('src/compose.ts');
    expect(files).not.toContain('README.md');
    for (const file of files) cpSync(join(root, file), join(folder, file));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    execFileSync('npm', ['run', '--silent', 'generate'], { cwd: folder, stdio: 'pipe' });
    for (const generated of ['src/api/gen', 'src/faces/grpc/gen']) {
      expect(existsSync(join(folder, generated))).toBe(true);
      expect(isInContext(`${generated}/codecs.ts`)).toBe(false);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

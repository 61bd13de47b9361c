import { resolve } from 'node:path';
import { isScalar, parseDocument, visit } from 'yaml';
import type { Document } from 'yaml';
import { readRegularText, UnreadableFileError } from '../regular-file.js';
import type { Configuration } from './configuration.js';
import { problemsOf } from './issues.js';
import { ConfigurationError } from './problem.js';
import { resolveConfiguration } from './resolve.js';
import { configurationSchema } from './schema.js';
import { semanticProblems } from './semantics.js';

/** The maximum size of a configuration file, in bytes: room for thousands of principals. */
const maximumConfigurationBytes = 4_194_304;

/**
 * Reads a configuration file. Secrets are not read: see `secrets.ts`.
 * @throws ConfigurationError with every problem found at that step (the file; YAML; shape; meaning).
 */
export async function loadConfiguration(file: string): Promise<Configuration> {
  return parseConfiguration(await readText(resolve(file)), resolve(file));
}

/**
 * Parses text that was already read. `file` (absolute) appears in messages, and relative paths start at its folder.
 * @throws ConfigurationError
 */
export function parseConfiguration(text: string, file: string): Configuration {
  const parsed = configurationSchema.safeParse(parseYaml(text, file), { reportInput: true });
  if (!parsed.success) throw new ConfigurationError(file, problemsOf(parsed.error.issues));
  const configuration = resolveConfiguration(parsed.data, file);
  const problems = semanticProblems(configuration);
  if (problems.length > 0) throw new ConfigurationError(file, problems);
  return configuration;
}

async function readText(file: string): Promise<string> {
  try {
    return await readRegularText(file, { maximumBytes: maximumConfigurationBytes });
  } catch (error) {
    if (!(error instanceof UnreadableFileError)) throw error;
    const message =
      error.code === 'ENOENT'
        ? 'the file does not exist; `holdfast config print-example` prints one to start from'
        : `the file cannot be read: it ${error.reason}`;
    throw new ConfigurationError(file, [{ path: '', message }], { cause: error });
  }
}

/** YAML 1.2 core schema. Duplicate keys, unknown tags and aliases are refused: here they can only be mistakes. */
function parseYaml(text: string, file: string): unknown {
  try {
    const document = parseDocument(text, { schema: 'core', uniqueKeys: true, prettyErrors: true, stringKeys: true });
    const messages = [...document.errors, ...document.warnings].map(({ message }) => message.trimEnd());
    const problems = messages.length > 0 ? messages : forbiddenNodes(document);
    if (problems.length === 0) return document.toJS({ maxAliasCount: 0 }) as unknown;
    throw new ConfigurationError(
      file,
      problems.map((message) => ({ path: '', message: `YAML: ${message}` })),
    );
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    const message = `YAML: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConfigurationError(file, [{ path: '', message }], { cause: error });
  }
}

/**
 * Valid YAML that is refused: aliases (a few lines can expand to gigabytes), and a key that JavaScript would swallow.
 */
function forbiddenNodes(document: Document): string[] {
  const problems: string[] = [];
  visit(document, {
    Alias: (_, node) => {
      problems.push(`aliases are not allowed here (*${node.source}); write the value again`);
    },
    Pair: (_, { key }) => {
      if (isScalar(key) && key.value === '__proto__') problems.push('__proto__ is not a name that can be used');
    },
  });
  return problems;
}

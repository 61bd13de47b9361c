import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import type { ModuleConfiguration } from '../config/configuration.js';
import { type ConfigurationProblem, formatPath } from '../config/problem.js';
import { pathVariables } from '../config/resolve.js';
import { loadAddon } from '../hsm/native.js';
import { type PathProblem, pathProblem } from '../path-problem.js';
import { fail, type Finding, ok, reasonOf, refuse, warn } from './finding.js';
import { checkLibrary } from './permissions.js';
import type { Surroundings } from './precondition.js';

/** The addon that reaches every HSM. */
export function checkAddon(): Promise<Finding[]> {
  try {
    loadAddon();
    return Promise.resolve([ok('addon', 'loads')]);
  } catch (error) {
    const remedy = 'npm run build:native, with the Node that runs the service';
    return Promise.resolve([refuse('addon', `it cannot be loaded: ${reasonOf(error)}`, remedy)]);
  }
}

/** The libraries, and the paths in the environment of each. Nothing is loaded. */
export async function checkModules({ configuration }: Surroundings): Promise<Finding[]> {
  return (await Promise.all(configuration.modules.map(checkModule))).flat();
}

/** One module. A problem that prevents a start would also hang any process that loads the module. */
export async function checkModule(module: ModuleConfiguration): Promise<Finding[]> {
  return [await checkLibrary(`library of module ${module.name}`, module.path), ...(await checkEnvironment(module))];
}

/** The problems of a module that prevent a start, by their places in the file. */
export async function startProblems(module: ModuleConfiguration): Promise<ConfigurationProblem[]> {
  const refusals = (await checkModule(module)).filter(({ prevents }) => prevents === 'start');
  return refusals.map(({ message }) => ({ path: formatPath(['modules', module.name]), message }));
}

/**
 * A variable that is known to contain a path must name a readable file or folder; another absolute path may be one to
 * write to.
 */
async function checkEnvironment({ name, environment }: ModuleConfiguration): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!isAbsolute(value)) continue;
    const subject = `${variable} of module ${name}`;
    const problem = await readProblem(value);
    if (problem === undefined) findings.push(ok(subject, value));
    else findings.push(unreadable(subject, value, problem, pathVariables.has(variable)));
  }
  return findings;
}

function unreadable(subject: string, path: string, { code, reason, remedy }: PathProblem, isKnown: boolean): Finding {
  const message = `${path} ${reason}`;
  if (code === namedPipe.code) return refuse(subject, message, remedy);
  if (code !== 'ENOENT') return fail(subject, message, remedy);
  if (isKnown) return fail(subject, message, 'correct the path: the module would see no token');
  return warn(subject, message, 'fine if the module creates it; otherwise correct the path');
}

const namedPipe: PathProblem = {
  code: 'FIFO',
  reason: 'is a named pipe: the module would wait for it',
  remedy: 'name a file or a folder',
};

/** Opens the file, because its mode does not show every right to it. Does not wait for a named pipe. */
async function readProblem(path: string): Promise<PathProblem | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (found.isFIFO()) return namedPipe;
    if (found.isDirectory()) await access(path, constants.R_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const problem = pathProblem(error, 'read');
    // A socket cannot be opened, but the module may need one.
    return problem.code === 'ENXIO' ? undefined : problem;
  }
}

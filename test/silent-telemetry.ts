/** Makes modules of `src/telemetry` report nothing: for `vi.mock`, together with a silent log. */

type Exports = Record<string, unknown>;

/** A module with the same functions, whose results report nothing. */
export function silenced<Module extends object>(module: Module): Module {
  const makers = Object.entries(module as Exports).map(([name, made]) => [name, silencedMaker(made)]);
  return Object.fromEntries(makers) as Module;
}

function silencedMaker(made: unknown): unknown {
  if (typeof made !== 'function') return made;
  return (...parameters: unknown[]) => silent((made as (...given: unknown[]) => unknown)(...parameters));
}

/** A listener, or an object of listeners. */
function silent(reporter: unknown): unknown {
  if (typeof reporter === 'function') return () => undefined;
  if (typeof reporter !== 'object' || reporter === null) return reporter;
  return Object.fromEntries(Object.entries(reporter).map(([name, each]) => [name, silent(each)]));
}

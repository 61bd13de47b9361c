import { fileURLToPath } from 'node:url';
import { encodeHeader, ciphertextAdditionalData } from '../src/operations/cryptography/ciphertext-blob.js';
import { canonicalContext } from '../src/operations/cryptography/encryption-context.js';
import type { AddonLoad } from './addon-load.js';
import { measureWithGhz } from './ghz.js';
import { measureWithH2load, sendWithH2load } from './h2load.js';
import type { Measurement, Scenario } from './measurement.js';
import { type ProgramRun, runProgram } from './program.js';
import { simulatedName, simulateNetworkHsm, withServiceTime } from './simulated-hsm.js';
import { typescriptHooks, withoutHooks } from './typescript-child.js';
import type { MeasuredServer } from './measured-server.js';
import { measuredMethods, type MethodName, plaintextBytes } from './methods.js';
import type { Workbench } from './workbench.js';

/** The levels and lengths of the measurements. */
export interface Plan {
  lanes: number;
  /** Levels of calls in flight at the addon. Includes 16, for `addonToRaw`. */
  addonLevels: readonly number[];
  /** Levels of requests in flight at the servers. Includes 32, for `encryptToEchoPerCpu`. */
  serverLevels: readonly number[];
  /** Path of ghz; undefined if it is missing. */
  ghzPath: string | undefined;
}

/** The paths of the native parts of the bench. */
export interface NativePrograms {
  rawCeiling: string;
  clientCertificateLibrary: string;
}

/** Requests in flight when servers are compared with each other. */
export const comparedLevel = 32;

/** Requests in flight in the scenarios of ghz, a load that takes a core for itself. */
const ghzLevel = 32;

const addonLoad = fileURLToPath(new URL('addon-load.ts', import.meta.url));

/** Lanes, and calls in flight: one alone, then twice as many as lanes, so no lane ever waits for the next call. */
const simulatedLoads = [
  { lanes: 32, inFlight: 1 },
  { lanes: 32, inFlight: 64 },
  { lanes: 64, inFlight: 128 },
];

/** The length of the additional data of an Encrypt without an encryption context. */
const additionalDataBytes = ciphertextAdditionalData(
  encodeHeader({ keyId: '00000000-0000-0000-0000-000000000000', materialId: '00'.repeat(32) }),
  canonicalContext(new Map()),
).byteLength;

/** The lengths of the addon's inputs. */
const lengths = { plaintextBytes, additionalDataBytes };

/** All scenarios. Those of a block are compared with each other, and so measured one right after the other. */
export function scenariosOf(plan: Plan, workbench: Workbench, programs: NativePrograms): Scenario[][] {
  const withH2load = plan.serverLevels.map((inFlight) => loadedScenarios(workbench, programs, inFlight));
  const { ghzPath } = plan;
  const withGhz =
    ghzPath === undefined
      ? []
      : Object.entries({ echo: workbench.echo, encrypt: workbench.holdfast }).map(([name, server]) => ({
          name: `${name}-ghz@${ghzLevel}`,
          inFlight: ghzLevel,
          measure: (seconds: number) => measureWithGhz(ghzPath, server.target('encrypt'), ghzLevel, seconds),
        }));
  const alone = [...rawScenarios(workbench, programs), ...addonScenarios(plan, workbench)];
  return [alone, simulatedScenarios(workbench), ...withH2load, withGhz];
}

/** The echo's name for a method; that of Encrypt is the floor of its variants too. */
function echoName(method: MethodName): string {
  return method === 'encrypt' ? 'echo' : `echo-${method}`;
}

/** All methods at the level at which servers are compared, and their echoes; Encrypt alone at the others. */
export function loadedScenarios(workbench: Workbench, programs: NativePrograms, inFlight: number): Scenario[] {
  const { clientCertificateLibrary: library } = programs;
  const scenario = (name: string, method: MethodName, server: Pick<MeasuredServer, 'target'>): Scenario => ({
    name: `${name}-h2load@${inFlight}`,
    inFlight,
    ...(server === workbench.echo ? {} : { echo: `${echoName(method)}-h2load@${inFlight}` }),
    measure: (seconds) => measureWithH2load(server.target(method), library, inFlight, seconds),
    send: (requests) => sendWithH2load(server.target(method), library, inFlight, requests),
  });
  const methods = inFlight === comparedLevel ? measuredMethods : measuredMethods.slice(0, 1);
  const variants = inFlight === comparedLevel ? workbench.variants : [];
  return [
    ...methods.flatMap(({ name }) => [
      scenario(echoName(name), name, workbench.echo),
      scenario(name, name, workbench.holdfast),
    ]),
    ...variants.map(({ name, server }) => ({ ...scenario(`encrypt-${name}`, 'encrypt', server), ofVariant: true })),
  ];
}

function rawScenarios(workbench: Workbench, { rawCeiling }: NativePrograms): Scenario[] {
  const measure = async (seconds: number, mode: string): Promise<Measurement> => {
    const { libraryPath, environment } = workbench.softHsm;
    const { tokenLabel, pin } = workbench.benchToken;
    const output = await runProgram({
      program: rawCeiling,
      parameters: [libraryPath, tokenLabel, mode, String(seconds), String(plaintextBytes), String(additionalDataBytes)],
      environment,
      input: pin,
    });
    return JSON.parse(output) as Measurement;
  };
  return [
    { name: 'raw-encrypt', inFlight: 1, measure: (seconds) => measure(seconds, 'encrypt') },
    { name: 'raw-random-encrypt', inFlight: 1, measure: (seconds) => measure(seconds, 'random-encrypt') },
  ];
}

function addonScenarios(plan: Plan, workbench: Workbench): Scenario[] {
  const { libraryPath, environment } = workbench.softHsm;
  return plan.addonLevels.map((inFlight) => ({
    name: `addon-encrypt@${inFlight}`,
    inFlight,
    measure: (seconds) => measureAddon(workbench, { libraryPath, environment, lanes: plan.lanes, inFlight, seconds }),
  }));
}

/**
 * The addon in front of an HSM that takes a millisecond for everything. With one call in flight it shows what the addon
 * adds to that; with more calls in flight than lanes, whether the addon keeps the lanes busy.
 */
function simulatedScenarios(workbench: Workbench): Scenario[] {
  const simulated = simulateNetworkHsm(workbench.softHsm);
  const { libraryPath, environment } = simulated.module;
  return simulatedLoads.map(({ lanes, inFlight }) => ({
    name: simulatedName(lanes, inFlight),
    inFlight,
    measure: (seconds) =>
      withServiceTime(simulated, () => measureAddon(workbench, { libraryPath, environment, lanes, inFlight, seconds })),
  }));
}

async function measureAddon(
  workbench: Workbench,
  load: Omit<AddonLoad, 'tokenLabel' | keyof typeof lengths>,
): Promise<Measurement> {
  const { tokenLabel, pin } = workbench.benchToken;
  return JSON.parse(await runProgram(addonProgram({ ...load, tokenLabel }, pin))) as Measurement;
}

/** The process with the addon alone, which prints a `Measurement`. */
export function addonProgram(load: Omit<AddonLoad, keyof typeof lengths>, pin: string): ProgramRun {
  return {
    program: process.execPath,
    parameters: ['--import', typescriptHooks, addonLoad, JSON.stringify({ ...load, ...lengths } satisfies AddonLoad)],
    environment: withoutHooks(),
    input: pin,
  };
}

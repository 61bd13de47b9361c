/** Reads the reports of AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer about programs that run Node. */

/** Every finding but a leak; the failure of a sanitizer to run counts as well. */
const error =
  /^.*(?:ERROR: AddressSanitizer|AddressSanitizer: CHECK failed|LeakSanitizer has encountered|incompatible with sanitizer|: runtime error: )/m;

/** Frames between an allocation and the code that asked for it. */
const onBehalf = /libsanitizer|\/include\/c\+\+\/|libstdc\+\+|node-addon-api/;

/**
 * Frames of our namespaces or sources (whose paths are relative if ccache compiled them); those of Node or a library
 * have neither.
 */
const ours =
  /\b(?:holdfast|faulthsm)::|(?:native|\.\.)\/src\/\S+:\d|\/(?:fault-hsm|vendor-hsm|token-reader|nss-token|leak-check)\/\S+:\d/;

/**
 * Whether our code allocated the leaked memory. V8 keeps its objects in memory that LeakSanitizer does not read, so
 * allocations of Node on behalf of JavaScript always look lost: those leaks, and those of other programs, are not ours.
 */
function isOurs(leak) {
  const frames = leak.split('\n').filter((line) => /^ +#\d+ /.test(line));
  const asked = frames.find((frame) => !onBehalf.test(frame));
  return asked === undefined || ours.test(asked);
}

/**
 * @param {string} report the output of one process
 * @returns {string[]} errors, and leaks of our code
 */
export function findingsIn(report) {
  const leaks = report.match(/^(?:Direct|Indirect) leak of .*(?:\n +#.*)*/gm) ?? [];
  const found = error.exec(report);
  return [...(found === null ? [] : [report.slice(found.index).trim()]), ...leaks.filter(isOurs)];
}

/**
 * @param {string} report the output of one process
 * @returns {boolean} whether LeakSanitizer ran; it says so only if it found something, which in Node it always does
 */
export function lookedForLeaks(report) {
  return report.includes('LeakSanitizer: detected memory leaks');
}

/** Promises for packed answers, for scripts that have the addon alone. Once in a process or worker. */

const rowLength = 8;
const rows = 64;
const nonceLength = 12;

/**
 * @returns a function that posts an operation under the ticket that it passes on, and promises copies of its answer's
 * bytes: `nonce` and `ciphertext`, and `secret`.
 */
export function promisedAnswers(addon) {
  const waiting = new Map();
  const numbers = new Float64Array(rows * rowLength);
  const take = (ticket) => {
    const settled = waiting.get(ticket);
    waiting.delete(ticket);
    return settled;
  };
  const onAnswers = (count, bytes) => {
    for (let row = 0; row < count; row += 1) {
      const [ticket, , , , , offset, encryptedLength, secretLength] = numbers.subarray(row * rowLength);
      const encryptedEnd = offset + encryptedLength;
      take(ticket).resolve({
        nonce: bytes.slice(offset, offset + nonceLength),
        ciphertext: bytes.slice(offset + nonceLength, encryptedEnd),
        secret: bytes.slice(encryptedEnd, encryptedEnd + secretLength),
      });
    }
  };
  addon.receiveAnswers(numbers, new Uint8Array(rows * 256), onAnswers, (ticket, failure) =>
    take(ticket).reject(failure),
  );
  let lastTicket = 0;
  return (post) =>
    new Promise((resolve, reject) => {
      lastTicket += 1;
      waiting.set(lastTicket, { resolve, reject });
      post(lastTicket);
    });
}

// SHA-256 (FIPS 180-4), synchronous: Web Crypto has it only asynchronously, and the hash of a key is asked for in passing. For
// texts as short as keys; signatures are made by Web Crypto.

const primes = (): number[] => {
  const found: number[] = [];
  for (let candidate = 2; found.length < 64; candidate += 1) if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  return found;
};

/** The first 32 bits of the fraction of a root. */
const fraction = (root: number): number => ((root % 1) * 2 ** 32) | 0;

let constants: { start: number[]; rounds: number[] } | undefined;

const rotated = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits));

/** The SHA-256 of a text's UTF-8, as lowercase hex. */
export function sha256Hex(text: string): string {
  constants ??= { start: primes().slice(0, 8).map((prime) => fraction(Math.sqrt(prime))), rounds: primes().map((prime) => fraction(Math.cbrt(prime))) };
  const message = new TextEncoder().encode(text);
  const padded = new Uint8Array((Math.floor((message.length + 8) / 64) + 1) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 2 ** 29));
  view.setUint32(padded.length - 4, (message.length << 3) >>> 0);

  const state = [...constants.start] as Eight;
  const words = new Int32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let at = 0; at < 16; at += 1) words[at] = view.getInt32(block + at * 4);
    for (let at = 16; at < 64; at += 1) {
      const [before, last] = [words[at - 15] as number, words[at - 2] as number];
      const low = rotated(before, 7) ^ rotated(before, 18) ^ (before >>> 3);
      const high = rotated(last, 17) ^ rotated(last, 19) ^ (last >>> 10);
      words[at] = ((words[at - 16] as number) + low + (words[at - 7] as number) + high) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let at = 0; at < 64; at += 1) {
      const sum = rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25);
      const one = (h + sum + ((e & f) ^ (~e & g)) + (constants.rounds[at] as number) + (words[at] as number)) | 0;
      const two = ((rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, at) => (state[at] = ((state[at] as number) + word) | 0));
  }
  return state.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

type Eight = [number, number, number, number, number, number, number, number];

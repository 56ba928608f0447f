// Zip files, without compression: pictures are compressed already, and the rest is short.

/** @typedef {{name: string, data: Blob}} File */

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
const UTF8_NAMES = 0x0800;
/** What does not fit into its place stands elsewhere, as 64 bits (zip64); its place holds all ones. */
const [MOST_16, MOST_32] = [0xffff, 0xffffffff];
const WHERE_64 = 0x0001;

/** @param {Uint8Array} bytes the checksum of a zip */
export function crc32(bytes) {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 0xff] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/**
 * Pack files. One after the other: only one of them is in memory.
 * @param {File[]} files
 * @param {Date} moment
 * @returns {Promise<Blob>}
 */
export async function zip(files, moment) {
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {BlobPart[]} */
  const directory = [];
  let offset = 0;
  for (const { name, data } of files) {
    const path = new TextEncoder().encode(name);
    if (data.size >= MOST_32) throw new RangeError(`${name} is too large`);
    const sum = crc32(new Uint8Array(await data.arrayBuffer()));
    const facts = [20, UTF8_NAMES, 0, ...dosTime(moment)];
    const sizes = [sum, data.size, data.size];
    const head = record(0x04034b50, facts, sizes, [path.length, 0]);
    parts.push(head, path, data);
    const far = offset < MOST_32 ? new Uint8Array() : record(null, [WHERE_64, 8], halves(offset));
    const where = [path.length, far.byteLength, 0, 0, 0];
    const entry = record(0x02014b50, [20, ...facts], sizes, where, [0, Math.min(offset, MOST_32)]);
    directory.push(entry, path, far);
    offset += head.byteLength + path.length + data.size;
  }
  const size = new Blob(directory).size;
  const count = files.length;
  const counts = [0, 0, Math.min(count, MOST_16), Math.min(count, MOST_16)];
  const end = record(0x06054b50, counts, [Math.min(size, MOST_32), Math.min(offset, MOST_32)], [0]);
  const far = count < MOST_16 && offset + size < MOST_32 ? [] : farEnd(count, size, offset);
  return new Blob([...parts, ...directory, ...far, end], { type: "application/zip" });
}

/**
 * The end of a file whose counts and places need 64 bits, and where it stands.
 * @param {number} count
 * @param {number} size of the directory
 * @param {number} offset of the directory
 */
function farEnd(count, size, offset) {
  const numbers = [count, count, size, offset].flatMap(halves);
  return [
    record(0x06064b50, [], halves(44), [45, 45], [0, 0, ...numbers]),
    record(0x07064b50, [], [0, ...halves(offset + size), 1]),
  ];
}

/** @param {number} number @returns {[number, number]} a number of 64 bits as two of 32 */
function halves(number) {
  return [number % 2 ** 32, Math.floor(number / 2 ** 32)];
}

/** @param {Date} moment @returns {[number, number]} time and date as a zip writes them */
function dosTime(moment) {
  const time = (moment.getHours() << 11) | (moment.getMinutes() << 5) | (moment.getSeconds() >> 1);
  const date = ((moment.getFullYear() - 1980) << 9) | ((moment.getMonth() + 1) << 5) | moment.getDate();
  return [time, date];
}

/**
 * One header: a signature, then runs of 16-bit and of 32-bit numbers in turn.
 * @param {number | null} signature null where there is none
 * @param {...number[]} runs
 * @returns {Uint8Array<ArrayBuffer>}
 */
function record(signature, ...runs) {
  const sizes = runs.map((run, i) => run.length * (i % 2 ? 4 : 2));
  let at = signature === null ? 0 : 4;
  const view = new DataView(new ArrayBuffer(at + sizes.reduce((a, b) => a + b, 0)));
  if (signature !== null) view.setUint32(0, signature, true);
  runs.forEach((run, i) => {
    for (const number of run) {
      if (i % 2) view.setUint32(at, number, true);
      else view.setUint16(at, number, true);
      at += i % 2 ? 4 : 2;
    }
  });
  return new Uint8Array(view.buffer);
}

// Zip files, without compression: pictures are compressed already, and the rest is short.

/** @typedef {{name: string, data: Blob}} File */

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
const UTF8_NAMES = 0x0800;

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
    const sum = crc32(new Uint8Array(await data.arrayBuffer()));
    const facts = [20, UTF8_NAMES, 0, ...dosTime(moment)];
    const sizes = [sum, data.size, data.size];
    const head = record(0x04034b50, facts, sizes, [path.length, 0]);
    parts.push(head, path, data);
    const where = [path.length, 0, 0, 0, 0];
    directory.push(record(0x02014b50, [20, ...facts], sizes, where, [0, offset]), path);
    offset += head.byteLength + path.length + data.size;
  }
  const size = new Blob(directory).size;
  const count = files.length;
  const end = record(0x06054b50, [0, 0, count, count], [size, offset], [0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

/** @param {Date} moment @returns {[number, number]} time and date as a zip writes them */
function dosTime(moment) {
  const time = (moment.getHours() << 11) | (moment.getMinutes() << 5) | (moment.getSeconds() >> 1);
  const date = ((moment.getFullYear() - 1980) << 9) | ((moment.getMonth() + 1) << 5) | moment.getDate();
  return [time, date];
}

/**
 * One header: a signature, then runs of 16-bit and of 32-bit numbers in turn.
 * @param {number} signature
 * @param {...number[]} runs
 * @returns {Uint8Array<ArrayBuffer>}
 */
function record(signature, ...runs) {
  const sizes = runs.map((run, i) => run.length * (i % 2 ? 4 : 2));
  const view = new DataView(new ArrayBuffer(4 + sizes.reduce((a, b) => a + b, 0)));
  view.setUint32(0, signature, true);
  let at = 4;
  runs.forEach((run, i) => {
    for (const number of run) {
      if (i % 2) view.setUint32(at, number, true);
      else view.setUint16(at, number, true);
      at += i % 2 ? 4 : 2;
    }
  });
  return new Uint8Array(view.buffer);
}

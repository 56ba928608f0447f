// Reads what `zip.js` has packed; nothing else is taken.

import { crc32 } from "./zip.js";

const [END, ENTRY, FILE] = [0x06054b50, 0x02014b50, 0x04034b50];
const [END_BYTES, ENTRY_BYTES, FILE_BYTES] = [22, 46, 30];
// what does not fit into its place stands elsewhere, as 64 bits
const [FAR_END, FAR_WHERE, FAR_BYTES, FAR_WHERE_BYTES] = [0x06064b50, 0x07064b50, 56, 20];
const [MOST_16, MOST_32] = [0xffff, 0xffffffff];

/**
 * Unpack files.
 * @param {Blob} packed
 * @returns {Promise<Map<string, Blob>>} by name; rejects with `RangeError` where it is not what `zip` makes
 */
export async function unzip(packed) {
  const { count, size, offset } = await endOf(packed);
  const directory = new DataView(await packed.slice(offset, offset + size).arrayBuffer());
  /** @type {Map<string, Blob>} */
  const files = new Map();
  for (let i = 0, at = 0; i < count; i++) {
    if (directory.getUint32(at, true) !== ENTRY) throw new RangeError("an entry is none");
    const [length, more] = [directory.getUint16(at + 28, true), directory.getUint16(at + 30, true)];
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + ENTRY_BYTES, length));
    files.set(name, await fileAt(packed, directory, at));
    at += ENTRY_BYTES + length + more;
  }
  return files;
}

/**
 * How many files there are, and where their directory stands.
 * @param {Blob} packed
 */
async function endOf(packed) {
  const from = packed.size - END_BYTES;
  const end = await viewOf(packed, from, END_BYTES, END);
  let [count, size, offset] = [end.getUint16(10, true), end.getUint32(12, true), end.getUint32(16, true)];
  let after = END_BYTES;
  if (count === MOST_16 || size === MOST_32 || offset === MOST_32) {
    after += FAR_BYTES + FAR_WHERE_BYTES;
    await viewOf(packed, from - FAR_WHERE_BYTES, FAR_WHERE_BYTES, FAR_WHERE);
    const far = await viewOf(packed, packed.size - after, FAR_BYTES, FAR_END);
    [count, size, offset] = [32, 40, 48].map((at) => numberAt(far, at));
  }
  if (offset + size + after !== packed.size) throw new RangeError("the directory is elsewhere");
  return { count, size, offset };
}

/** @param {DataView} view @param {number} at @returns {number} of 64 bits, as far as they count */
function numberAt(view, at) {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/**
 * @param {Blob} packed
 * @param {DataView} directory
 * @param {number} at
 */
async function fileAt(packed, directory, at) {
  const [sum, size] = [directory.getUint32(at + 16, true), directory.getUint32(at + 20, true)];
  const near = directory.getUint32(at + 42, true);
  const where = near < MOST_32 ? near : numberAt(directory, at + ENTRY_BYTES + directory.getUint16(at + 28, true) + 4);
  const head = await viewOf(packed, where, FILE_BYTES, FILE);
  const from = where + FILE_BYTES + head.getUint16(26, true) + head.getUint16(28, true);
  const data = packed.slice(from, from + size);
  if (data.size !== size || crc32(new Uint8Array(await data.arrayBuffer())) !== sum) throw new RangeError("a file is damaged");
  return data;
}

/**
 * @param {Blob} packed
 * @param {number} from
 * @param {number} size
 * @param {number} mark
 */
async function viewOf(packed, from, size, mark) {
  const view = new DataView(await packed.slice(Math.max(0, from), Math.max(0, from) + size).arrayBuffer());
  if (view.byteLength < size || view.getUint32(0, true) !== mark) throw new RangeError("it is not packed so");
  return view;
}

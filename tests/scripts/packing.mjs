// Packs and unpacks as a device does: the names of what it makes are on standard output.

import { writeFile } from "node:fs/promises";

import { unzip } from "../../pwa/shell/work/unzip.js";
import { zip } from "../../pwa/shell/work/zip.js";

const [path, count, hole] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];

// stands for a large file: it says its size, and a Blob takes 15 characters for it
const hollow = { size: hole, arrayBuffer: () => Promise.resolve(new ArrayBuffer(1)) };
const files = Array.from({ length: count }, (_, n) => ({ name: `${n}.txt`, data: new Blob([String(n)]) }));
if (hole) files.unshift({ name: "large", data: /** @type {any} */ (hollow) });
try {
  const packed = await zip(files, new Date(2026, 10, 26));
  const bytes = await packed.arrayBuffer();
  await writeFile(path, new Uint8Array(bytes));
  if (hole) process.exit(0);
  // Node looks through all parts of a file for each piece of it
  const found = await unzip(new Blob([bytes]));
  const last = found.get(`${count - 1}.txt`);
  console.log(JSON.stringify([found.size, last ? await last.text() : null]));
} catch (error) {
  console.log(JSON.stringify(String(error)));
}

// Makes the secret of a PIN: that takes a moment of all that a processor has, and nothing else may wait for it.

import "../vendor/argon2.js";

/** @typedef {{salt: ArrayBuffer, memory: number, passes: number, lanes: number}} Cost memory: in KiB */

const BYTES = 32;

self.onmessage = async ({ data }) => {
  const { pin, cost } = /** @type {{pin: string, cost: Cost}} */ (data);
  try {
    const { argon2id } = /** @type {any} */ (globalThis).hashwasm;
    const secret = await argon2id({
      password: pin,
      salt: new Uint8Array(cost.salt),
      memorySize: cost.memory,
      iterations: cost.passes,
      parallelism: cost.lanes,
      hashLength: BYTES,
      outputType: "binary",
    });
    self.postMessage({ secret });
  } catch (error) {
    self.postMessage({ message: String(error) });
  }
};

// Replicache: rows come by a pull. It answers from memory and writes to the disk later by itself: nothing says
// when, so its times are those of memory.

import { Replicache, TEST_LICENSE_KEY } from "replicache";
import { run, SHOWN } from "./work.js";

/** @typedef {import("./work.js").Peer} Peer @typedef {import("./work.js").Row} Row */

/** @returns {Peer} */
function replicache() {
  const open = (/** @type {string} */ pullURL = "") =>
    new Replicache({
      name: "bench",
      licenseKey: TEST_LICENSE_KEY,
      pullURL,
      pullInterval: null,
      indexes: { largest: { prefix: "row/", jsonPointer: "/place" } },
      mutators: {
        save: async (tx, /** @type {any} */ { id, records }) => {
          for (const [number, record] of records.entries()) await tx.set(`visit/${id}/${number}`, record);
        },
      },
    });
  let rep = open();
  const scanned = () =>
    rep.query((tx) => tx.scan({ indexName: "largest", limit: SHOWN }).values().toArray());
  return {
    load: async (address) => {
      await rep.close();
      rep = open(`${address}?as=patch`);
      await rep.pull({ now: true });
    },
    first: async () => /** @type {any} */ (await scanned()),
    save: async (records) => {
      await rep.mutate.save(/** @type {any} */ ({ id: crypto.randomUUID(), records }));
    },
  };
}

await run(replicache);

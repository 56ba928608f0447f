// Dexie, with strict durability as ours is.

import Dexie from "dexie";
import { rowsOf, run, SHOWN } from "./work.js";

/** @typedef {import("./work.js").Peer} Peer @typedef {import("./work.js").Row} Row */

/** @returns {Promise<Peer>} */
async function dexie() {
  const db = new Dexie("dexie", { chromeTransactionDurability: "strict" });
  db.version(1).stores({ rows: "id,amount", records: "++id" });
  await db.open();
  return {
    load: async (address) => void (await db.table("rows").bulkPut(await rowsOf(address))),
    first: () => db.table("rows").orderBy("amount").reverse().limit(SHOWN).toArray(),
    save: async (records) => void (await db.table("records").bulkAdd(records)),
  };
}

await run(dexie);

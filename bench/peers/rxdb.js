// RxDB on its free storage.

import { addRxPlugin, createRxDatabase } from "rxdb";
import { RxDBQueryBuilderPlugin } from "rxdb/plugins/query-builder";
import { getRxStorageDexie } from "rxdb/plugins/storage-dexie";
import { rowsOf, run, SHOWN } from "./work.js";

/** @typedef {import("./work.js").Peer} Peer @typedef {import("./work.js").Row} Row */

const RX_SCHEMA = {
  version: 0,
  primaryKey: "id",
  type: "object",
  properties: {
    id: { type: "string", maxLength: 40 },
    amount: { type: "number", minimum: 0, maximum: 1e7, multipleOf: 0.5 },
    name: { type: "string" },
    note: { type: "string" },
  },
  required: ["id", "amount"],
  indexes: ["amount"],
};

/** @returns {Promise<Peer>} */
async function rxdb() {
  addRxPlugin(RxDBQueryBuilderPlugin);
  const db = await createRxDatabase({ name: "rxdb", storage: getRxStorageDexie(), multiInstance: false });
  const { rows } = await db.addCollections({ rows: { schema: RX_SCHEMA } });
  return {
    load: async (address) => {
      const found = (await rowsOf(address)).map((row) => ({ ...row, id: String(row.id) }));
      for (let at = 0; at < found.length; at += 5_000) await rows.bulkInsert(found.slice(at, at + 5_000));
    },
    first: async () => {
      const found = await rows.find().sort({ amount: "desc" }).limit(SHOWN).exec();
      return found.map((each) => each.toJSON());
    },
    save: async (records) => {
      await rows.bulkInsert(records.map((each) => ({ ...each, id: crypto.randomUUID(), amount: 1 })));
    },
  };
}

await run(rxdb);

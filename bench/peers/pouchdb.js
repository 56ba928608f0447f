// PouchDB: the order of the list is in the keys, which is quicker than an index.

import PouchDB from "pouchdb-browser";
import { rowsOf, run, SHOWN } from "./work.js";

/** @typedef {import("./work.js").Peer} Peer @typedef {import("./work.js").Row} Row */

/** The largest first, as text that is sorted by its letters. @param {number} amount */
function downwards(amount) {
  return (1e9 - amount).toFixed(3).padStart(14, "0");
}

/** @returns {Peer} */
function pouchdb() {
  const db = new PouchDB("pouchdb", { auto_compaction: true });
  return {
    load: async (address) => {
      const documents = (await rowsOf(address)).map((row) => ({ ...row, _id: `row:${downwards(row.amount)}:${row.id}` }));
      for (let at = 0; at < documents.length; at += 5_000) await db.bulkDocs(documents.slice(at, at + 5_000));
    },
    first: async () => {
      const found = await db.allDocs({ startkey: "row:", endkey: "row:\ufff0", limit: SHOWN, include_docs: true });
      return found.rows.map(({ doc }) => /** @type {any} */ (doc));
    },
    save: async (records) => void (await db.bulkDocs(records.map((each) => ({ ...each, _id: crypto.randomUUID() })))),
  };
}

await run(pouchdb);

// IndexedDB as it is.

import { run, SHOWN } from "./work.js";

/** @typedef {import("./work.js").Peer} Peer @typedef {import("./work.js").Row} Row */

/** @param {IDBRequest | IDBTransaction} asked @returns {Promise<any>} */
function settled(asked) {
  return new Promise((done, failed) => {
    const ended = () => done("result" in asked ? asked.result : undefined);
    if (asked instanceof IDBTransaction) asked.oncomplete = ended;
    else asked.onsuccess = ended;
    asked.onerror = () => failed(asked.error);
  });
}

/** All rows as one text: nothing is quicker, and nothing of it can be looked up. @returns {Promise<Peer>} */
async function raw() {
  const opening = indexedDB.open("raw", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("kept");
  const db = await settled(opening);
  const write = async (/** @type {IDBValidKey} */ key, /** @type {unknown} */ value) => {
    const transaction = db.transaction("kept", "readwrite", { durability: "strict" });
    transaction.objectStore("kept").put(value, key);
    await settled(transaction);
  };
  return {
    load: async (address) => write("rows", await (await fetch(address)).text()),
    first: async () => {
      const text = await settled(db.transaction("kept").objectStore("kept").get("rows"));
      return JSON.parse(text).sort((/** @type {Row} */ a, /** @type {Row} */ b) => b.amount - a.amount).slice(0, SHOWN);
    },
    save: (records) => write(crypto.randomUUID(), JSON.stringify(records)),
  };
}

await run(raw);

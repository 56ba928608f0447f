// The shell: takes over links and forms of every page, and starts Python on a field worker's device.

import { startAttachments } from "./attachments.js";
import { startChoosing } from "./choosing.js";
import { context, closeDatabase } from "./context.js";
import { startDrafts, keepDraft } from "./drafts.js";
import { make } from "./elements.js";
import { exportButton, startExporting } from "./exporting.js";
import { startForms } from "./forms.js";
import { startNavigation, visit } from "./navigation.js";
import { enhance, showOwn } from "./page.js";
import { startDevice } from "./setup.js";
import { startSignatures } from "./signature.js";
import { startSyncButton } from "./sync-button.js";
import { beTheOne } from "./tabs.js";

async function start() {
  startNavigation();
  startForms();
  startAttachments();
  startSignatures();
  startChoosing();
  startExporting();
  startDrafts();
  if (document.body.dataset.home !== "shell") {
    enhance({ fresh: true });
    return;
  }
  startSyncButton();
  await beTheOne(letGo);
  await startDevice();
  const here = location.pathname + location.search;
  if (await visit(here, { history: "replace" })) return;
  const again = make("a", { class: "button primary", href: here }, "Try again");
  const home = make("a", { class: "button", href: "/" }, "Back to the start");
  showOwn("This page could not be shown", make("p", {}, "Nothing that you saved is lost."), again, " ", home, exportButton());
}

/** End this tab's work with the device's data: another tab goes on with it. */
async function letGo() {
  await keepDraft();
  await context.device?.idle();
  context.device?.end();
  context.device = null;
  await closeDatabase();
}

start().catch((error) => {
  console.error(error);
  const again = make("button", { type: "button", class: "button primary", onclick: () => location.reload() }, "Try again");
  const words = "This device could not start. Nothing that you saved is lost.";
  showOwn("That did not work", make("p", { role: "alert" }, words), make("p", {}, String(error)), again, exportButton());
});

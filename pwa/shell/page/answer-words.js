// What is said of an answer: what is done, what did not work.

import { NoAnswer } from "../../office.js";
import { announce } from "./elements.js";

const DONE = new Map([
  ["saved", "Saved"],
  ["deleted", "Deleted"],
  ["unchanged", "Nothing had changed"],
  ["repaired", "Repaired"],
  ["discarded", "Discarded"],
  ["password", "Password changed"],
  ["ended", "Ended"],
  ["kept", "Nothing was left to change, so the entry is settled"],
]);

export const NO_PAGE = "The office gave no page in answer. Nothing is lost; try again later.";

/** Announce what a form's redirect says is done. @param {string} to */
export function sayDone(to) {
  const words = DONE.get(new URL(to, location.origin).searchParams.get("done") ?? "");
  if (words) announce(words, "done");
  return Boolean(words);
}

/** @param {unknown} error */
export function explain(error) {
  if (error instanceof NoAnswer && error.isForeign) {
    return `${error.message} Nothing is lost; sign in to the network, then try again.`;
  }
  if (error instanceof NoAnswer) {
    return "The office cannot be reached. Nothing is lost; try again with a connection.";
  }
  console.info(error);
  return "That did not work on this device. Nothing you typed is lost; try again.";
}

/** @param {string} html */
export function wordsOf(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const words = page.querySelector("[role=alert]")?.textContent?.trim();
  return words || "The office has trouble of its own. Nothing is lost; try again later.";
}

"""How elements are found: by what a person sees or hears of them, never by a class."""

FIND = """
const [role, wanted, within] = given;
const roles = {
  button: "button, summary, [role=button], input[type=submit]",
  link: "a[href]:not([role])",
  heading: "h1, h2, h3",
  field: "input:not([type=hidden]), select, textarea",
  picture: "img",
  canvas: "canvas",
  status: "[role=status], [role=alert]",
};
const plain = (text) => (text ?? "").replace(/\\s+/g, " ").trim();
const nameOf = (element) => {
  const labels = [...(element.labels ?? [])].map((label) => label.textContent);
  const text = element.matches("input, select, textarea") ? "" : element.textContent;
  return plain(element.getAttribute("aria-label") || labels.join(" ") || element.alt || text);
};
const isMeant = (element) => {
  const name = nameOf(element);
  return name === wanted || name.startsWith(`${wanted} `) || name.startsWith(`${wanted}:`);
};
const dialog = [...document.querySelectorAll("dialog[open]")].at(-1);
const place = dialog ?? (within ? document.querySelector(within) : document);
const isFile = (element) => element.type === "file";
const isThere = (element) => element.checkVisibility() || isFile(element);
const all = [...(place?.querySelectorAll(roles[role]) ?? [])].filter(isThere);
"""
ALL = FIND + "return all.filter((each) => !wanted || isMeant(each));"
"""Returns all elements of a role whose accessible name is, or begins with, some words."""
LAST = FIND + "return all.findLast((each) => !wanted || isMeant(each)) ?? null;"
"""Returns the last of them: what was added last, and the Save below a long form."""

// Days and moments as all pages tell them, in the zone of the page that is shown.

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @param {Date} moment @returns {string} such as "1 Jul 2026, 09:55" */
export function momentWords(moment) {
  const { day, month, year, hour, minute } = parts(moment);
  return `${Number(day)} ${MONTHS[Number(month) - 1]} ${year}, ${hour}:${minute}`;
}

/** @param {Date} moment @returns {string} its day, such as "2026-07-01" */
export function dayOf(moment) {
  const { day, month, year } = parts(moment);
  return `${year}-${month}-${day}`;
}

/** @param {Date} moment @returns {Record<string, string>} */
function parts(moment) {
  const format = formatOf(document.body.dataset.zone);
  return Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, value]));
}

/** @param {string | undefined} timeZone of the office or the device; else that of this browser */
function formatOf(timeZone) {
  /** @type {Intl.DateTimeFormatOptions} */
  const wanted = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  try {
    return new Intl.DateTimeFormat("en-GB", { ...wanted, timeZone: timeZone || undefined });
  } catch {
    return new Intl.DateTimeFormat("en-GB", wanted); // a zone that this browser does not know
  }
}

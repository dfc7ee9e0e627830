/** The few helpers that build the page. Text only ever becomes a text node. */
const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  chat: "M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-4.6 4V16A2.4 2.4 0 0 1 4 13.6z",
  close: "M6 6l12 12M18 6L6 18",
  down: "M6 9.5l6 6 6-6",
  send: "M12 19V6M6 11.5L12 5.5l6 6",
  clip: "M19.5 11.5l-7.6 7.6a4.7 4.7 0 0 1-6.6-6.6l8-8a3.2 3.2 0 0 1 4.5 4.5l-8 8a1.6 1.6 0 0 1-2.3-2.3l7.3-7.2",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  clock: "M12 8v4.5l2.5 1.5M12 4a8 8 0 1 0 .01 0",
  tick: "M5 12.5l4.5 4.5L19 7.5",
  ticks: "M2.5 12.5L7 17l9-9.5M11.5 16.5l.5.5 9.5-9.5",
  alert: "M12 7.5v6M12 16.8v.2M12 3.5a8.5 8.5 0 1 0 .01 0",
};

function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** An element: `on…` are listeners, known properties are set, the rest are attributes. */
function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** A text with its web addresses as links; everything else stays text. */
function linked(text) {
  const parts = document.createDocumentFragment();
  let at = 0;
  for (const match of text.matchAll(/\bhttps?:\/\/[^\s<>"']+/gi)) {
    const address = match[0].replace(/[.,;:!?)\]}]+$/, "");
    parts.append(
      text.slice(at, match.index),
      make("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, address),
    );
    at = match.index + address.length;
  }
  parts.append(text.slice(at));
  return parts;
}

function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is not there without TLS
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function kilobytes(bytes, language) {
  const mega = bytes >= 1e6;
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: mega ? 1 : 0 });
  return `${number.format(mega ? bytes / 1e6 : Math.max(1, bytes / 1e3))} ${mega ? "MB" : "kB"}`;
}

/** A small picture of a file, painted rather than linked: sites whose policy forbids blob: see it too. */
async function thumbnail(file) {
  const canvas = make("canvas", { className: "thumb", width: 96, height: 96 });
  const picture = await createImageBitmap(file);
  const side = Math.min(picture.width, picture.height);
  const left = (picture.width - side) / 2;
  const top = (picture.height - side) / 2;
  canvas.getContext("2d").drawImage(picture, left, top, side, side, 0, 0, 96, 96);
  return canvas;
}

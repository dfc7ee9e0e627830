/** Puts the parts together and into the page: `<script src=".../chat/widget.js" async></script>`. */
const script = document.currentScript;
const base = new URL(script.src).origin;
const account = script.dataset.account || "";
const READ_AFTER = 400; // ms: a burst of messages is read with one receipt

function begin() {
  const shelf = new Shelf(`switchboard:${base}:${account}:`);
  const chosen = `language:${script.dataset.language || ""}`; // a choice holds for pages of the same language
  let language = speak(shelf.get(chosen), script.dataset.language, ...navigator.languages);
  const t = (key) => TEXTS[language][key];
  const locale = () => navigator.languages.find((code) => code.startsWith(language)) || language;
  Object.defineProperties(t, { language: { get: () => language }, locale: { get: locale } });

  let wire = null;
  let view = null;
  let unseen = 0;
  let reading = 0;

  const log = new Log(t, {
    press: (message, { label, choice }) =>
      wire.say({ text: label, press: { question: message.question, choice }, language }),
    retry: (item) => wire.retry(item),
    discard: (item) => wire.discard(item),
    url: (path) => `${base}${path}${path.includes("?") ? "&" : "?"}customer=${encodeURIComponent(wire.token)}`,
  });
  const composer = new Composer(t, shelf, (text, files) => {
    const withFiles = files.map((file, index) => ({ text: index ? "" : text, file, language }));
    (withFiles.length ? withFiles : [{ text, language }]).forEach((item) => wire.say(item));
  });

  const looking = () => view.open && !document.hidden;
  const translate = () => [log, composer, view].forEach((part) => part.translate());

  /** Reading one message is reading all before it. */
  function read() {
    clearTimeout(reading);
    reading = setTimeout(() => {
      const newest = log.newest;
      if (!newest || !looking()) return;
      unseen = 0;
      count();
      shelf.set("seen", Math.max(wire.last, shelf.get("seen", 0)));
      if (newest.state === "read") return;
      newest.state = "read";
      wire.receipt("read", newest.id);
    }, READ_AFTER);
  }

  function count() {
    view.unread(unseen);
    const title = document.title.replace(/^\(\d+\) /, "");
    document.title = unseen && document.hidden ? `(${unseen}) ${title}` : title;
  }

  function message(one, seq) {
    log.show(one, seq);
    if (one.direction !== "out") return;
    view.translate(); // a person may have taken over
    if (looking()) return read();
    if (seq > shelf.get("seen", 0)) {
      unseen += 1;
      count();
    }
    if (one.state === "delivered" || one.state === "read") return;
    one.state = "delivered";
    setTimeout(() => one.state === "delivered" && wire.receipt("delivered", one.id), READ_AFTER);
  }

  /** Who the customer is talking to; without an answer the chat works all the same. */
  async function introduce() {
    const config = await wire.config().catch(() => null);
    if (!config) return;
    log.brand = view.brand = config.brand;
    composer.limit = config.file_limit;
    translate();
  }

  function toggled(open, byHand) {
    if (byHand) shelf.set("open", open);
    if (open && wire) read();
  }

  function switchLanguage() {
    language = language === "de" ? "en" : "de";
    shelf.set(chosen, language);
    translate();
  }

  view = new View(t, log, composer, { toggled, switchLanguage });
  wire = new Wire(base, account, shelf, {
    message,
    state: (change) => log.update(change),
    typing: (by) => log.typing(by),
    pending: (item) => log.showPending(item),
    gone: (item) => log.drop(item),
    connection(state) {
      view.connection(state);
      if (state === "online" && !view.brand) introduce();
    },
    renewed: () => log.restart(),
  });

  document.body.append(view.host);
  translate();
  wire.pending.forEach((item) => log.showPending(item));
  wire.start();
  introduce();
  document.addEventListener("visibilitychange", () => {
    count();
    if (looking()) read();
  });
  addEventListener("beforeunload", (event) => {
    if (wire.pending.some((item) => item.file && item.state !== "stored")) event.preventDefault();
  });

  // By itself it never covers the page somebody is looking at.
  if (!view.covers && shelf.get("open", script.dataset.open === "true")) view.toggle(true, false);

  window.Switchboard = {
    open: () => view.toggle(true),
    close: () => view.toggle(false),
    ask: (text) => {
      view.toggle(true);
      wire.say({ text: String(text), language });
    },
    language: (code) => {
      language = speak(code, language);
      translate();
    },
  };
  dispatchEvent(new Event("switchboard:ready"));
}

if (script && window.Switchboard === undefined) {
  if (document.body) begin();
  else addEventListener("DOMContentLoaded", begin);
}

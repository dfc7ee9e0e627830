/** The conversation: one list item per message, those not yet shown by the server at the end. */
const NEAR_END = 60; // px from the end that still count as reading the newest
const TOGETHER = 180000; // ms
const BEGAN = Date.now();
const TYPING_SHOWN = 8000; // ms

class Log {
  /** `act` holds press(message, button), retry(item), discard(item), url(path). */
  constructor(t, act) {
    this.t = t;
    this.act = act;
    this.lines = new Map(); // by client id, else by the message's id
    this.stick = true;
    this.top = 0;
    this.intro = make("div", { className: "intro" });
    this.list = make("ol", { className: "lines" });
    this.dots = make("div", { className: "typing", hidden: true }, make("i"), make("i"), make("i"));
    this.dots.setAttribute("aria-hidden", "true");
    this.element = make(
      "div",
      { className: "log", role: "log", tabIndex: 0, onscroll: () => this.scrolled() },
      this.intro,
      this.list,
      this.dots,
    );
    this.element.setAttribute("aria-live", "polite");
    this.jump = make("button", { type: "button", className: "jump", hidden: true, onclick: () => this.toEnd() });
    new ResizeObserver(() => this.stick && this.toEnd()).observe(this.element);
  }

  get messages() {
    return [...this.lines.values()].map((line) => line.message).filter(Boolean);
  }

  /** The last message of ours to the customer. */
  get newest() {
    return this.messages.filter((message) => this.theirs(message)).pop();
  }

  /** A message as the server shows it; takes the place of what waited under its client id. */
  show(message, seq) {
    const line = this.line(message.client_id || message.id);
    Object.assign(line, { message, item: null, seq: line.seq || seq });
    if (this.theirs(message)) this.typing("");
    if (Date.parse(message.at) < BEGAN) this.hush();
    this.draw(line);
    const next = this.firstWaiting();
    const placed = line.node.isConnected && line.node.nextSibling === next;
    this.change(() => placed || this.list.insertBefore(line.node, next), true);
  }

  /** Those on their way stand at the end. */
  firstWaiting() {
    let first = null;
    for (let node = this.list.lastChild; node && node.line.item; node = node.previousSibling) first = node;
    return first;
  }

  /** What was said before this page was opened is not read out. */
  hush() {
    clearTimeout(this.hushed);
    this.element.setAttribute("aria-live", "off");
    this.hushed = setTimeout(() => this.element.setAttribute("aria-live", "polite"), 1000);
  }

  /** A message on its way. */
  showPending(item) {
    const line = this.line(item.id);
    if (line.message) return;
    const fresh = !line.item;
    line.item = item;
    this.draw(line);
    if (fresh) this.stick = true; // whoever writes wants to see it
    this.change(() => fresh && this.list.append(line.node));
  }

  /** A pressed button goes away; the focus must not go with it. */
  hold() {
    this.element.focus({ preventScroll: true });
  }

  drop(item) {
    const line = this.lines.get(item.id);
    if (!line) return;
    this.lines.delete(item.id);
    this.change(() => line.node.remove());
  }

  update(change) {
    const line = [...this.lines.values()].find((one) => one.message && one.message.id === change.id);
    if (!line) return;
    Object.assign(line.message, change);
    this.change(() => this.draw(line));
  }

  /** Everything the server knew is gone; what waits stays. */
  restart() {
    for (const [key, line] of [...this.lines]) {
      if (line.item) continue;
      line.node.remove();
      this.lines.delete(key);
    }
    this.note = "renewed";
    this.translate();
  }

  typing(by) {
    clearTimeout(this.still);
    this.change(() => (this.dots.hidden = !by));
    if (by) this.still = setTimeout(() => this.typing(""), TYPING_SHOWN);
  }

  translate() {
    this.element.setAttribute("aria-label", this.t("history"));
    this.jump.replaceChildren(icon("down"), this.t("jump"));
    const lines = [this.note && this.t(this.note), this.t("hello"), this.t("privacy")].filter(Boolean);
    this.intro.replaceChildren(...lines.map((text) => make("p", {}, text)));
    this.change(() => this.lines.forEach((line) => this.draw(line)));
  }

  // One line

  line(key) {
    if (!this.lines.has(key)) {
      const node = make("li", { className: "line" });
      node.line = { node };
      this.lines.set(key, node.line);
    }
    return this.lines.get(key);
  }

  /** What did not change stays in place: it keeps the focus and is not read out again. */
  draw(line) {
    const { node, message, item } = line;
    node.classList.toggle("mine", !this.theirs(message));
    node.dataset.state = item ? item.state : message.state;
    const meta = this.meta(line);
    const { text, deleted, attachments = [] } = message || item;
    const looks = [this.t.language, this.brand, text, deleted, attachments, item && item.file && [item.state, item.progress]];
    if (line.looks === JSON.stringify(looks)) line.meta.replaceWith(meta);
    else this.build(line, meta);
    Object.assign(line, { meta, looks: JSON.stringify(looks) });
  }

  build(line, meta) {
    const { node, message, item } = line;
    const files = message ? message.attachments.map((file) => this.attached(file)) : this.uploading(line);
    const text = message ? message.text : item.text;
    const bubble = make("div", { className: "bubble", dir: "auto" }, this.speaker(line), ...files);
    if (message && message.deleted) bubble.append(make("p", { className: "gone" }, this.t("deleted")));
    else if (text) bubble.append(make("p", {}, linked(text)));
    line.day = line.day || make("div", { className: "day", hidden: true });
    line.who = make("div", { className: "who", hidden: true }, this.theirs(message) ? this.author(message) : "");
    line.who.setAttribute("aria-hidden", "true"); // said inside the bubble
    line.buttons = this.buttons(message);
    node.replaceChildren(...[line.day, line.who, bubble, line.buttons, meta].filter(Boolean));
  }

  theirs(message) {
    return Boolean(message) && message.direction === "out";
  }

  author(message) {
    return (message && message.author.kind === "agent" && message.author.name) || this.brand || this.t("bot");
  }

  speaker({ message }) {
    const name = this.theirs(message) ? this.author(message) : this.t("you");
    return make("span", { className: "unseen" }, `${name}: `);
  }

  attached(file) {
    const address = this.act.url(file.url);
    const how = { className: "file", href: address, target: "_blank", rel: "noopener noreferrer" };
    if (file.kind === "image") {
      const alt = file.name || this.t("picture");
      const picture = make("img", { src: address, alt, loading: "lazy", referrerPolicy: "no-referrer" });
      return make("a", { ...how, className: "picture" }, picture);
    }
    const size = make("small", {}, kilobytes(file.size, this.t.locale));
    return make("a", how, icon("file"), make("span", {}, file.name), size);
  }

  uploading(line) {
    const { item } = line;
    if (!item.file) return [];
    line.thumb = line.thumb || thumbnailed(item.file);
    const bar = make("progress", { max: 1, value: item.progress || 0, hidden: item.state !== "sending" });
    bar.setAttribute("aria-label", item.file.name);
    return [make("div", { className: "file" }, line.thumb, make("span", {}, item.file.name), bar)];
  }

  buttons(message) {
    if (!message || !message.buttons || !message.buttons.length) return null;
    const buttons = message.buttons.map((button) =>
      make("button", { type: "button", onclick: () => this.hold(this.act.press(message, button)) }, button.label),
    );
    return make("div", { className: "choices" }, ...buttons);
  }

  meta({ message, item }) {
    const at = new Date((message || item).at);
    const clock = at.toLocaleTimeString(this.t.locale, { hour: "2-digit", minute: "2-digit" });
    const exact = at.toLocaleString(this.t.locale, { dateStyle: "full", timeStyle: "short" });
    const time = make("time", { dateTime: at.toISOString(), title: exact }, clock);
    const meta = make("div", { className: "meta", "aria-live": "off" }, time);
    if (message && message.edited) meta.append(this.t("edited"));
    if (item && item.state === "failed") meta.append(...this.failure(item));
    else if (item || message.direction === "in") meta.append(this.tick(item));
    return meta;
  }

  tick(item) {
    const name = !item ? "taken" : item.state === "stored" ? "stored" : "sending";
    const shape = { taken: "ticks", stored: "tick", sending: "clock" }[name];
    return make("span", { className: "tick", title: this.t(name) }, icon(shape), this.unseen(name));
  }

  failure(item) {
    const why = item.problem ? this.t(item.problem) : "";
    return [
      make("span", { className: "bad" }, icon("alert"), `${this.t("failed")} ${why}`),
      make("button", { type: "button", onclick: () => this.hold(this.act.retry(item)) }, this.t("retry")),
      make("button", { type: "button", onclick: () => this.hold(this.act.discard(item)) }, this.t("discard")),
    ];
  }

  unseen(name) {
    return make("span", { className: "unseen" }, this.t(name));
  }

  // The list as a whole

  /** Change something without moving what is being read. A long history is tidied once, before it is painted. */
  change(how, news = false) {
    how();
    this.news = this.news || news;
    if (this.settling) return;
    this.settling = true;
    const settle = () => {
      this.settling = false;
      this.tidy();
      if (this.stick) this.toEnd();
      else if (this.news) this.jump.hidden = false;
      this.news = false;
    };
    if (document.hidden) setTimeout(settle, 50);
    else requestAnimationFrame(settle);
  }

  /** Days, who speaks, and which buttons can still be pressed depend on the neighbours. */
  tidy() {
    let before = null; // the line above
    const lines = [...this.list.children].map((node) => node.line);
    const asked = lines.filter((line) => line.buttons).pop();
    lines.forEach((line, index) => {
      const at = new Date((line.message || line.item).at);
      const newDay = !before || at.toDateString() !== before.at.toDateString();
      const author = this.theirs(line.message) ? this.author(line.message) : "";
      line.day.hidden = !newDay;
      line.day.textContent = newDay ? this.day(at) : "";
      line.who.hidden = !author || (!newDay && before.author === author);
      line.node.classList.toggle("first", newDay || before.author !== author);
      if (before) before.node.classList.toggle("more", this.together(before, { at, author, line }));
      line.node.classList.remove("more");
      if (line.buttons) {
        const answered = lines.slice(index + 1).some((later) => later.node.classList.contains("mine"));
        const open = line === asked && !answered;
        line.buttons.querySelectorAll("button").forEach((button) => (button.disabled = !open));
      }
      before = { at, author, line, node: line.node };
    });
  }

  /** One time under what was said in one breath. */
  together(one, next) {
    const shown = one.line.message && next.line.message && !one.line.message.edited;
    return Boolean(shown) && one.author === next.author && next.at - one.at < TOGETHER;
  }

  day(at) {
    const days = Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 864e5);
    if (days === 0) return this.t("today");
    if (days === 1) return this.t("yesterday");
    return at.toLocaleDateString(this.t.locale, { weekday: "long", day: "numeric", month: "long" });
  }

  /** Only who goes up stops following; an event of our own scrolling may come when more has grown below. */
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) this.stick = true;
    else if (scrollTop < this.top) this.stick = false;
    this.top = scrollTop;
    if (this.stick) this.jump.hidden = true;
  }

  toEnd() {
    this.stick = true;
    this.jump.hidden = true;
    this.element.scrollTop = this.element.scrollHeight;
  }
}

/** A place that fills with the file's small picture, or its symbol. */
function thumbnailed(file) {
  const place = make("span", { className: "thumb" }, icon("file"));
  if (file.type.startsWith("image/")) {
    thumbnail(file).then((canvas) => place.replaceChildren(canvas), () => {});
  }
  return place;
}

/** Where the customer writes: text, and files that wait beside it. */
const FILES_AT_ONCE = 5;
const FILE_TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf"];
const HINT_SHOWN = 8000; // ms

class Composer {
  /** `send(text, files)` is called with what was written. */
  constructor(t, shelf, send) {
    this.t = t;
    this.shelf = shelf;
    this.send = send;
    this.limit = 5 * 1024 * 1024;
    this.files = [];
    this.tray = make("ul", { className: "tray", hidden: true });
    this.hint = make("p", { className: "hint", role: "status" });
    this.field = make("textarea", {
      rows: 1,
      dir: "auto",
      enterKeyHint: "send",
      value: shelf.get("draft", ""),
      oninput: () => this.typed(),
      onkeydown: (event) => this.pressed(event),
      onpaste: (event) => this.pasted(event),
    });
    this.picker = make("input", { type: "file", multiple: true, hidden: true, accept: FILE_TYPES.join() });
    this.picker.addEventListener("change", () => this.add([...this.picker.files]));
    this.clip = make("button", { type: "button", onclick: () => this.picker.click() }, icon("clip"));
    this.submit = make("button", { type: "submit", className: "send" }, icon("send"));
    this.element = make(
      "form",
      { className: "composer", onsubmit: (event) => this.submitted(event) },
      this.tray,
      make("div", { className: "row" }, this.clip, this.picker, this.field, this.submit),
      this.hint,
    );
    this.typed();
  }

  translate() {
    const label = (element, text) => {
      element.setAttribute("aria-label", text);
      element.title = text;
    };
    this.field.setAttribute("aria-label", this.t("field"));
    this.field.placeholder = this.t("placeholder");
    label(this.clip, this.t("attach"));
    label(this.submit, this.t("send"));
    this.drawTray();
  }

  say(key) {
    clearTimeout(this.hiding);
    this.hint.textContent = key ? this.t(key) : "";
    if (key) this.hiding = setTimeout(() => this.say(""), HINT_SHOWN);
  }

  typed() {
    const { field } = this;
    field.style.height = "auto";
    const border = field.offsetHeight - field.clientHeight; // is no part of what scrolls
    field.style.height = `${field.scrollHeight + border}px`;
    this.submit.disabled = !field.value.trim() && !this.files.length;
    this.shelf.set("draft", field.value.slice(0, 20000));
  }

  pressed(event) {
    const finishesWord = event.isComposing || event.keyCode === 229; // an input method is still choosing
    if (event.key !== "Enter" || event.shiftKey || finishesWord) return;
    event.preventDefault();
    this.submitted(event);
  }

  pasted(event) {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    this.add([...event.clipboardData.files]);
  }

  submitted(event) {
    event.preventDefault();
    const text = this.field.value.trim();
    if (!text && !this.files.length) return;
    this.send(text, this.files);
    this.field.value = "";
    this.files = [];
    this.drawTray();
    this.say("");
    this.field.focus();
  }

  add(files) {
    const problems = files.map((file) => this.problem(file)).filter(Boolean);
    const good = files.filter((file) => !this.problem(file));
    if (this.files.length + good.length > FILES_AT_ONCE) problems.push("tooMany");
    this.files = [...this.files, ...good].slice(0, FILES_AT_ONCE);
    this.picker.value = "";
    this.drawTray();
    if (problems.length) this.say(problems[0]);
    this.field.focus();
  }

  problem(file) {
    if (!FILE_TYPES.includes(file.type)) return "wrongType";
    return file.size > this.limit ? "tooLarge" : "";
  }

  drawTray() {
    this.tray.hidden = !this.files.length;
    this.tray.replaceChildren(...this.files.map((file) => this.chip(file)));
    this.typed();
  }

  chip(file) {
    const take = () => {
      this.files = this.files.filter((other) => other !== file);
      this.drawTray();
      this.field.focus();
    };
    const away = make("button", { type: "button", onclick: take }, icon("close"));
    away.setAttribute("aria-label", this.t("detach")(file.name));
    return make("li", {}, thumbnailed(file), make("span", {}, file.name), away);
  }
}

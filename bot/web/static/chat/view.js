/** The frame: the button in the corner, the panel, its header and its banner. */
class View {
  constructor(t, log, composer, act) {
    this.t = t;
    this.log = log;
    this.composer = composer;
    this.act = act;
    this.brand = "";
    this.badge = make("span", { className: "badge", hidden: true });
    this.launcher = make(
      "button",
      { type: "button", className: "launcher", onclick: () => this.toggle(!this.open) },
      icon("chat"),
      icon("down"),
      this.badge,
    );
    this.launcher.setAttribute("aria-controls", "panel");
    this.title = make("h2", { id: "title" });
    this.about = make("p", {});
    this.mark = make("span", { className: "mark" });
    this.mark.setAttribute("aria-hidden", "true");
    this.tongue = make("button", { type: "button", className: "tongue", onclick: () => act.switchLanguage() });
    this.shut = make("button", { type: "button", onclick: () => this.toggle(false) }, icon("close"));
    this.banner = make("p", { className: "banner", role: "status", hidden: true });
    this.panel = this.build();
    this.host = document.createElement("switchboard-chat");
    this.root = this.host.attachShadow({ mode: "open" });
    this.dress();
    this.root.append(this.panel, this.launcher);
    this.toggle(false, false);
  }

  build() {
    const name = make("div", { className: "name" }, this.title, this.about);
    const header = make("header", {}, this.mark, name, this.tongue, this.shut);
    const middle = make("div", { className: "middle" }, this.log.element, this.log.jump);
    const panel = make("section", { className: "panel", id: "panel", role: "dialog" });
    panel.setAttribute("aria-modal", "false");
    panel.setAttribute("aria-labelledby", "title");
    panel.append(header, this.banner, middle, this.composer.element);
    panel.addEventListener("keydown", (event) => this.pressed(event));
    this.takeDrops(panel);
    return panel;
  }

  /** Made by script, so that the page's policy need not allow styles from elsewhere. */
  dress() {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.root.adoptedStyleSheets = [sheet];
    } catch {
      this.root.append(make("style", {}, STYLE)); // browsers from before 2023
    }
  }

  takeDrops(panel) {
    const over = (event, shown) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      panel.classList.toggle("dropping", shown);
    };
    panel.addEventListener("dragover", (event) => over(event, true));
    panel.addEventListener("dragleave", (event) => panel.contains(event.relatedTarget) || over(event, false));
    panel.addEventListener("drop", (event) => {
      over(event, false);
      if (event.dataTransfer.files.length) this.composer.add([...event.dataTransfer.files]);
    });
  }

  get covers() {
    return matchMedia("(max-width: 520px), (max-height: 420px)").matches;
  }

  toggle(open, byHand = true) {
    this.open = open;
    this.panel.hidden = !open;
    this.root.host.classList.toggle("open", open);
    this.launcher.setAttribute("aria-expanded", String(open));
    this.label();
    if (open) this.log.toEnd();
    if (byHand) (open ? this.composer.field : this.launcher).focus({ preventScroll: true });
    this.composer.typed();
    this.act.toggled(open, byHand);
  }

  pressed(event) {
    if (event.key === "Escape" && !event.isComposing) {
      event.stopPropagation();
      this.toggle(false);
    }
    if (event.key === "Tab" && this.covers) this.stayInside(event);
  }

  /** On a small screen the page is behind the panel, where nobody sees the focus go. */
  stayInside(event) {
    const stops = [...this.panel.querySelectorAll("button, textarea, a[href], [tabindex='0']")].filter(
      (stop) => !stop.disabled && stop.getClientRects().length,
    );
    const [first, last] = [stops[0], stops[stops.length - 1]];
    const [from, to] = event.shiftKey ? [first, last] : [last, first];
    if (this.root.activeElement !== from) return;
    event.preventDefault();
    to.focus();
  }

  unread(count) {
    this.count = count;
    this.badge.hidden = !count;
    this.badge.textContent = count > 9 ? "9+" : String(count);
    this.label();
  }

  label() {
    const more = this.count ? `, ${this.t("unread")(this.count)}` : "";
    this.launcher.setAttribute("aria-label", this.open ? this.t("close") : this.t("open") + more);
  }

  connection(state) {
    this.state = state;
    clearTimeout(this.bannerSoon);
    const show = () => {
      this.banner.hidden = state === "online";
      this.banner.textContent = state === "online" ? "" : this.t(state);
    };
    if (state === "online") show();
    else this.bannerSoon = setTimeout(show, this.banner.hidden ? 800 : 0);
  }

  translate() {
    const { t } = this;
    this.host.lang = t.language;
    this.title.textContent = this.brand || "Chat";
    this.mark.textContent = (this.brand || "?").slice(0, 1);
    const agent = this.log.newest && this.log.newest.author;
    this.about.textContent = agent && agent.kind === "agent" && agent.name ? t("talking")(agent.name) : t("about");
    this.tongue.textContent = t.language === "de" ? "EN" : "DE";
    this.tongue.lang = t.language === "de" ? "en" : "de";
    this.tongue.setAttribute("aria-label", t("language"));
    this.tongue.title = t("language");
    this.shut.setAttribute("aria-label", t("close"));
    this.shut.title = t("close");
    this.panel.dataset.drop = t("drop");
    if (this.state) this.connection(this.state);
    this.label();
  }
}

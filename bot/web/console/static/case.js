// One case, live: drafts are kept, what is being read stays where it is, nothing typed is ever lost.
"use strict";

(() => {
  const { announce, bar, calmly, count, live, morph, readAgain, root, shortcuts, signedOut, t, times } = Switchboard;
  const form = document.getElementById("write");
  const text = document.getElementById("text");
  const file = form.elements.file;
  const problem = document.getElementById("problem");
  const rescue = document.getElementById("rescue");
  const written = document.getElementById("written");
  const below = document.getElementById("below");
  const head = document.getElementById("head");
  const talk = document.querySelector(".talk");
  const timeline = document.getElementById("timeline");
  const id = form.dataset.case;
  const draft = `switchboard:draft:${document.body.dataset.user}:${id}`;
  const DRAFTS_KEPT = 7 * 86400000;
  const FILE_LIMIT = 5 * 1024 * 1024;
  let unread = 0;

  const mode = () => (document.getElementById("as-note").checked ? "note" : "reply");

  function freshId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // ── The draft ──

  function keep() {
    if (Switchboard.leaving) return;
    if (text.value) localStorage.setItem(draft, JSON.stringify({ text: text.value, mode: mode(), at: Date.now() }));
    else localStorage.removeItem(draft);
  }

  function restore() {
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith("switchboard:draft:") && Date.now() - JSON.parse(localStorage[name]).at > DRAFTS_KEPT) localStorage.removeItem(name);
    }
    const kept = JSON.parse(localStorage.getItem(draft) || "null");
    if (!kept || text.value) return;
    text.value = kept.text;
    choose(kept.mode);
    written.textContent = t("write.draft_kept");
  }

  function choose(wanted) {
    const reply = document.getElementById("as-reply");
    const note = document.getElementById("as-note");
    (wanted === "note" || reply.disabled ? note : reply).checked = true;
    label();
  }

  function label() {
    text.setAttribute("aria-label", text.dataset[mode()]);
  }

  let pause = 0;
  let told = 0;
  text.addEventListener("input", () => {
    written.textContent = "";
    tellTyping();
    clearTimeout(pause);
    pause = setTimeout(keep, 250);
  });
  form.addEventListener("change", () => {
    label();
    keep();
  });
  addEventListener("pagehide", keep);

  if (!CSS.supports("field-sizing", "content")) {
    text.addEventListener("input", grow);
  }

  function grow() {
    text.style.height = "auto";
    text.style.height = `${text.scrollHeight}px`;
  }

  function tellTyping() {
    if (mode() !== "reply" || head.dataset.speaking !== "mine" || Date.now() - told < 4000) return;
    told = Date.now();
    const csrf = form.elements.csrf.value;
    fetch(`${root}/cases/${encodeURIComponent(id)}/typing`, { method: "POST", headers: { "X-CSRF-Token": csrf } }).catch(() => {});
  }

  // ── Files ──

  function showFile() {
    const chosen = file.files[0];
    const place = form.querySelector(".attach span");
    place.dataset.empty ||= place.textContent;
    place.textContent = chosen ? chosen.name : place.dataset.empty;
    if (chosen && chosen.size > FILE_LIMIT) {
      file.value = "";
      showFile();
      refuse(t("refused.file_size"));
    }
  }

  file.addEventListener("change", showFile);
  text.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length || mode() === "note") return;
    file.files = event.clipboardData.files;
    showFile();
    event.preventDefault();
  });

  // ── Doing things ──

  function refuse(words, offersNote = false) {
    problem.textContent = words;
    problem.hidden = !words;
    rescue.hidden = !offersNote;
  }

  async function send(target, submitter) {
    const data = new FormData(target, submitter);
    if (target === form && !String(data.get("text")).trim() && !file.files.length) {
      refuse(t("write.empty"));
      return;
    }
    const late = setTimeout(() => (written.textContent = t("write.sending")), 300);
    submitter?.setAttribute("aria-busy", "true");
    try {
      const headers = { Accept: "application/json", "X-CSRF-Token": data.get("csrf") };
      const response = await fetch(target.getAttribute("action"), { method: "POST", body: data, headers });
      clearTimeout(late);
      written.textContent = "";
      if (response.status === 401) signedOut();
      else if (response.ok) done(target, data);
      else refused(target, (await response.json()).error);
    } catch {
      clearTimeout(late);
      written.textContent = "";
      (target === form ? refuse : bar)(t("write.offline"));
    }
    submitter?.removeAttribute("aria-busy");
    refresh(true);
  }

  function done(target, data) {
    refuse("");
    bar("");
    const menu = target.closest("details.menu");  // only this one: another may have been opened meanwhile
    if (menu) menu.open = false;
    target.elements.id.value = freshId();
    if (target !== form) {
      announce(t("write.done"));
      return;
    }
    text.value = "";
    file.value = "";
    showFile();
    keep();
    written.textContent = t(data.getAll("action").includes("note") || data.get("rescue") ? "write.noted" : "write.sent");
    toTheEnd();
  }

  function refused(target, error) {
    if (target === form) refuse(error.message, error.offers_note);
    else bar(error.message);
  }

  document.addEventListener("submit", (event) => {
    if (event.target !== form && !event.target.dataset.act) return;
    event.preventDefault();
    const until = event.target.elements.until;
    if (until?.value) event.target.elements.until_exact.value = new Date(until.value).toISOString();
    send(event.target, event.submitter);
  });

  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit(form.querySelector(`.senders .for-${mode()}`));
  });

  // ── Live ──

  const REGIONS = ["head", "timeline", "modes", "senders", "context", "take-over"];

  const refresh = calmly(async () => {
    const page = await readAgain();
    if (!page) return;
    const before = {
      heard: Number(timeline.dataset.heard),
      mode: mode(),
      speaking: head.dataset.speaking,
    };
    for (const region of REGIONS) morph(document.getElementById(region), page.getElementById(region));
    times();
    document.title = page.title;
    tellOfNews(before);
    ownership(before);
  });

  function tellOfNews({ heard }) {
    const added = Number(timeline.dataset.heard) - heard;
    if (added <= 0) return;
    announce(count("case.new_below", added));
    if (text.value.trim()) written.textContent = t("case.wrote_meanwhile");
    if (atEnd) return;
    unread += added;
    below.textContent = `↓ ${count("case.new_below", unread)}`;
    below.hidden = false;
  }

  // A reply that was being written stays; if somebody else has the case now, it can still become a note.
  function ownership(before) {
    const { speaking, owner } = head.dataset;
    const changed = speaking !== before.speaking;
    choose(changed && before.speaking !== "free" && !text.value.trim() ? "reply" : before.mode);
    if (!changed) return;
    if (speaking === "owned" && before.mode === "reply" && text.value.trim()) refuse(t("write.taken", { owner }), true);
    else refuse("");
  }

  // Whoever reads the end keeps seeing the end, whatever grows; whoever reads elsewhere is not moved.
  let atEnd = false;

  function toTheEnd() {
    talk.scrollIntoView({ block: "end" });
    atEnd = true;
  }

  addEventListener("scroll", () => {
    atEnd = talk.getBoundingClientRect().bottom <= innerHeight + 8;
    if (!atEnd) return;
    unread = 0;
    below.hidden = true;
  }, { passive: true });
  new ResizeObserver(() => atEnd && toTheEnd()).observe(talk);
  below.addEventListener("click", toTheEnd);

  // ── Keys ──

  const list = JSON.parse(sessionStorage.getItem("switchboard:list") || "null");

  function write(wanted) {
    choose(wanted);
    text.focus();
  }

  function claim() {
    document.querySelector("form[data-act=claim]")?.requestSubmit();
  }

  function resolve() {
    const menu = document.getElementById("resolve");
    if (!menu) return;
    menu.open = true;
    menu.querySelector("input[type=radio]").focus();
  }

  function neighbour(by) {
    const next = list?.seen[list.seen.indexOf(id) + by];
    if (next && list.seen.includes(id)) location.href = `${root}/cases/${encodeURIComponent(next)}#latest`;
  }

  const back = document.querySelector(".back");
  if (list) back.href = list.url;
  Object.assign(shortcuts, {
    r: () => write("reply"),
    n: () => write("note"),
    c: claim,
    e: resolve,
    u: () => back.click(),
    j: () => neighbour(1),
    k: () => neighbour(-1),
  });

  restore();
  label();
  const wanted = { "#reply": () => write("reply"), "#note": () => write("note"), "#resolve": resolve }[location.hash];
  if (wanted || !location.hash || location.hash === "#latest") {
    toTheEnd();
    addEventListener("load", toTheEnd, { once: true });
  }
  wanted?.();
  live.listen((changed) => (!changed || changed === id) && refresh());
})();

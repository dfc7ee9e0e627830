// What every page needs: words, times in the viewer's own zone, menus, keys. Pages work without it.
"use strict";

const Switchboard = (() => {
  const body = document.body;
  const texts = JSON.parse(body.dataset.texts);
  const root = body.dataset.root;
  const language = document.documentElement.lang;
  const locale = navigator.languages.find((tag) => tag.split("-")[0] === language) || language;

  function t(key, values = {}) {
    return texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  function count(key, n) {
    return t(`${key}.${n === 1 ? "one" : "other"}`, { n: new Intl.NumberFormat(locale).format(n) });
  }

  // ── Times ──

  const format = (options) => new Intl.DateTimeFormat(locale, options);
  const formats = {
    clock: format({ hour: "2-digit", minute: "2-digit" }),
    day: format({ weekday: "long", day: "numeric", month: "long" }),
    near: format({ weekday: "short", hour: "2-digit", minute: "2-digit" }),
    far: format({ day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" }),
    exact: format({ dateStyle: "full", timeStyle: "short" }),
  };

  function span(seconds) {
    if (seconds < 60) return t("time.now");
    if (seconds < 3600) return t("time.minutes", { n: Math.floor(seconds / 60) });
    if (seconds < 172800) return t("time.hours", { n: Math.floor(seconds / 3600) });
    return t("time.days", { n: Math.floor(seconds / 86400) });
  }

  function ago(seconds) {
    if (seconds < 60) return t("time.just_now");
    if (seconds < 172800) return t("time.ago", { span: span(seconds) });
    return t("time.ago_days", { n: Math.floor(seconds / 86400) });
  }

  function short(moment) {
    const days = Math.abs(new Date(moment).setHours(0, 0, 0, 0) - new Date().setHours(0, 0, 0, 0)) / 86400000;
    return (days < 0.5 ? formats.clock : days < 6.5 ? formats.near : formats.far).format(moment);
  }

  const forms = {
    span: (moment) => span((Date.now() - moment) / 1000),
    ago: (moment) => ago((Date.now() - moment) / 1000),
    clock: (moment) => formats.clock.format(moment),
    day: (moment) => formats.day.format(moment),
    exact: (moment) => formats.exact.format(moment),
    short,
  };

  function times(within = document) {
    for (const time of within.querySelectorAll("time[data-form]")) {
      const moment = new Date(time.dateTime);
      const words = forms[time.dataset.form](moment);
      if (time.textContent !== words) time.textContent = words;
      const exact = formats.exact.format(moment);
      if (time.title !== exact) time.title = exact;
    }
  }

  // ── Saying things ──

  function announce(words) {
    document.getElementById("announce").textContent = words;
  }

  function bar(words, link) {
    const place = document.getElementById("bar");
    place.textContent = words;
    if (link) place.append(" ", link);
    place.hidden = !words;
  }

  function signedOut() {
    const link = document.createElement("a");
    link.href = `${root}/login?next=${encodeURIComponent(location.pathname + location.search)}`;
    link.textContent = t("live.log_in");
    bar(t("live.signed_out"), link);
  }

  // ── A page read again, and what changed in it put in place, so that focus and drafts stay ──

  async function readAgain() {
    const response = await fetch(location.href.split("#")[0], { headers: { Accept: "text/html" } });
    if (response.redirected && new URL(response.url).pathname.endsWith("/login")) {
      signedOut();
      return null;
    }
    if (!response.ok) return null;
    return new DOMParser().parseFromString(await response.text(), "text/html");
  }

  // Attributes, since the `id` of a form that has a field of that name is the field.
  const KEYS = ["data-id", "data-case", "id"];
  const key = (node) => (node.nodeType === 1 && KEYS.map((name) => node.getAttribute(name)).find(Boolean)) || "";

  function morph(old, fresh) {
    for (const { name, value } of [...fresh.attributes]) {
      if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    for (const { name } of [...old.attributes]) {
      if (name !== "open" && !fresh.hasAttribute(name)) old.removeAttribute(name);
    }
    if (old.tagName === "TIME") return;
    const known = new Map([...old.childNodes].filter(key).map((node) => [key(node), node]));
    let place = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      const match = key(wanted) ? known.get(key(wanted)) : fits(place, wanted) ? place : null;
      if (!match) {
        old.insertBefore(document.importNode(wanted, true), place);
        continue;
      }
      if (match === place) place = place.nextSibling;
      else old.insertBefore(match, place);
      if (match.nodeType === 1) morph(match, wanted);
      else if (match.data !== wanted.data) match.data = wanted.data;
    }
    while (place) {
      const next = place.nextSibling;
      place.remove();
      place = next;
    }
  }

  function fits(old, fresh) {
    return old && old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && !key(old);
  }

  // At most once a second, and seldom while nobody looks; never two at a time.
  function calmly(run) {
    let timer = 0;
    let last = 0;
    let running = false;
    let again = false;
    async function go() {
      timer = 0;
      if (running) {
        again = true;
        return;
      }
      running = true;
      last = Date.now();
      try {
        await run();
      } catch {
        // The connection is gone; the live stream says so and comes back.
      }
      running = false;
      if (again) {
        again = false;
        wake();
      }
    }
    function wake(now = false) {
      if (now) clearTimeout(timer);
      else if (timer) return;
      const pause = document.hidden ? 10000 : 1000;
      timer = setTimeout(go, now ? 0 : Math.max(0, last + pause - Date.now()));
    }
    document.addEventListener("visibilitychange", () => {
      if (timer && !document.hidden) wake(true);
    });
    return wake;
  }

  // ── Menus and keys ──

  function closeMenus(but) {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (menu !== but) menu.open = false;
    }
  }

  document.addEventListener("click", (event) => closeMenus(event.target.closest("details.menu")));

  const shortcuts = {
    "?": () => document.getElementById("keys")?.showModal(),
    "/": () => document.getElementById("search")?.focus(),
  };

  function escape() {
    const menu = document.querySelector("details.menu[open]");
    closeMenus();
    if (menu) menu.querySelector("summary").focus();
    else document.activeElement?.blur();
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) escape();
    const types = event.target.closest("input:not([type=radio], [type=checkbox]), textarea, select, dialog[open]");
    if (types || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const act = shortcuts[event.key];
    if (!act) return;
    if (act(event) !== false) event.preventDefault();
  });

  for (const opener of document.querySelectorAll("[data-open]")) {
    opener.addEventListener("click", () => {
      closeMenus();
      document.getElementById(opener.dataset.open).showModal();
    });
  }
  for (const select of document.querySelectorAll("[data-submits]")) {
    select.addEventListener("change", () => select.form.requestSubmit());
  }
  for (const select of document.querySelectorAll("[data-reveals]")) {
    select.addEventListener("change", () => select.form.classList.add("changed"));
  }
  // A shared computer keeps no drafts after its user has left.
  document.querySelector("form[action$='/logout']")?.addEventListener("submit", () => {
    Switchboard.leaving = true;
    for (const name of Object.keys(localStorage)) {
      if (name.startsWith("switchboard:")) localStorage.removeItem(name);
    }
  });

  times();
  setInterval(times, 15000);

  return { announce, bar, calmly, count, leaving: false, morph, readAgain, root, shortcuts, signedOut, t, times };
})();

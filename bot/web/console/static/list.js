// The list, live: what is being read stays where it is; new cases wait for a click.
"use strict";

(() => {
  const { announce, bar, calmly, count, live, morph, readAgain, root, shortcuts, t, times } = Switchboard;
  const list = document.getElementById("cases");
  const fresh = document.getElementById("fresh");
  let latest = null;

  const rows = (within) => new Map([...within.querySelectorAll("tr[data-case]")].map((row) => [row.dataset.case, row]));

  function remember() {
    const seen = [...rows(list).keys()];
    sessionStorage.setItem("switchboard:list", JSON.stringify({ url: location.pathname + location.search, seen }));
  }

  const refresh = calmly(async () => {
    const page = await readAgain();
    if (!page) return;
    latest = page.getElementById("cases");
    document.title = page.title;
    for (const place of document.querySelectorAll("[data-count]")) {
      place.textContent = page.querySelector(`[data-count=${place.dataset.count}]`)?.textContent ?? "";
    }
    const [shown, now] = [rows(list), rows(latest)];
    for (const [id, row] of shown) update(row, now.get(id));
    const added = new URLSearchParams(location.search).has("after") ? 0 : [...now.keys()].filter((id) => !shown.has(id)).length;
    if (added && !shown.size) show();
    else offer(added);
    times(list);
  });

  function update(row, now) {
    row.classList.toggle("gone", !now);
    if (!now) row.querySelector(".who").dataset.gone = t("list.gone");
    else morph(row, now);
  }

  function offer(added) {
    const words = added ? `${count("list.new", added)} – ${t("list.show")}` : "";
    if (fresh.textContent === words) return;
    fresh.textContent = words;
    fresh.hidden = !added;
    if (added) announce(words);
  }

  function show() {
    if (latest) morph(list, latest);
    offer(0);
    times(list);
    remember();
  }

  fresh.addEventListener("click", () => {
    show();
    list.querySelector("tr[data-case] a")?.focus();
  });

  // ── Keys ──

  const links = () => [...list.querySelectorAll("tr[data-case] .words a")];
  const focused = () => document.activeElement?.closest("tr[data-case]");

  function move(by) {
    const all = links();
    const at = all.indexOf(document.activeElement);
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    next?.focus();
    next?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  function open(hash) {
    const row = focused();
    if (!row) return false;
    location.href = row.querySelector(".words a").href.split("#")[0] + hash;
    return true;
  }

  async function claim() {
    const row = focused();
    if (!row) return;
    const data = new FormData(document.querySelector("form[action$='/logout']"));
    data.set("action", "claim");
    data.set("id", `list-${Date.now()}-${Math.random().toString(36).slice(2)}`);
    const action = `${root}/cases/${encodeURIComponent(row.dataset.case)}/actions`;
    const response = await fetch(action, { method: "POST", body: data, headers: { Accept: "application/json" } });
    if (response.ok) location.href = row.querySelector(".words a").href.split("#")[0] + "#reply";
    else bar((await response.json()).error.message);
  }

  Object.assign(shortcuts, {
    j: () => move(1),
    k: () => move(-1),
    r: () => open("#reply"),
    n: () => open("#note"),
    c: claim,
    e: () => open("#resolve"),
  });

  remember();
  live.listen(() => refresh());
  addEventListener("pageshow", (event) => event.persisted && refresh(true));
})();

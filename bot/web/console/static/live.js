// One stream of hints for all tabs: browsers allow a site only six connections over HTTP/1.1.
"use strict";

Switchboard.live = (() => {
  const { bar, root, signedOut, t } = Switchboard;
  const listeners = [];
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("switchboard") : null;
  let lost = 0;

  function hear(hint) {
    if (hint.over) signedOut();
    if (hint.lost) lost ||= setTimeout(() => bar(t("live.lost")), 4000);
    if (hint.open) {
      clearTimeout(lost);
      if (lost) bar("");
      lost = 0;
    }
    if (hint.open || hint.case) listeners.forEach((listener) => listener(hint.case));
  }

  function pass(hint) {
    hear(hint);
    channel?.postMessage(hint);
  }

  function connect() {
    const source = new EventSource(`${root}/stream`);
    source.onopen = () => pass({ open: true });
    source.addEventListener("case", (event) => {
      const changed = JSON.parse(event.data).case;
      pass(changed ? { case: changed } : { open: true });
    });
    source.addEventListener("over", () => {
      source.close();
      pass({ over: true });
    });
    source.onerror = () => {
      pass({ lost: true });
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
    };
    window.addEventListener("pagehide", () => source.close(), { once: true });
  }

  channel?.addEventListener("message", (event) => hear(event.data));

  // `listener` gets the id of a case that changed, or nothing when anything may have changed.
  return {
    listen(listener) {
      listeners.push(listener);
      if (listeners.length > 1) return;
      if (!channel || !navigator.locks) {
        connect();
        return;
      }
      const whileOpen = () => new Promise(() => connect());
      navigator.locks.request("switchboard-stream", { ifAvailable: true }, (lock) => {
        if (lock) return whileOpen();
        listener();
        navigator.locks.request("switchboard-stream", whileOpen);
        return null;
      });
    },
  };
})();

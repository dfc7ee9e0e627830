/** Talks to the server: sends in order and until it is stored, listens, and says what changed.
 *
 * `tell` is an object of callbacks: message, state, typing, pending, gone, connection, renewed.
 */
const PATIENCE = 20000; // ms for an answer of the server
const UPLOAD_PATIENCE = 180000; // ms for five megabytes
const TAKEN_WITHIN = 12000; // ms from stored to shown; later, the stream is opened anew
const STALE_AFTER = 45000; // ms without a word, the stream of a tab that comes back is opened anew
const REST_AFTER = 30000; // ms hidden, all tabs but one let go of their stream
const SLOWEST = 30000; // ms between two tries
const GIVEN_UP = { 400: "refused", 403: "notHere", 404: "refused", 413: "tooLong" };
const FILE_GIVEN_UP = { ...GIVEN_UP, 400: "wrongType", 413: "tooLarge" };

class Wire {
  constructor(base, account, shelf, tell) {
    this.base = base;
    this.account = account;
    this.shelf = shelf;
    this.tell = tell;
    this.pending = shelf.all("unsent:");
    this.source = null;
    this.last = 0; // the feed's sequence we have seen
    this.heard = 0; // when we last heard anything
    this.tries = 0;
    this.pending.forEach((item) => (item.state = "waiting"));
    addEventListener("online", () => this.again());
    addEventListener("pageshow", (event) => event.persisted && this.again());
    addEventListener("storage", (event) => event.key === `${shelf.prefix}token` && this.adopt(event));
    addEventListener("offline", () => this.tell.connection("offline"));
    document.addEventListener("visibilitychange", () => (document.hidden ? this.rest() : this.wake()));
  }

  get token() {
    return this.shelf.get("token");
  }

  start() {
    if (this.pending.length) this.pump();
    this.listen();
  }

  again() {
    this.tries = 0;
    this.pump();
    this.listen(true);
  }

  async config() {
    const answer = await this.fetch(`/chat/config?account=${encodeURIComponent(this.account)}`);
    if (answer.status !== 200) throw new Error(`config: ${answer.status}`);
    return answer.body;
  }

  // Sending

  say(item) {
    const whole = { id: randomId(), text: "", at: Date.now(), state: "waiting", ...item };
    this.pending.push(whole);
    this.keep(whole);
    this.tell.pending(whole);
    this.pump();
  }

  retry(item) {
    this.change(item, "waiting");
    this.pump();
  }

  discard(item) {
    this.pending = this.pending.filter((other) => other !== item);
    this.shelf.remove(this.key(item));
    this.tell.gone(item);
  }

  key(item) {
    return `unsent:${String(item.at).padStart(15, "0")}:${item.id}`;
  }

  /** A file cannot be kept over a reload, so a message with one is not. */
  keep(item) {
    const { file, progress, ...rest } = item;
    if (!file) this.shelf.set(this.key(item), rest);
  }

  change(item, state, problem = "") {
    Object.assign(item, { state, problem });
    this.tell.pending(item);
  }

  /** One after another, in the order written: the next waits until this one is stored. */
  async pump() {
    if (this.pumping) return;
    this.pumping = true;
    clearTimeout(this.later);
    try {
      for (let item; (item = this.pending.find((one) => one.state === "waiting")); ) {
        if (!(await this.deliver(item))) break;
      }
    } finally {
      this.pumping = false;
    }
  }

  /** Whether the next one may go. */
  async deliver(item) {
    this.change(item, "sending");
    try {
      const token = this.token || (await this.begin());
      const answer = await this.post(item, token);
      return this.settle(item, answer, token);
    } catch (error) {
      return this.postpone(item, error.retry || 0, error.problem || "offline");
    }
  }

  settle(item, answer, token) {
    if (answer.status === 202) {
      this.tries = 0;
      if (this.pending.includes(item)) this.change(item, "stored"); // the stream may have been faster
      this.tell.connection("online");
      this.listen();
      setTimeout(() => this.pending.includes(item) && this.listen(true), TAKEN_WITHIN);
      return true;
    }
    if (answer.status === 401) {
      this.change(item, "waiting");
      this.renew(token);
      return ++this.tries < 3 || this.postpone(item, 0, "waiting");
    }
    if (answer.status === 429) return this.postpone(item, answer.retry || 2, "busy");
    if (answer.status in GIVEN_UP) {
      this.change(item, "failed", (item.file ? FILE_GIVEN_UP : GIVEN_UP)[answer.status]);
      return true;
    }
    return this.postpone(item, answer.retry, "waiting");
  }

  postpone(item, seconds, problem) {
    this.change(item, "waiting");
    this.tell.connection(navigator.onLine === false ? "offline" : problem);
    const backoff = Math.min(SLOWEST, 1000 * 2 ** this.tries++) * (0.7 + Math.random() * 0.6);
    this.later = setTimeout(() => this.pump(), seconds ? seconds * 1000 : backoff);
    return false;
  }

  async begin() {
    const answer = await this.fetch("/chat/sessions", { account: this.account });
    if (answer.status !== 200) {
      const problem = answer.status === 429 ? "busy" : "waiting";
      throw Object.assign(new Error("no session"), { retry: answer.retry, problem });
    }
    if (this.token) return this.token; // another tab was faster
    this.shelf.set("token", answer.body.customer);
    this.shelf.set("seen", 0);
    this.last = 0;
    this.listen(true);
    return answer.body.customer;
  }

  /** Another tab began a session, or gave a lost one up. */
  adopt({ oldValue, newValue }) {
    if (oldValue) this.tell.renewed();
    this.last = 0;
    if (newValue) this.listen(true);
    else this.close();
  }

  /** The server does not know us any more: whatever it has not shown goes with the next session. */
  renew(token) {
    if (this.token !== token) return; // another tab was faster
    this.shelf.remove("token");
    this.close();
    this.last = 0;
    this.pending.filter((item) => item.state === "stored").forEach((item) => this.change(item, "waiting"));
    this.tell.renewed();
  }

  post(item, token) {
    const { id, text, press, language } = item;
    if (!item.file) return this.fetch("/chat/messages", { customer: token, id, text, press, language });
    const form = new FormData();
    const fields = { customer: token, id, text, language };
    Object.entries(fields).forEach(([name, value]) => form.append(name, value));
    form.append("file", item.file, item.file.name);
    return this.upload("/chat/files", form, (share) => {
      item.progress = share;
      this.tell.pending(item);
    });
  }

  receipt(kind, id) {
    const body = { customer: this.token, [kind]: id };
    if (body.customer) this.fetch("/chat/receipts", body).catch(() => {}); // the next one covers it
  }

  // Listening

  /** Open the stream where we left it; `anew` also when there is one. */
  listen(anew = false) {
    if (!this.token || (this.source && !anew)) return;
    this.close();
    const query = new URLSearchParams({ customer: this.token, after: this.last });
    const source = new EventSource(`${this.base}/chat/stream?${query}`);
    this.source = source;
    this.heard = Date.now();
    const hear = (name, then) =>
      source.addEventListener(name, (event) => {
        this.heard = Date.now();
        if (event.lastEventId) this.last = Number(event.lastEventId);
        then(JSON.parse(event.data), this.last);
      });
    hear("message", (message, seq) => this.arrived(message, seq));
    hear("state", (change) => this.tell.state(change));
    hear("typing", ({ by }) => this.tell.typing(by));
    source.onopen = () => {
      clearTimeout(this.worry);
      this.failures = 0;
      if (!this.tries) this.tell.connection("online");
    };
    source.onerror = () => this.lost(source);
  }

  arrived(message, seq) {
    const item = this.pending.find((one) => one.id === message.client_id);
    if (item) {
      this.pending = this.pending.filter((one) => one !== item);
      this.shelf.remove(this.key(item));
    } else if (message.client_id) {
      const other = this.shelf.all("unsent:").find((one) => one.id === message.client_id);
      if (other) this.shelf.remove(this.key(other)); // of another tab
    }
    this.tell.message(message, seq);
  }

  /** A browser comes back by itself unless it was refused, and does not say why: ask. */
  lost(source) {
    if (source !== this.source) return;
    clearTimeout(this.worry);
    this.worry = setTimeout(() => this.tell.connection(navigator.onLine === false ? "offline" : "waiting"), 4000);
    if (source.readyState !== EventSource.CLOSED) return;
    this.close();
    this.failures = (this.failures || 0) + 1;
    const wait = Math.min(SLOWEST, 1000 * 2 ** this.failures) * (0.7 + Math.random() * 0.6);
    this.retrying = setTimeout(() => this.ask(), wait);
  }

  async ask() {
    const token = this.token;
    if (!token) return;
    const query = new URLSearchParams({ customer: token, after: this.last });
    const stop = new AbortController();
    try {
      const answer = await fetch(`${this.base}/chat/stream?${query}`, { signal: stop.signal, credentials: "omit" });
      stop.abort();
      if (answer.status === 401) {
        this.renew(token);
        this.pump();
        return;
      }
    } catch {
      // Not reachable: the next try says more.
    }
    this.listen();
  }

  close() {
    clearTimeout(this.retrying);
    if (this.source) this.source.close();
    this.source = null;
  }

  /** Browsers open only a few connections to a host: of the hidden tabs, one goes on listening. */
  rest() {
    this.resting = setTimeout(async () => {
      if (!(await this.chosen())) this.close();
    }, REST_AFTER);
  }

  chosen() {
    if (!navigator.locks) return false;
    return new Promise((answer) => {
      navigator.locks.request(`${this.shelf.prefix}listens`, { ifAvailable: true }, (lock) => {
        answer(Boolean(lock) && document.hidden);
        if (lock && document.hidden) return new Promise((release) => (this.release = release));
      });
    });
  }

  wake() {
    clearTimeout(this.resting);
    if (this.release) this.release();
    this.release = null;
    this.listen(Date.now() - this.heard > STALE_AFTER);
    if (this.pending.some((item) => item.state === "waiting")) this.pump();
  }

  // Requests: {status, retry (seconds), body}

  async fetch(path, body) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PATIENCE);
    const how = { signal: stop.signal, credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer" };
    if (body) {
      how.method = "POST";
      how.headers = { "Content-Type": "application/json" };
      how.body = JSON.stringify(body);
    }
    try {
      const answer = await fetch(this.base + path, how);
      const retry = Number(answer.headers.get("Retry-After")) || 0;
      return { status: answer.status, retry, body: await answer.json().catch(() => ({})) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** `fetch` does not tell how far an upload is. */
  upload(path, form, progress) {
    return new Promise((answer, fail) => {
      const request = new XMLHttpRequest();
      request.open("POST", this.base + path);
      request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
      request.onload = () => {
        const retry = Number(request.getResponseHeader("Retry-After")) || 0;
        answer({ status: request.status, retry, body: {} });
      };
      request.timeout = UPLOAD_PATIENCE;
      request.onerror = request.onabort = request.ontimeout = () => fail(new Error("upload"));
      request.send(form);
    });
  }
}

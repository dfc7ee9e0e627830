/** What outlives a reload, one key per thing so that two tabs do not overwrite each other. */
class Shelf {
  constructor(prefix) {
    this.prefix = prefix;
    this.memory = new Map(); // where a browser lends no storage, the page itself remembers
    try {
      this.storage = window.localStorage;
      this.storage.setItem(prefix, "");
    } catch {
      this.storage = null;
    }
  }

  get(key, otherwise = null) {
    const text = this.storage ? this.storage.getItem(this.prefix + key) : this.memory.get(key);
    try {
      return text == null ? otherwise : JSON.parse(text);
    } catch {
      return otherwise;
    }
  }

  set(key, value) {
    const text = JSON.stringify(value);
    try {
      if (this.storage) this.storage.setItem(this.prefix + key, text);
      else this.memory.set(key, text);
    } catch {
      // Full: the page goes on, only a reload would lose this.
    }
  }

  remove(key) {
    if (this.storage) this.storage.removeItem(this.prefix + key);
    else this.memory.delete(key);
  }

  /** All values whose key begins so, in the order of their keys. */
  all(start) {
    if (!this.storage) return [];
    const whole = this.prefix + start;
    const keys = Object.keys(this.storage).filter((key) => key.startsWith(whole)).sort();
    return keys.map((key) => this.get(key.slice(this.prefix.length))).filter(Boolean);
  }
}

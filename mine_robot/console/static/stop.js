// The emergency stop of this page: sent until it is answered, without a limit, before anything else, and across a reload of the page.

const KEY = "emergency stop", ANSWER_MS = 1500, AGAIN_MS = 300;

export class Stop {
  /** `send(signal)` asks once and resolves to { ok, message }; `changed()` is called whenever something is to be shown. */
  constructor(send, changed) {
    this.send = send;
    this.changed = changed;
    this.message = "";
    this.running = false;
    this.interrupt = () => {};
    this.since = stored();  // ms of the wall clock, null if nothing is waited for
  }

  get pending() { return this.since !== null; }

  get seconds() { return this.pending ? Math.max(0, (Date.now() - this.since) / 1000) : 0; }

  press() {
    if (!this.pending) { this.since = Date.now(); this.message = "sent"; store(this.since); }
    this.changed();
    this.run();
  }

  /** There may be a connection again: ask now. */
  wake() { this.interrupt(); }

  /** It is answered, or there is nothing left to stop. */
  end() {
    this.since = null;
    store(null);
    this.interrupt();
    this.changed();
  }

  async run() {
    if (this.running) return;
    this.running = true;
    while (this.pending) {
      const abort = new AbortController(), woken = new Promise((resolve) => { this.interrupt = () => { abort.abort(); resolve(); }; });
      const answer = await this.send(AbortSignal.any([abort.signal, AbortSignal.timeout(ANSWER_MS)]));
      if (answer.ok) { this.end(); break; }
      if (!this.pending) break;
      this.message = answer.message;
      this.changed();
      if (!abort.signal.aborted) await Promise.race([woken, new Promise((resolve) => setTimeout(resolve, AGAIN_MS))]);
    }
    this.running = false;
  }
}

// A browser that keeps nothing forgets the stop with the page, no more.
function stored() {
  try { const at = Number(sessionStorage.getItem(KEY)); return at > 0 ? at : null; } catch { return null; }
}

function store(since) {
  try { if (since === null) sessionStorage.removeItem(KEY); else sessionStorage.setItem(KEY, String(since)); } catch { /* see above */ }
}

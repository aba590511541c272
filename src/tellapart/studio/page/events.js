/** What happens in the studio, as it happens: told by the server, and asked for again when the line is cut. */

import { eventStream } from "./client.js";

const AGAIN_MS = [300, 1_000, 3_000]; // before the line is opened again, longer and longer

/** Tells of "job" (detail: where a job stands), "lines" (detail: how many there are), "looked" and "open". */
export class Events extends EventTarget {
  #tries = 0;

  async start() {
    for (;;) {
      try {
        await this.#listen();
      } catch {
        // the server is gone for now
      }
      await new Promise((done) => setTimeout(done, AGAIN_MS[Math.min(this.#tries++, AGAIN_MS.length - 1)]));
    }
  }

  async #listen() {
    const reader = (await eventStream()).pipeThrough(new TextDecoderStream()).getReader();
    this.#tries = 0;
    this.dispatchEvent(new Event("open"));
    let text = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split("\n\n");
      text = events.pop() ?? "";
      for (const event of events) if (event.startsWith("data: ")) this.#tell(JSON.parse(event.slice(6)));
    }
  }

  /** @param {any} news */
  #tell(news) {
    if (news.job) this.dispatchEvent(new CustomEvent("job", { detail: news.job }));
    else if ("looked" in news) this.dispatchEvent(new Event("looked"));
    else if ("n" in news) this.dispatchEvent(new CustomEvent("lines", { detail: news.n }));
    else this.dispatchEvent(new CustomEvent("news", { detail: news }));
  }
}

export const events = new Events();

/** Runs jobs in the order they come, a few at a time. */
export class Queue {
  /** @param {number} atOnce jobs that may run together. */
  constructor(atOnce) {
    this.free = atOnce;
    /** @type {(() => void)[]} */
    this.waiting = [];
  }

  /**
   * @template T
   * @param {() => Promise<T>} job
   * @returns {Promise<T>} what the job returns or throws.
   */
  async take(job) {
    if (this.free > 0) this.free -= 1;
    else await new Promise((resolve) => this.waiting.push(() => resolve(undefined)));
    try {
      return await job();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}

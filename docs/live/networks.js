// The page's side of the worker: it loads networks, and always looks at the newest scene next.

export class Networks {
  /**
   * `manifest` is that of the page; `on` has the functions progress({ name, done, total }),
   * ready(name), failed(words) and result(what worker.js answers).
   */
  constructor(manifest, on) {
    this.manifest = manifest;
    this.on = on;
    this.state = new Map(manifest.networks.map(({ name }) => [name, "absent"]));
    this.busy = 0; // answers that are still to come
    this.waiting = null; // the newest job, while the worker is busy
    this.worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.#answered(data);
    this.worker.onerror = (event) => on.failed(event.message || "the worker could not be started");
  }

  /** Begin to load a network, if that has not begun. */
  load(name) {
    if (this.state.get(name) !== "absent") return;
    this.state.set(name, "loading");
    const network = this.manifest.networks.find((one) => one.name === name);
    this.worker.postMessage({ load: network, runtime: this.manifest.runtime });
  }

  is(name, state) {
    return this.state.get(name) === state;
  }

  /** Have `names` look at frames. Of jobs that come while others run, only the newest is kept. */
  look(job) {
    if (this.busy) {
      this.waiting = { ...job, maps: job.maps || (this.waiting?.maps ?? false) };
      return;
    }
    for (const name of job.names.filter((one) => this.is(one, "ready"))) {
      this.busy++;
      this.worker.postMessage({ job: job.job, name, frames: job.frames, maps: job.maps });
    }
  }

  #answered(data) {
    if (data.progress) return this.on.progress(data.progress);
    if (data.ready) {
      this.state.set(data.ready, "ready");
      return this.on.ready(data.ready);
    }
    if (data.failed) {
      if (this.is(data.name, "loading")) this.state.set(data.name, "absent");
      else this.busy--;
      return this.on.failed(data.failed);
    }
    this.busy--;
    if (!this.busy && this.waiting) {
      const next = this.waiting;
      this.waiting = null;
      this.look(next);
    }
    this.on.result(data);
  }
}

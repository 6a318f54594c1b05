/* Where maps come from: the server, or the signals in this very file. */

class ServerSource {
  constructor(token) { this.token = token; this.hasServer = true; }

  async ask(path) {
    let answer;
    try {
      answer = await fetch(path, { headers: { "X-Token": this.token } });
    } catch {
      throw new Error("No answer: Python has ended, or the page was stopped.");
    }
    if (!answer.ok) throw new Error(await answer.text());
    return answer;
  }

  async part(name) { return (await this.ask(`/${name}`)).arrayBuffer(); }

  async map(question) {
    const answer = await this.ask(`/map?${new URLSearchParams(question)}`);
    const numbers = new Float32Array(await answer.arrayBuffer());
    const timing = /dur=([\d.]+)/.exec(answer.headers.get("Server-Timing") ?? "");
    return {
      r: numbers.subarray(0, CONFIG.n_places),
      series: numbers.subarray(CONFIG.n_places),
      milliseconds: timing ? Number(timing[1]) : NaN,
    };
  }

  /* z score, degrees of freedom and series of the place at; nothing of several runs. */
  async here(question) {
    const answer = await this.ask(`/here?${new URLSearchParams(question)}`);
    const [z, dof, ...series] = new Float32Array(await answer.arrayBuffer());
    return { z, dof, series };
  }
}

class FileSource {
  constructor() { this.hasServer = false; this.runs = []; }

  async part(name) {
    const bytes = fromText(document.getElementById(`part-${name}`).textContent);
    const whole = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(whole).arrayBuffer();
  }

  async open(space) {
    this.space = space;
    const before = placesBefore(space);
    for (let i = 0; i < CONFIG.packed.length; i++) {
      this.runs.push(await unpackedRun(this, i, before, space.nPlaces));
    }
  }

  async map(question) {
    const start = performance.now();
    const places = this.space.around(question.place, question.radius);
    const seeds = this.chosen(question).map((run) => run.seed(places, question.summary));
    const maps = this.chosen(question).map((run, i) => run.correlations(seeds[i]));
    return {
      r: maps.length === 1 ? maps[0] : meanOfMaps(maps),
      series: maps.length === 1 ? scaled(seeds[0].series) : new Float32Array(0),
      milliseconds: performance.now() - start,
    };
  }

  async here(question) {
    const runs = this.chosen(question);
    if (runs.length > 1) return { series: [] };
    const seed = runs[0].seed(this.space.around(question.place, question.radius), question.summary);
    return { ...runs[0].scores(seed, question.at), series: scaled(runs[0].seriesOf(question.at)) };
  }

  chosen(question) {
    return question.run === "mean" ? this.runs : [this.runs[Number(question.run)]];
  }
}

function meanOfMaps(maps) {
  const mean = new Float32Array(maps[0].length);
  for (let v = 0; v < mean.length; v++) {
    let z = 0;
    for (const r of maps) z += Math.atanh(r[v]);
    mean[v] = Math.tanh(z / maps.length);
  }
  return mean;
}

function scaled(series) {
  const mean = series.reduce((a, b) => a + b, 0) / series.length;
  const deviation = Math.sqrt(series.reduce((a, b) => a + (b - mean) ** 2, 0) / series.length);
  return Float32Array.from(series, (x) => (deviation > 0 ? (x - mean) / deviation : 0));
}

/* What tests ask of a page in a browser. */
window.probes = {
  /* How many pixels of a canvas are warm, and how many cool. */
  coloured(id) {
    const found = document.getElementById(id), { width, height } = found;
    const pen = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
    pen.drawImage(found, 0, 0);
    const { data } = pen.getImageData(0, 0, width, height);
    let warm = 0, cool = 0;
    for (let i = 0; i < data.length; i += 4) {
      warm += data[i] > data[i + 2] + 60 && data[i + 3] > 128;
      cool += data[i + 2] > data[i] + 60 && data[i + 3] > 128;
    }
    return [warm, cool];
  },

  cortexColoured() {
    state.cortex.draw(); // WebGL keeps no picture
    return this.coloured("mesh");
  },

  readout() {
    const boxes = [...document.querySelectorAll("#readout > div")];
    return boxes.map((box) => [...box.children].map((word) => word.textContent));
  },

  seed() { return [state.space.point(state.seed), state.space.point(state.here)]; },

  go(texts) {
    ["x", "y", "z"].forEach((id, i) => { $(id).value = texts[i]; });
    $("go").requestSubmit();
  },

  set(id, value) {
    $(id).value = value;
    $(id).dispatchEvent(new Event("input"));
  },

  /* Answers that would come the sooner, the later they are asked for. */
  overtake() {
    const { map } = state.source;
    let asked = 0;
    window.seen = [];
    document.addEventListener("shown", (event) => window.seen.push(event.detail));
    state.source.map = async (question) => {
      const answer = await map.call(state.source, question);
      await new Promise((go) => { setTimeout(go, Math.max(0, 60 - 12 * asked++)); });
      return answer;
    };
  },

  /* Names that NiiVue lacks, of those that are used by what owns them. */
  missing(names) {
    const { nv, hemispheres: [{ mesh }] } = state.cortex, owners = { niivue, nv, mesh, opts: nv.opts };
    return Object.entries(names).flatMap(([owner, used]) => used.filter((name) => owners[owner][name] === undefined));
  },

  /* Where vertices are on the screen: by the page, and by NiiVue. */
  projections() {
    const { view, nv, vertices } = state.cortex, { width, height } = nv.gl.canvas;
    const [m] = nv.calculateMvpMatrix(null, [0, 0, width, height], view.azimuth, view.elevation);
    const seen = view.project(vertices, width, height), ours = [], theirs = [];
    for (let v = 0; v < 3000; v += 300) {
      const [x, y, z] = vertices.subarray(v, v + 3), at = (i) => m[i] * x + m[4 + i] * y + m[8 + i] * z + m[12 + i];
      ours.push(seen[v], seen[v + 1]);
      theirs.push((1 + at(0)) / 2 * width, (1 - at(1)) / 2 * height);
    }
    return [ours, theirs];
  },

  picture() {
    const canvas = pictureCanvas();
    canvas.id = "whole";
    document.body.append(canvas);
    const [warm] = this.coloured("whole");
    canvas.remove();
    return [canvas.width, canvas.height, warm];
  },

  /* Words and controls, with their boxes. */
  boxes() {
    const names = "button, input, select, h2, dd, dt, output, label, #about, #speed, #legend, footer p, #ticks span";
    return [...document.querySelectorAll(names)].filter((one) => one.checkVisibility() && !one.closest("dialog")).map((one) => {
      const box = one.getBoundingClientRect(), isField = /INPUT|SELECT/.test(one.tagName);
      return {
        name: one.id || one.textContent.trim().slice(0, 30),
        left: box.left, right: box.right, top: box.top + scrollY, bottom: box.bottom + scrollY,
        isCut: !isField && getComputedStyle(one).display !== "inline" && one.scrollWidth > one.clientWidth + 1,
        isInside: one.parentElement.closest("label, h2") !== null,
      };
    });
  },

  focusable() {
    const found = document.querySelectorAll("button:not(:disabled), input, select, [tabindex]");
    return [...found].filter((one) => one.checkVisibility() && !one.closest("dialog")).map(this.nameOf);
  },

  nameOf(one) { return one.id || one.textContent; },

  nameless() {
    const found = document.querySelectorAll("button, input, select, textarea, [tabindex]");
    return [...found].filter((one) => !(one.textContent.trim() || one.ariaLabel || one.labels?.length)).map(this.nameOf);
  },

  /* Words whose contrast with what is below them is less than asked, after WCAG. */
  faint(least) {
    const numbers = (text) => text.match(/[\d.]+/g).map(Number);
    const light = (colour) => colour.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const below = (one) => {
      for (let at = one; at; at = at.parentElement) {
        const own = numbers(getComputedStyle(at).backgroundColor);
        if ((own[3] ?? 1) > 0.5) return own;
      }
      return [0, 0, 0];
    };
    const hasWords = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    return [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility() && !one.disabled && hasWords(one))
      .map((one) => {
        const style = getComputedStyle(one), isDrawn = one.namespaceURI.endsWith("svg");
        const [low, high] = [light(numbers(isDrawn ? style.fill : style.color)), light(below(one))].sort((a, b) => a - b);
        return [one.textContent.trim().slice(0, 20), (high + 0.05) / (low + 0.05)];
      })
      .filter(([, contrast]) => contrast < least);
  },

  colours() {
    return Array.from(new Colours({ top: 1, threshold: 0.001, opacity: 1, fade: false }).table);
  },
};

/* The cortex, coloured by the map: drawn by NiiVue, or plainly where there is no WebGL. */

/* Azimuth and elevation in degrees, and the hemisphere that is shown alone. */
const VIEWS = {
  Left: [90, 0], "Left inside": [270, 0, "left"], "Right inside": [90, 0, "right"], Right: [270, 0],
  Top: [0, 90], Below: [0, -90], Front: [180, 0], Back: [0, 0],
};
const FIRST_VIEW = [118, 14]; // of a seed that is not on the cortex
const IN_FRONT = 4; // mm by which something must be nearer to hide a vertex
const FAR_FROM_CORTEX = 12; // mm from a seed to its mark
const CLICK = 4; // pixels that a click may move
const CARD = [20 / 255, 26 / 255, 33 / 255, 1];

/* The least and the largest coordinates of points (x, y, z, x, ...). */
function boxOf(points) {
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < points.length; i++) {
    low[i % 3] = Math.min(low[i % 3], points[i]);
    high[i % 3] = Math.max(high[i % 3], points[i]);
  }
  return [low, high];
}

/* From where the cortex is seen: the same projection as NiiVue's. */
class View {
  constructor(vertices) {
    const [low, high] = boxOf(vertices);
    this.pivot = [0, 1, 2].map((i) => (low[i] + high[i]) / 2);
    this.far = distance(low, high) / 2;
    [this.azimuth, this.elevation] = FIRST_VIEW;
    this.zoom = 1.15;
  }

  /* Cosine and sine of both angles. */
  angles() {
    const rad = Math.PI / 180, turn = (this.azimuth - 180) * rad, tilt = (270 - this.elevation) * rad;
    return [Math.cos(turn), Math.sin(turn), Math.cos(tilt), Math.sin(tilt)];
  }

  /* The direction of whoever looks. */
  towards() {
    const [ct, st, cl, sl] = this.angles();
    return [-sl * st, -sl * ct, -cl];
  }

  /* Pixels to the right and down, and how near, of points (x, y, z, x, ...) in mm. */
  project(points, width, height) {
    const [ct, st, cl, sl] = this.angles();
    const scale = Math.min(width, height) / 2 / (0.8 * this.far / this.zoom), [px, py, pz] = this.pivot;
    const out = new Float32Array(points.length);
    for (let i = 0; i < points.length; i += 3) {
      const x = points[i] - px, y = points[i + 1] - py, z = points[i + 2] - pz;
      const turned = st * x + ct * y;
      out[i] = width / 2 - scale * (ct * x - st * y);
      out[i + 1] = height / 2 - scale * (cl * turned - sl * z);
      out[i + 2] = -(sl * turned + cl * z);
    }
    return out;
  }
}

class Cortex {
  /* on.place(place) where somebody clicks; -1 beside the brain. */
  constructor(parts, { hemispheres, starts }, on) {
    Object.assign(this, parts, { starts }); // vertices, faces, shade, placeOfVertex
    this.view = new View(this.vertices);
    this.colours = new Uint8Array(4 * this.shade.length).fill(255);
    this.look = null;
    this.hemispheres = hemispheres.map((name, i) => {
      const isOwn = (vertex) => vertex >= starts[i] && vertex < starts[i + 1];
      return { name, isOwn, start: starts[i], end: starts[i + 1], faces: this.faces.filter((_, f) => isOwn(this.faces[f - f % 3])) };
    });
    this.alone = null; // or the hemisphere that is shown
    this.listen(on);
    const views = Object.entries(VIEWS).filter(([, [,, alone]]) => !alone || hemispheres.length > 1);
    this.views = views.map(([, view]) => view);
    for (const [name, view] of views) {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
      button.onclick = () => this.show(view);
      $("views").append(button);
    }
  }

  async start(viewer) {
    if (!document.createElement("canvas").getContext("webgl2")) {
      this.raster = new Raster($("mesh"), this);
      note("WebGL is off in this browser: the cortex is drawn without it, plainly and more slowly.");
      return;
    }
    const script = document.createElement("script");
    script.textContent = viewer;
    document.head.append(script);
    this.nv = new niivue.Niivue({
      backColor: CARD, interactive: false, isOrientationTextVisible: false, loadingText: "",
      logLevel: "error", show3Dcrosshair: false,
    });
    await this.nv.attachToCanvas($("mesh"));
    for (const own of this.hemispheres) {
      const points = this.vertices.slice(3 * own.start, 3 * own.end), faces = own.faces.map((v) => v - own.start);
      own.mesh = new niivue.NVMesh(points, faces, own.name, this.coloursOf(own), 1, true, this.nv.gl);
      this.nv.addMesh(own.mesh);
    }
    this.nv.setScale(this.view.zoom);
  }

  coloursOf({ start, end }) { return this.colours.subarray(4 * start, 4 * end); }

  /* The faces that are shown. */
  shownFaces() { return this.alone?.faces ?? this.faces; }

  /* Colour each vertex by r of its place. */
  setMap(r, look) {
    for (let v = 0; v < this.shade.length; v++) {
      const place = this.placeOfVertex[v], grey = this.shade[v];
      const i = place < 0 ? -1 : look.colours.index(r[place]), { table } = look.colours;
      const opacity = i < 0 ? 0 : table[i + 3];
      for (let c = 0; c < 3; c++) this.colours[4 * v + c] = i < 0 ? grey : grey + opacity * (table[i + c] - grey);
    }
    if (!this.nv) return;
    for (const own of this.hemispheres) {
      own.mesh.rgba255 = this.coloursOf(own);
      own.mesh.updateMesh(this.nv.gl);
    }
  }

  draw(look) {
    this.look = look ?? this.look;
    if (!this.look) return;
    if (this.nv) this.nv.setRenderAzimuthElevation(this.view.azimuth, this.view.elevation);
    else if (this.raster) this.raster.draw(this.view, this.colours);
    this.drawMarks();
  }

  turnTo(azimuth, elevation) {
    this.view.azimuth = ((azimuth % 360) + 360) % 360;
    this.view.elevation = Math.max(-90, Math.min(90, elevation));
    this.draw();
  }

  /* Show one of the views. */
  show([azimuth, elevation, alone]) {
    this.alone = this.hemispheres.find(({ name }) => name === alone) ?? null;
    for (const own of this.hemispheres) if (own.mesh) own.mesh.visible = !this.alone || own === this.alone;
    this.turnTo(azimuth, elevation);
  }

  /* Show the view from which a vertex is seen best: of those from which nothing hides it
     the one that looks most straight at its side of the hemisphere. */
  showBest(vertex) {
    const own = this.hemispheres.find(({ isOwn }) => isOwn(vertex)), box = boxOf(this.vertices.subarray(3 * own.start, 3 * own.end));
    const side = [0, 1, 2].map((i) => (2 * this.vertices[3 * vertex + i] - box[0][i] - box[1][i]) / (box[1][i] - box[0][i] || 1));
    const seen = this.views.map((view) => {
      this.show(view);
      const facing = this.view.towards().reduce((sum, x, i) => sum + x * side[i], 0);
      return { view, facing: facing - (this.isHidden(vertex) ? 10 : 0) };
    });
    this.show(seen.reduce((best, one) => (one.facing > best.facing + 1e-6 ? one : best)).view);
  }

  zoomBy(factor) {
    this.view.zoom = Math.max(0.6, Math.min(4, this.view.zoom * factor));
    if (this.nv) this.nv.setScale(this.view.zoom);
    this.draw();
  }

  /* The nearest vertex under a pixel, with how near it is, or null. */
  pick(x, y) {
    const box = $("stage").getBoundingClientRect(), faces = this.shownFaces();
    const seen = this.view.project(this.vertices, box.width, box.height);
    let best = null;
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const area = (seen[b] - seen[a]) * (seen[c + 1] - seen[a + 1]) - (seen[b + 1] - seen[a + 1]) * (seen[c] - seen[a]);
      const wb = ((x - seen[a]) * (seen[c + 1] - seen[a + 1]) - (y - seen[a + 1]) * (seen[c] - seen[a])) / area;
      const wc = ((seen[b] - seen[a]) * (y - seen[a + 1]) - (seen[b + 1] - seen[a + 1]) * (x - seen[a])) / area;
      if (!(wb >= 0 && wc >= 0 && wb + wc <= 1)) continue;
      const near = (1 - wb - wc) * seen[a + 2] + wb * seen[b + 2] + wc * seen[c + 2];
      if (best && near <= best.near) continue;
      const most = Math.max(1 - wb - wc, wb, wc);
      best = { near, vertex: faces[f + (most === wb ? 1 : most === wc ? 2 : 0)] };
    }
    return best;
  }

  /* The vertex at a point in mm, or null far from the cortex. */
  vertexAt(mm, place) {
    let best = null, least = FAR_FROM_CORTEX;
    for (let v = 0; v < this.shade.length; v++) {
      if (this.exact) { if (this.placeOfVertex[v] === place) return v; continue; }
      const gap = Math.hypot(this.vertices[3 * v] - mm[0], this.vertices[3 * v + 1] - mm[1], this.vertices[3 * v + 2] - mm[2]);
      if (gap < least) { least = gap; best = v; }
    }
    return best;
  }

  drawMarks() {
    const marks = [["seed", this.look.seed, this.look.seedPlace]];
    if (this.look.held) marks.push(["here", this.look.here, this.look.herePlace]);
    $("marks").replaceChildren(...marks.flatMap(([kind, mm, place]) => this.mark(kind, this.vertexAt(mm, place))));
  }

  /* Where a vertex is on the stage, and how near. */
  seenAt(vertex) {
    const { width, height } = $("stage").getBoundingClientRect();
    return this.view.project(this.vertices.subarray(3 * vertex, 3 * vertex + 3), width, height);
  }

  /* Whether something lies in front of a vertex, or its hemisphere is not shown. */
  isHidden(vertex) {
    const [x, y, near] = this.seenAt(vertex), front = this.pick(x, y);
    return (this.alone && !this.alone.isOwn(vertex)) || (front && front.near > near + IN_FRONT);
  }

  /* A ring on a vertex that is seen. */
  mark(kind, vertex) {
    if (vertex === null || this.isHidden(vertex)) return [];
    const [x, y] = this.seenAt(vertex);
    return [["rgb(0 0 0 / .6)", 4], [kind === "seed" ? "#fff" : CROSSHAIR, 2]].map(([stroke, width]) =>
      shape("circle", { cx: x, cy: y, r: 6, fill: "none", stroke, "stroke-width": width }));
  }

  listen(on) {
    const stage = $("stage");
    let start = null, last = null, moved = false;
    const place = (event) => {
      const box = stage.getBoundingClientRect(), hit = this.pick(event.clientX - box.left, event.clientY - box.top);
      if (hit) on.place(this.placeOfVertex[hit.vertex]);
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      stage.setPointerCapture(event.pointerId);
      start = last = [event.clientX, event.clientY];
      moved = false;
      if (event.shiftKey) place(event);
    });
    stage.addEventListener("pointermove", (event) => {
      if (!start) return;
      const at = [event.clientX, event.clientY];
      moved = moved || Math.hypot(at[0] - start[0], at[1] - start[1]) > CLICK;
      if (event.shiftKey) place(event);
      else if (moved) this.turnTo(this.view.azimuth + (at[0] - last[0]) / 2, this.view.elevation + (at[1] - last[1]) / 2);
      last = at;
    });
    stage.addEventListener("pointerup", (event) => {
      if (start && !moved && !event.shiftKey) place(event);
      start = null;
    });
    stage.addEventListener("pointercancel", () => { start = null; });
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(event.deltaY > 0 ? 0.92 : 1.08);
    }, { passive: false });
    stage.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.turnTo(this.view.azimuth + step[0], this.view.elevation + step[1]);
    });
  }
}

function note(text) {
  $("cortex-note").textContent = text;
  $("cortex-note").hidden = false;
}

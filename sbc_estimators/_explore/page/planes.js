/* Three planes through the brain, drawn pixel by pixel: no WebGL, and crisp at any size. */

const AXES = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] }; // right, up, through
const ENDS = [["L", "R"], ["P", "A"], ["I", "S"]];
const GREY = 0.74; // of the background, so that colours stand out
const OUTLINE = 0.45; // what is left of a colour at the threshold
const SAMPLED = 0.45; // of a voxel: between samples so fine, numbers are interpolated on the screen
const MOST_PIXELS = 6e5; // a plane has no more: beyond, pixels are drawn larger
const CROSSHAIR = "rgb(143 208 255 / .9)";

/* Numbers at the voxels of a grid, and what lies between them. Where places are given,
   only voxels with a place count: weights tell how much of a sample lies in them. */
class Sampler {
  constructor(shape, affine, values, places) {
    Object.assign(this, { shape, values, places, inverse: inverseOf(affine), size: Math.min(...zoomsOf(affine)) });
  }

  has(o) { return !this.places || this.places[o] >= 0; }

  /* Sums and weights at one point, given in voxels. */
  linear(out, p, x, y, z) {
    const [nx, ny, nz] = this.shape, i = Math.floor(x), j = Math.floor(y), k = Math.floor(z);
    out.sums[p] = out.weights[p] = 0;
    if (i < -1 || j < -1 || k < -1 || i >= nx || j >= ny || k >= nz) return;
    for (let a = i < 0 ? 1 : 0; a < 2 && i + a < nx; a++) {
      const wx = a ? x - i : 1 - x + i;
      for (let b = j < 0 ? 1 : 0; b < 2 && j + b < ny; b++) {
        const wxy = wx * (b ? y - j : 1 - y + j), o = ((i + a) * ny + j + b) * nz + k;
        for (let c = k < 0 ? 1 : 0; c < 2 && k + c < nz; c++) {
          if (!this.has(o + c)) continue;
          const w = wxy * (c ? z - k : 1 - z + k);
          out.sums[p] += w * this.values[o + c];
          out.weights[p] += w;
        }
      }
    }
  }

  nearest(out, p, x, y, z) {
    const [nx, ny, nz] = this.shape, i = Math.round(x), j = Math.round(y), k = Math.round(z), o = (i * ny + j) * nz + k;
    const held = i >= 0 && j >= 0 && k >= 0 && i < nx && j < ny && k < nz && this.has(o);
    out.sums[p] = held ? this.values[o] : 0;
    out.weights[p] = held ? 1 : 0;
  }

  /* A lattice of samples: from a corner in mm, by steps in mm from one to the next. */
  slice(lattice, corner, right, down, smooth) {
    const turn = (step) => this.inverse.map((row) => row[0] * step[0] + row[1] * step[1] + row[2] * step[2]);
    const start = transform(this.inverse, corner), [rx, ry, rz] = turn(right), [dx, dy, dz] = turn(down);
    for (let v = 0, p = 0; v < lattice.rows; v++) {
      let x = start[0] + v * dx, y = start[1] + v * dy, z = start[2] + v * dz;
      for (let u = 0; u < lattice.columns; u++, p++, x += rx, y += ry, z += rz) {
        if (smooth) this.linear(lattice, p, x, y, z);
        else this.nearest(lattice, p, x, y, z);
      }
    }
  }
}

class Lattice {
  constructor(width, height, step) {
    this.step = step;
    this.columns = Math.ceil((width - 1) / step) + 1;
    this.rows = Math.ceil((height - 1) / step) + 1;
    this.sums = new Float32Array(this.columns * this.rows);
    this.weights = new Float32Array(this.columns * this.rows);
  }

  /* Call visit(pixel, sum, weight) for each pixel between the samples. */
  spread(width, height, visit) {
    const { step, columns, rows, sums, weights } = this;
    const lineSums = new Float32Array(columns + 1), lineWeights = new Float32Array(columns + 1);
    for (let v = 0, p = 0; v < height; v++) {
      const j = Math.floor(v / step), f = v / step - j, o = j * columns, below = j + 1 < rows ? o + columns : o;
      for (let i = 0; i < columns; i++) {
        lineSums[i] = sums[o + i] + f * (sums[below + i] - sums[o + i]);
        lineWeights[i] = weights[o + i] + f * (weights[below + i] - weights[o + i]);
      }
      for (let u = 0, i = 0, g = 0; u < width; u++, p++) {
        visit(p, lineSums[i] + g * (lineSums[i + 1] - lineSums[i]), lineWeights[i] + g * (lineWeights[i + 1] - lineWeights[i]));
        g += 1 / step;
        if (g > 1 - 1e-6) { g = 0; i++; }
      }
    }
  }
}

class Plane {
  constructor(canvas, name, planes) {
    this.canvas = canvas;
    this.axes = AXES[name];
    this.planes = planes;
    this.pen = canvas.getContext("2d");
  }

  /* Sizes in pixels, and where the plane lies in mm. */
  measure() {
    const box = this.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    const [width, height] = [Math.round(box.width), Math.round(box.height)];
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const [a, b] = this.axes, { extent } = this.planes, scale = this.planes.scale;
    this.scale = scale;
    this.left = (extent[a][0] + extent[a][1]) / 2 - width / 2 / scale;
    this.top = (extent[b][0] + extent[b][1]) / 2 + height / 2 / scale;
    this.size = [width, height];
    this.ratio = ratio;
  }

  toPixels(mm) { return this.atPixel(mm[this.axes[0]], mm[this.axes[1]]); }

  atPixel(right, up) { return [(right - this.left) * this.scale, (this.top - up) * this.scale]; }

  toPoint(event, here) {
    const box = this.canvas.getBoundingClientRect(), mm = [...here];
    mm[this.axes[0]] = this.left + (event.clientX - box.left) / this.scale;
    mm[this.axes[1]] = this.top - (event.clientY - box.top) / this.scale;
    return mm;
  }

  draw(look) {
    this.measure();
    const [width, height] = this.size;
    if (!width || !height) return;
    this.paintVoxels(look);
    this.pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    this.planes.ribbon?.draw(this, look);
    const ring = look.isSphere ? this.drawSeed(look.seed, look.radius) : 0;
    this.drawCrosshair(look.here, distance(look.here, look.seed) < 1e-3 ? ring : 0);
    this.drawWords(look.here);
  }

  paintVoxels(look) {
    const device = this.canvas.width * this.canvas.height;
    const grain = this.ratio / Math.max(1, Math.ceil(Math.sqrt(device / MOST_PIXELS)));
    const width = Math.round(this.size[0] * grain), height = Math.round(this.size[1] * grain);
    this.makeRoom(width, height);
    const { background, map } = this.planes, pixel = 1 / (this.scale * grain);
    const lies = [width, height, pixel, this.left, this.top, look.here[this.axes[2]]].join();
    if (this.lies !== lies) {
      const grey = this.sampled(background, width, height, pixel, look.here, true);
      grey.spread(width, height, (p, sum) => { this.grey[p] = sum; });
      this.lies = lies; // the same is below the next map, if only the map changes
    }
    const r = this.sampled(map, width, height, pixel, look.here, look.smooth);
    r.spread(width, height, (p, sum, weight) => { this.r[p] = weight >= 0.5 ? sum / weight : NaN; });
    mix(this.image.data, this.grey, this.r, width, look.colours, look.fade);
    this.board.getContext("2d").putImageData(this.image, 0, 0);
    this.pen.setTransform(1, 0, 0, 1, 0, 0);
    this.pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.pen.drawImage(this.board, 0, 0, this.canvas.width, this.canvas.height);
  }

  makeRoom(width, height) {
    if (this.image?.width === width && this.image?.height === height) return;
    this.image = new ImageData(width, height);
    this.grey = new Float32Array(width * height);
    this.r = new Float32Array(width * height);
    this.board = Object.assign(document.createElement("canvas"), { width, height });
  }

  /* Samples of a volume in this plane, one for each few pixels. */
  sampled(sampler, width, height, pixel, here, smooth) {
    const step = smooth ? Math.max(1, Math.round(Math.max(1, SAMPLED * sampler.size) / pixel)) : 1;
    const [a, b, c] = this.axes, corner = [0, 0, 0], right = [0, 0, 0], down = [0, 0, 0];
    const lattice = new Lattice(width, height, step);
    corner[a] = this.left + pixel / 2;
    corner[b] = this.top - pixel / 2;
    corner[c] = here[c];
    right[a] = pixel * step;
    down[b] = -pixel * step;
    sampler.slice(lattice, corner, right, down, smooth);
    return lattice;
  }

  /* The circle in which the plane cuts the seed's sphere; its radius in pixels. */
  drawSeed(seed, radius) {
    const away = seed[this.axes[2]] - this.planes.here[this.axes[2]], own = Math.max(radius, 1.5);
    if (Math.abs(away) >= own) return 0;
    const [x, y] = this.toPixels(seed), size = this.scale * Math.sqrt(own ** 2 - away ** 2);
    for (const [colour, width] of [["rgb(0 0 0 / .55)", 3.5], ["#fff", 1.5]]) {
      this.pen.beginPath();
      this.pen.arc(x, y, size, 0, 2 * Math.PI);
      this.pen.strokeStyle = colour;
      this.pen.lineWidth = width;
      this.pen.stroke();
    }
    return size;
  }

  drawCrosshair(here, ring) {
    const [x, y] = this.toPixels(here).map((v) => Math.round(v) + 0.5), gap = Math.max(9, ring + 4), [width, height] = this.size;
    this.pen.strokeStyle = CROSSHAIR;
    this.pen.lineWidth = 1;
    this.pen.beginPath();
    for (const [x0, y0, x1, y1] of [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]]) {
      this.pen.moveTo(x0, y0);
      this.pen.lineTo(x1, y1);
    }
    this.pen.stroke();
  }

  drawWords(here) {
    const [a, b, c] = this.axes, [width, height] = this.size, { pen } = this;
    const word = (text, x, y, align) => {
      pen.textAlign = align;
      pen.lineWidth = 3;
      pen.strokeStyle = "rgb(12 16 21 / .85)";
      pen.strokeText(text, x, y);
      pen.fillText(text, x, y);
    };
    pen.font = "12px system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif";
    pen.fillStyle = "#c3cedb";
    word(`${"xyz"[c]} = ${signed(here[c])}`, 12, 21, "left");
    pen.fillStyle = "#97a5b6";
    word(ENDS[a][0], 10, height / 2 + 4, "left");
    word(ENDS[a][1], width - 10, height / 2 + 4, "right");
    const [x] = this.toPixels(here), middle = width / 2;
    word(ENDS[b][1], Math.abs(x - middle) < 14 ? x + 16 : middle, 19, "center"); // not under the crosshair
  }
}

/* Grey below, colours above; a fine dark line where they pass the threshold. */
function mix(out, grey, r, width, colours, isOutlined) {
  const { table, threshold } = colours;
  for (let p = 0, o = 0; p < r.length; p++, o += 4) {
    const base = grey[p] * GREY, value = r[p];
    out[o] = out[o + 1] = out[o + 2] = base;
    out[o + 3] = grey[p] >= 20 ? 255 : 255 * grey[p] / 20;
    if (value !== value) continue;
    const i = colours.index(value), own = table[i + 3], strong = Math.abs(value) >= threshold;
    const isEdge = isOutlined && threshold > 0
      && (strong !== Math.abs(r[p + 1]) >= threshold || strong !== Math.abs(r[p + width]) >= threshold);
    const left = isEdge ? OUTLINE : 1;
    out[o] = base + own * (left * table[i] - base);
    out[o + 1] = base + own * (left * table[i + 1] - base);
    out[o + 2] = base + own * (left * table[i + 2] - base);
    out[o + 3] = Math.max(out[o + 3], 255 * own);
  }
}

class Planes {
  /* on.point(mm) where a pointer points; on.step(axis, sign) for wheel and keys. */
  constructor(space, anatomy, background, ribbon, on) {
    this.space = space;
    this.ribbon = ribbon; // or null
    this.extent = anatomy.extent;
    this.here = [0, 0, 0];
    this.map = new Sampler(space.shape, space.affine, new Float32Array(space.placeOf.length), space.placeOf);
    const { shape, affine } = anatomy.background;
    this.background = new Sampler(shape, affine, background);
    this.all = Object.keys(AXES).map((name) => new Plane($(name), name, this));
    const widths = this.all.map((plane) => span(this.extent[plane.axes[0]]));
    $("planes").style.setProperty("--columns", widths.map((w) => `minmax(0, ${w}fr)`).join(" "));
    for (const plane of this.all) this.listen(plane, on);
  }

  listen(plane, on) {
    const { canvas } = plane;
    let from = null;
    const point = (event) => on.point(plane.toPoint(event, from));
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      from = [...this.here];
      point(event);
    });
    canvas.addEventListener("pointermove", (event) => { if (from) point(event); });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { from = null; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      on.step(plane.axes[2], event.deltaY > 0 ? -1 : 1);
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const [a, b, c] = plane.axes;
      const step = { ArrowLeft: [a, -1], ArrowRight: [a, 1], ArrowUp: [b, 1], ArrowDown: [b, -1], PageUp: [c, 1], PageDown: [c, -1] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      on.step(...step);
    });
  }

  setMap(r) {
    const { values } = this.map;
    this.space.voxelOf.forEach((voxel, place) => { if (voxel >= 0) values[voxel] = r[place]; });
    if (this.ribbon) this.ribbon.r = r;
  }

  /* One scale for all planes, at which each fits its place. */
  measure() {
    const fits = this.all.map(({ canvas, axes }) => {
      const box = canvas.getBoundingClientRect();
      return Math.min(box.width / span(this.extent[axes[0]]), box.height / span(this.extent[axes[1]]));
    });
    this.scale = Math.max(0.05, 0.94 * Math.min(...fits));
  }

  draw(look) {
    this.here = look.here;
    this.measure();
    for (const plane of this.all) {
      plane.draw(look);
      plane.canvas.setAttribute("aria-label", `Plane at ${"xyz"[plane.axes[2]]} = ${signed(look.here[plane.axes[2]])} mm: click for a new seed, arrow keys move the crosshair`);
    }
  }
}

function span([low, high]) { return high - low; }

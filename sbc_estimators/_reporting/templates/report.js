"use strict";
(() => {
  const $ = (id) => document.getElementById(id);

  for (const button of document.querySelectorAll(".copy")) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.onclick = async () => {
      await navigator.clipboard.writeText($(button.dataset.of).textContent);
      button.textContent = "Copied";
    };
  }
  if (!$("parts")) return;

  const PARTS = JSON.parse($("parts").textContent);
  /* The two halves of RdBu_r, as in the pictures: light is near 0. */
  const WARM = [[0, 247, 247, 247], [0.2, 253, 219, 199], [0.4, 244, 165, 130], [0.6, 214, 96, 77], [0.8, 178, 24, 43], [1, 103, 0, 31]];
  const COLD = [[0, 247, 247, 247], [0.2, 209, 229, 240], [0.4, 146, 197, 222], [0.6, 67, 147, 195], [0.8, 33, 102, 172], [1, 5, 48, 97]];
  const GREY = { R: [255, 60, 250], G: [255, 60, 250], B: [255, 60, 250], A: [255, 255, 255], I: [0, 1, 255] };
  const isNarrow = innerWidth < 760;
  const SAME_PLACE = 0.05;  /* mm from a vertex to a place that is its own */
  const OPTIONS = {
    backColor: [1, 1, 1, 1], fontColor: [0.25, 0.29, 0.33, 1], crosshairColor: [0.08, 0.45, 0.3, 0.9],
    crosshairWidthUnit: "percent", crosshairWidth: isNarrow ? 1 : 0.5, crosshairGap: 8, show3Dcrosshair: false, isColorbar: false,
    multiplanarShowRender: 0, multiplanarPadPixels: 8, isCornerOrientationText: true,
    dragAndDropEnabled: false, scrollRequiresFocus: true, loadingText: "", logLevel: "error",
  };
  const views = [];
  let shown = -1, waiting = null;

  const unpack = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    if (bytes[0] !== 31) return bytes.buffer;
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  };
  const minus = (text) => text.replace("-", Number(text) ? "\u2212" : "");
  const threshold = () => Number($("threshold").value);
  const top = () => Math.max(PARTS.seeds[shown].top, threshold() + 0.05);

  /* Colours of the values from the threshold to the top, so that a value keeps its colour
     whatever the threshold: the same for volumes and meshes, which differ in all else. */
  function colours(stops) {
    const map = { R: [], G: [], B: [], A: [], I: [] };
    for (let i = 0; i < 256; i++) {
      const part = (threshold() + (top() - threshold()) * i / 255) / top();
      let k = 1;
      while (k < stops.length - 1 && stops[k][0] < part) k++;
      const [a, b] = [stops[k - 1], stops[k]], f = Math.min(1, (part - a[0]) / (b[0] - a[0]));
      ["R", "G", "B"].forEach((c, j) => map[c].push(Math.round(a[j + 1] + f * (b[j + 1] - a[j + 1]))));
      map.A.push(i < 2 ? 0 : 255);  /* a volume has what is below the threshold in the first */
      map.I.push(i);
    }
    return map;
  }

  function drawLegend(id, map, reverse) {
    const context = $(id).getContext("2d"), width = $(id).width;
    for (let x = 0; x < width; x++) {
      const i = Math.round(255 * (reverse ? width - 1 - x : x) / (width - 1));
      context.fillStyle = `rgb(${map.R[i]},${map.G[i]},${map.B[i]})`;
      context.fillRect(x, 0, 1, $(id).height);
    }
  }

  function recolour(nv, layer) {
    const warm = colours(WARM), cold = colours(COLD);
    nv.addColormap("sbc_warm", warm);
    nv.addColormap("sbc_cold", cold);
    layer.colormap = "sbc_warm";
    layer.colormapNegative = "sbc_cold";
    layer.cal_min = threshold();
    layer.cal_max = top();
    drawLegend("warm", warm, false);
    drawLegend("cold", cold, true);
    const texts = { low: -top(), "cut-low": -threshold(), "cut-high": threshold(), high: top() };
    for (const [id, value] of Object.entries(texts)) $(id).textContent = minus(value.toFixed(2));
    $("threshold-text").textContent = threshold().toFixed(2);
  }

  function say(place, value) {
    const where = place.map((x) => minus(Math.round(x).toFixed(0))).join(", ");
    $("read").textContent = `${where} mm   z = ${value === undefined ? "\u2013" : minus(value.toFixed(2))}`;
  }

  /* Each part of the viewer opens, shows a map, follows the threshold, and goes to a place. */

  class Volume {
    async open() {
      const { nv } = this;
      nv.onLocationChange = (at) => {
        const map = at.values[at.values.length - 1];
        say(Array.from(at.mm).slice(0, 3), map && map.value);
      };
      const file = new File([await unpack(PARTS.volume.background)], "background.nii");
      nv.addColormap("sbc_grey", GREY);
      nv.addVolume(await niivue.NVImage.loadFromFile({ file, name: file.name, colormap: "sbc_grey", cal_min: 0, cal_max: 255 }));
      nv.setSliceType(nv.sliceTypeMultiplanar);
    }

    async show(i) {
      const file = new File([await unpack(PARTS.volume.maps[i])], "z.nii");
      const map = await niivue.NVImage.loadFromFile({ file, name: file.name });
      if (this.map) this.nv.removeVolume(this.map);
      this.map = map;
      recolour(this.nv, map);
      this.nv.addVolume(map);
    }

    update() { recolour(this.nv, this.map); this.nv.updateGLVolume(); }

    go(place) {
      this.nv.scene.crosshairPos = this.nv.mm2frac(place);
      this.nv.createOnLocationChange();
      this.nv.drawScene();
    }

    press(step) { this.nv.moveCrosshairInVox(...step); }
  }

  class Surface {
    async open() {
      const { nv } = this;
      let start = 0;
      this.parts = [];
      for (const { name, mesh } of PARTS.surface.meshes) {
        const file = new File([await unpack(mesh)], "mesh.gii");
        const part = { name, start, mesh: await niivue.NVMesh.loadFromFile({ gl: nv.gl, name: file.name, file, rgba255: [205, 208, 212, 255] }) };
        start += part.mesh.pts.length / 3;
        nv.addMesh(part.mesh);
        this.parts.push(part);
      }
      nv.opts.show3Dcrosshair = true;
      nv.setSliceType(nv.sliceTypeRender);
      nv.setScale(isNarrow ? 0.95 : 1.25);
      $("part").onchange = () => this.only($("part").value);
    }

    only(name) {
      $("part").value = name;
      for (const part of this.parts) part.mesh.visible = name === "" || name === part.name;
      this.nv.drawScene();
    }

    async show(i) {
      this.values = Float32Array.from(new Int16Array(await unpack(PARTS.surface.maps[i])), (x) => x * PARTS.surface.step);
      for (const { mesh, start } of this.parts) {
        const values = this.values.subarray(start, start + mesh.pts.length / 3);
        mesh.layers = [{ name: "z", values, nFrame4D: 1, frame4D: 0, opacity: 1, useNegativeCmap: true, colormapInvert: false, colormapType: 0, isTransparentBelowCalMin: true, isAdditiveBlend: false, colorbarVisible: false, outlineBorder: 0, cal_minNeg: NaN, cal_maxNeg: NaN, global_min: -1, global_max: 1, colormapLabel: null }];
      }
      this.update();
    }

    update() {
      for (const { mesh } of this.parts) {
        recolour(this.nv, mesh.layers[0]);
        mesh.updateMesh(this.nv.gl);
      }
      this.nv.drawScene();
    }

    nearest(place) {
      const nearest = { distance: Infinity };
      for (const part of this.parts) {
        const points = part.mesh.pts;
        for (let v = 0; v < points.length / 3; v++) {
          const distance = Math.hypot(points[3 * v] - place[0], points[3 * v + 1] - place[1], points[3 * v + 2] - place[2]);
          if (distance < nearest.distance) Object.assign(nearest, { part, v, distance });
        }
      }
      return nearest;
    }

    /* Look at a place from outside of its hemisphere; hide the other one if it is in the way.
       Beside voxels the cortex stays as it is for a place that is none of its vertices. */
    go(place) {
      const { nv } = this, { part, v, distance } = this.nearest(place);
      if (PARTS.volume && distance > SAME_PLACE) return;
      say(place, this.values[part.start + v]);
      const { extentsMin, extentsMax } = part.mesh;
      const [x, y, z] = place.map((value, axis) => value - (extentsMin[axis] + extentsMax[axis]) / 2);
      const isMedial = x * (extentsMin[0] + extentsMax[0]) < 0 && Math.abs(x) > Math.abs(z) / 2;
      this.only(isMedial ? part.name : "");
      nv.scene.crosshairPos = nv.mm2frac(place);
      const elevation = (Math.asin(z / Math.hypot(x, y, z)) * 180) / Math.PI;
      nv.setRenderAzimuthElevation((Math.atan2(-2 * x, -y) * 180) / Math.PI, Math.max(-60, Math.min(60, elevation)));
    }

    press([right, up]) {
      this.nv.setRenderAzimuthElevation(this.nv.scene.renderAzimuth - 10 * right, this.nv.scene.renderElevation + 10 * up);
    }
  }

  /* The planes first, as what the cortex says of a place of its own comes last. */
  const kinds = Object.entries({ volume: Volume, surface: Surface }).filter(([name]) => PARTS[name]);

  async function show(i) {
    if (i === shown) return;
    shown = i;
    for (const view of views) await view.show(i);
    if ($("choose")) $("choose").value = i;
    for (const pill of document.querySelectorAll(".pill")) pill.setAttribute("aria-pressed", Number(pill.dataset.map) === i);
  }

  /* One step after the other: what is asked for meanwhile comes last and wins. */
  async function ask(i, place) {
    const busy = waiting !== null;
    waiting = { i, place };
    if (busy) return;
    while (waiting) {
      const next = waiting;
      await show(next.i);
      for (const view of views) view.go(next.place);
      if (waiting === next) waiting = null;
    }
  }

  function listen() {
    const ofSeed = (i) => ask(i, PARTS.seeds[i].place);
    for (const pill of document.querySelectorAll(".pill")) pill.onclick = () => ofSeed(Number(pill.dataset.map));
    if ($("choose")) $("choose").onchange = () => ofSeed(Number($("choose").value));
    $("threshold").oninput = () => views.forEach((view) => view.update());
    for (const button of document.querySelectorAll(".go")) {
      const i = PARTS.seeds.findIndex((seed) => seed.position === Number(button.dataset.seed));
      button.onclick = () => {
        ask(i, button.dataset.place.split(",").map(Number));
        $("look").scrollIntoView();
      };
    }
    const steps = { ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowUp: [0, 1, 0], ArrowDown: [0, -1, 0], PageUp: [0, 0, 1], PageDown: [0, 0, -1] };
    for (const view of views) {
      view.canvas.addEventListener("keydown", (event) => {
        if (!steps[event.code]) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        view.press(steps[event.code]);
      }, true);
    }
  }

  async function open() {
    if (!document.createElement("canvas").getContext("webgl2")) throw new Error("no WebGL");
    $("look").hidden = false;
    for (const [name, View] of kinds) {
      const view = Object.assign(new View(), { canvas: $(name), nv: new niivue.Niivue(OPTIONS) });
      await view.nv.attachToCanvas(view.canvas);
      await view.open();
      views.push(view);
    }
    listen();
    await ask(0, PARTS.seeds[0].place);
    $("look").dataset.ready = "yes";
  }

  open().catch((error) => {
    $("look").hidden = true;
    $("no-look").hidden = false;
    for (const button of document.querySelectorAll(".go")) button.disabled = true;
    $("no-look").dataset.error = String(error);
  });
})();

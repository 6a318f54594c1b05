/* The page itself: what is shown, and what the controls do. */

const CONFIG = JSON.parse(document.getElementById("config").textContent);
const IS_FILE = document.getElementById("part-niivue") !== null;
const SUMMARY_WORDS = {
  mean: "mean", median: "median", pca: "first principal component", standardized_mean: "mean of scaled signals",
};
const MESSAGE_MILLISECONDS = 3200;
const REST_MILLISECONDS = 120; // without a new seed, after which more is asked of the crosshair
const SCORE_HINT = "standard normal where nothing correlates";
const HINTS = {
  voxels: "<kbd>click</kbd> new seed · <kbd>drag</kbd> it follows · <kbd>wheel</kbd> slices · <kbd>◄ ►</kbd> <kbd>▲ ▼</kbd> one voxel",
  vertices: "<kbd>click</kbd> new seed · <kbd>shift</kbd> <kbd>drag</kbd> it follows · <kbd>drag</kbd> turns · <kbd>wheel</kbd> zooms",
  grayordinates: "<kbd>click</kbd> new seed · <kbd>drag</kbd> it follows in planes, and turns the cortex, where it follows with <kbd>shift</kbd>",
};
/* seed and here are places; the others are the last answers, and what is on its way. */
const state = {
  seed: -1, here: -1, map: null, known: null, wanted: null, isAsking: false, serial: 0,
};

function $(id) { return document.getElementById(id); }

function signed(value, digits = 0) {
  const text = Math.abs(value).toFixed(digits || (Number.isInteger(Math.round(10 * value) / 10) ? 0 : 1));
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/* The step of a slider that can be at a value, at least of whole numbers. */
function stepOf(value) { return 10 ** -Math.min((String(value).split(".")[1] ?? "").length, 6); }

function told(mm) { return mm.map((x) => signed(x)).join(", "); }

let silence;
function say(text, isGood = false) {
  $("message").textContent = text;
  $("message").className = isGood ? "on good" : "on";
  clearTimeout(silence);
  silence = setTimeout(() => { $("message").className = ""; }, MESSAGE_MILLISECONDS);
}

/* What is asked for */

function settings() {
  return { radius: Number($("radius").value), summary: $("summary").value, run: $("run").value };
}

/* Map the seed at a place. One question at a time is on its way; of those that come up
   meanwhile only the newest is asked, so that no older map follows a newer one. */
async function seedAt(place) {
  state.wanted = { place, serial: ++state.serial, start: performance.now() };
  if (state.isAsking) return;
  state.isAsking = true;
  while (state.wanted) {
    const { place: asked, serial, start } = state.wanted;
    state.wanted = null;
    try {
      const map = await state.source.map({ place: asked, ...settings() });
      await show(asked, map, serial, start);
    } catch (error) {
      say(error.message);
      if (!$("hold").checked) state.here = state.seed; // where the map still is
    }
  }
  state.isAsking = false;
}

async function show(place, map, serial, start) {
  Object.assign(state, { seed: place, map });
  if (!$("hold").checked) state.here = place;
  readHereIn(REST_MILLISECONDS);
  state.planes?.setMap(map.r);
  await drawSoon(true);
  const now = performance.now(); // since the page was asked for
  const total = serial === 1 ? `first picture ${(now / 1000).toFixed(1)} s` : `click to picture ${(now - start).toFixed(0)} ms`;
  $("speed").textContent = `map ${map.milliseconds.toFixed(1)} ms · ${total}`;
  document.dispatchEvent(new CustomEvent("shown", { detail: { place, serial } }));
}

/* Point at a place: a new seed, or with the seed held a look at r there. */
function pointAt(place) {
  if (place < 0) return false;
  if (!$("hold").checked) {
    if (place !== state.here || state.wanted) { state.here = place; seedAt(place); }
  } else if (place !== state.here) {
    state.here = place;
    drawSoon(false);
    readHereIn(0);
  }
  return true;
}

function pointAtPoint(mm) {
  if (!pointAt(state.space.placeAt(mm))) say(`${told(mm)} mm ${state.space.whereOutside()}: the map stays.`);
}

function step(axis, sign) {
  const place = state.space.next(state.here, axis, sign);
  if (place >= 0) pointAt(place);
}

/* Read more of the place at the crosshair, unless it moves on meanwhile. */
let rest = null;
function readHereIn(milliseconds) {
  clearTimeout(rest);
  state.known = null;
  rest = setTimeout(async () => {
    const question = { place: state.seed, ...settings(), at: state.here }, { map } = state;
    try {
      const known = await state.source.here(question);
      if (map !== state.map || question.at !== state.here) return;
      state.known = known;
      drawReadout();
      drawSeries();
    } catch (error) {
      say(error.message);
    }
  }, milliseconds);
}

/* What is drawn */

function look() {
  const top = Number($("top").value), threshold = Math.min(Number($("threshold").value), top);
  return { top, threshold, opacity: Number($("opacity").value), fade: $("fade").checked, smooth: $("smooth").checked };
}

/* Draw in the next frame, planes first; resolves once they are drawn. */
let frame = null, cortexTimer = null;
function drawSoon(isNewMap) {
  state.isNewMap = state.isNewMap || isNewMap;
  frame ??= new Promise((resolve) => {
    requestAnimationFrame(() => {
      frame = null;
      drawAll();
      resolve();
    });
  });
  return frame;
}

function drawAll() {
  if (!state.map) return; // as not even the first seed has a signal
  const style = look(), colours = new Colours(style), { radius } = settings();
  state.colours = colours;
  const shown = {
    ...style, colours, radius, held: $("hold").checked, isSphere: state.space.volume?.has(state.seed),
    seed: state.space.point(state.seed), here: state.space.point(state.here), seedPlace: state.seed, herePlace: state.here,
  };
  state.planes?.draw(shown);
  drawWords();
  drawBar(style, colours);
  clearTimeout(cortexTimer);
  cortexTimer = setTimeout(() => drawCortex(shown), 0);
}

function drawCortex(shown) {
  cortexTimer = null;
  if (!state.cortex) return;
  if (state.isNewMap) state.cortex.setMap(state.map.r, shown);
  state.isNewMap = false;
  state.cortex.draw(shown);
}

function drawWords() {
  const { radius } = settings();
  drawReadout();
  const n = state.space.around(state.seed, radius).length, { unit } = state.space.partOf(state.seed);
  $("members").textContent = `${n} ${n === 1 ? unit : { voxel: "voxels", vertex: "vertices" }[unit]}`;
  if (!$("go").contains(document.activeElement)) fillFields(state.space.point(state.seed));
  $("radius-out").textContent = radius ? `${radius} mm` : `1 ${unit}`;
  drawSeries();
  $("copy-command").disabled = Boolean(whyNoCommand());
  $("copy-command").title = whyNoCommand();
}

/* The numbers at the crosshair; of several runs there is no z score. */
function drawReadout() {
  const { cortex } = state.space, own = cortex?.has(state.here) ? cortex.nameOf(state.here) : null;
  $("here").textContent = `${told(state.space.point(state.here))} mm`;
  $("here").title = own ? `vertex ${own.vertex} of the ${own.hemisphere} hemisphere` : "";
  const r = state.map.r[state.here], { known } = state;
  const shown = [["r", signed(r, 4), r], ["Fisher z", signed(Math.atanh(r), 3), Math.atanh(r)]];
  if (settings().run !== "mean") {
    const isKnown = known?.dof !== undefined; // what is known may still be that of the mean
    const hint = isKnown ? `${known.z}, ${SCORE_HINT}; ${known.dof.toFixed(0)} effective degrees of freedom` : "";
    shown.push(["z score", isKnown ? signed(known.z, 2) : "…", hint]);
  }
  $("readout").replaceChildren(...shown.map(([name, text, hint]) => {
    const box = document.createElement("div");
    box.append(Object.assign(document.createElement("dt"), { textContent: name }));
    box.append(Object.assign(document.createElement("dd"), { textContent: text, title: hint }));
    return box;
  }));
}

/* Time series of the seed and, while it is held, of the crosshair. */
function drawSeries() {
  const { run } = settings(), series = [];
  series.push({ kind: "seed", values: state.map.series, label: `seed ${told(state.space.point(state.seed))}` });
  if ($("hold").checked && state.known) {
    series.push({ kind: "here", values: state.known.series, label: `here ${told(state.space.point(state.here))}` });
  }
  drawChart(series, run === "mean" ? null : CONFIG.runs[Number(run)]);
}

function fillFields(mm) { ["x", "y", "z"].forEach((id, i) => { $(id).value = signed(mm[i]); $(id).ariaInvalid = null; }); }

function drawBar({ top, threshold, opacity }, colours) {
  const bar = $("bar"), width = (bar.width = Math.max(1, Math.round(bar.getBoundingClientRect().width * (window.devicePixelRatio || 1))));
  const pen = bar.getContext("2d");
  for (let i = 0; i < width; i++) {
    pen.fillStyle = colours.css(top * (2 * i / (width - 1) - 1));
    pen.fillRect(i, 0, 1, bar.height);
  }
  const near = threshold > 0.12 * top && threshold < 0.8 * top ? [-threshold, threshold] : [];
  $("ticks").replaceChildren(...[-top, ...near, 0, top].sort((a, b) => a - b).map((value) => {
    const tick = Object.assign(document.createElement("span"), { textContent: value ? signed(value, 2) : "r" });
    tick.style.left = `${50 + 50 * value / top}%`;
    return tick;
  }));
  for (const [id, value] of Object.entries({ top, threshold, opacity })) $(`${id}-out`).textContent = value.toFixed(2);
}

/* Controls */

function readFields() {
  const numbers = ["x", "y", "z"].map((id) => {
    const text = $(id).value.trim().replace("−", "-"), value = text === "" ? NaN : Number(text);
    $(id).ariaInvalid = Number.isFinite(value) ? null : "true";
    return value;
  });
  if (!numbers.every(Number.isFinite)) return say("Coordinates must be three numbers, in mm: the map stays.");
  const place = state.space.placeAt(numbers);
  if (place < 0) return say(`${told(numbers)} mm ${state.space.whereOutside()}: the map stays.`);
  return newSeed(place);
}

/* A named or typed place is a new seed, also while another one is held. */
function newSeed(place) {
  state.here = place;
  seedAt(place);
}

function connectControls() {
  $("go").onsubmit = (event) => { event.preventDefault(); readFields(); };
  $("go").addEventListener("paste", (event) => {
    const numbers = event.clipboardData.getData("text").replaceAll("−", "-").match(/-?\d*\.?\d+(e[-+]?\d+)?/gi) ?? [];
    if (numbers.length !== 3) return;
    event.preventDefault();
    ["x", "y", "z"].forEach((id, i) => { $(id).value = numbers[i]; });
  });
  for (const id of ["radius", "summary", "run"]) {
    $(id).oninput = () => {
      if (id === "radius") $("radius-out").textContent = `${$("radius").value} mm`;
      seedAt(state.seed);
    };
  }
  for (const id of ["threshold", "top", "opacity", "fade", "smooth"]) $(id).oninput = () => drawSoon(true);
  $("hold").onchange = () => {
    if (!$("hold").checked) state.here = state.seed;
    readHereIn(0);
    drawSoon(false);
  };
  $("copy-python").onclick = () => copy(pythonText());
  $("copy-command").onclick = () => copy(commandText());
  $("save-image").onclick = saveImage;
  $("save-picture").onclick = savePicture;
  document.addEventListener("keydown", onKey);
  new ResizeObserver(() => { if (state.map) drawSoon(false); }).observe(document.querySelector("main"));
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
  if (event.key === "l" || event.key === "L") $("hold").click();
  const move = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [2, 1], ArrowDown: [2, -1], PageUp: [1, 1], PageDown: [1, -1],
  }[event.key];
  if (!move) return;
  event.preventDefault();
  step(...move);
}

function fillControls() {
  for (const { name, place } of CONFIG.places) {
    const chip = Object.assign(document.createElement("button"), { type: "button", textContent: name });
    chip.onclick = () => newSeed(place);
    $("places").append(chip);
  }
  for (const summary of CONFIG.summaries) $("summary").add(new Option(SUMMARY_WORDS[summary], summary));
  if (CONFIG.runs.length > 1) $("run").add(new Option(`mean Fisher z of ${CONFIG.runs.length} runs`, "mean"));
  CONFIG.runs.forEach((run, i) => $("run").add(new Option(run.name, String(i))));
  $("run-row").hidden = CONFIG.runs.length === 1;
  Object.assign($("radius"), { max: CONFIG.largest_radius, step: stepOf(CONFIG.start.radius), value: CONFIG.start.radius });
  $("summary").value = CONFIG.start.summary;
  const n = CONFIG.runs.length, { volume, cortex } = CONFIG.space;
  const unit = volume && cortex ? "grayordinates" : cortex ? "vertices" : "voxels";
  const runs = n > 1 ? `${n} runs` : CONFIG.runs[0].name;
  const scans = CONFIG.runs.reduce((sum, run) => sum + run.kept.length, 0);
  $("about").textContent = `${runs} · ${CONFIG.n_places.toLocaleString("en")} ${unit} · ${scans.toLocaleString("en")} scans`;
  $("about").title = CONFIG.runs.map((run) => run.name).join("\n");
  document.title = `${runs} · sbc explore`;
  $("save-image").textContent = `Save ${CONFIG.format}`;
  $("smooth-label").hidden = !volume;
  $("hints").innerHTML = HINTS[unit];
  if (IS_FILE) {
    $("credit").textContent = "This file holds nearly all of the run's signals: who has it has the data. Cortex drawn by NiiVue (BSD-2-Clause).";
  }
}

/* The token leaves the address, and stays with this tab. */
function takeToken() {
  const token = new URLSearchParams(location.search).get("token") ?? sessionStorage.getItem("sbc-token");
  sessionStorage.setItem("sbc-token", token);
  history.replaceState(null, "", "/");
  return token;
}

async function openSpace() {
  const numbers = async (name, Kind) => new Kind(await state.source.part(name));
  const summedUp = async (name) => {
    let sum = 0;
    return (await numbers(name, Int32Array)).map((step) => (sum += step));
  };
  const { anatomy, space } = CONFIG;
  const parts = anatomy.cortex && {
    vertices: await numbers("vertices", Float32Array), faces: await numbers("faces", Uint32Array),
    shade: await numbers("shade", Uint8Array), placeOfVertex: await summedUp("place_of_vertex"),
  };
  const volume = space.volume && new VolumeSpace(space.volume, await summedUp("place_of_voxel"));
  const cortex = space.cortex && new SurfaceSpace(anatomy.cortex, parts);
  state.space = new Space(volume, cortex);
  if (volume) {
    // Where hemispheres are moved apart, they are no more where the brain has them.
    const isInPlace = cortex && anatomy.cortex.shifts.every((shift) => shift === 0);
    const ribbon = isInPlace ? new Ribbon(cortex, parts.faces) : null;
    state.planes = new Planes(volume, anatomy, await numbers("background", Uint8Array), ribbon, { point: pointAtPoint, step });
  }
  document.body.classList.toggle("surface", !volume);
  document.body.classList.toggle("no-cortex", !parts);
  document.body.classList.toggle("both", Boolean(volume && cortex));
  return parts;
}

async function openCortex(parts) {
  const cortex = new Cortex(parts, CONFIG.anatomy.cortex, { place: (place) => {
    if (!pointAt(place)) say("No signal there: the map stays.");
  } });
  cortex.exact = Boolean(state.space.cortex);
  await cortex.start(new TextDecoder().decode(await state.source.part("niivue")));
  const vertex = cortex.vertexAt(state.space.point(CONFIG.start.place), CONFIG.start.place);
  if (vertex !== null) cortex.showBest(vertex);
  state.cortex = cortex;
  await drawSoon(true);
}

async function open() {
  state.source = IS_FILE ? new FileSource() : new ServerSource(takeToken());
  fillControls();
  const parts = await openSpace();
  await state.source.open?.(state.space);
  connectControls();
  state.here = CONFIG.start.place;
  await seedAt(CONFIG.start.place);
  if (parts) await openCortex(parts);
  document.body.dataset.ready = "yes";
}

open().catch((error) => {
  say(`The page cannot open: ${error.message}`);
  console.error(error);
});

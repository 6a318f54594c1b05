/* What one can take along: Python, a command, an image, a picture. */

const RADIUS_OF_ONE = 0.1; // mm: a sphere that sbc-map understands, and holds one voxel

function recipeShown() {
  const { run } = settings();
  return run === "mean" ? CONFIG.recipes.at(-1) : CONFIG.recipes[Number(run)];
}

/* A coordinate without an exponent, which sbc-map takes for an option where it is below 0. */
function plain(mm) { return String(Math.abs(mm) < SLACK ? 0 : mm); }

function filledIn(template) {
  const { radius, summary } = settings(), [x, y, z] = state.space.point(state.seed).map(plain);
  const { vertex, hemisphere } = state.space.cortex?.has(state.seed) ? state.space.cortex.nameOf(state.seed) : {};
  const words = {
    X: x, Y: y, Z: z, SUMMARY: summary,
    RADIUS: String(radius), COMMAND_RADIUS: String(radius || RADIUS_OF_ONE),
    VERTEX: vertex, HEMISPHERE: hemisphere,
  };
  return template.replace(/@(\w+)@/g, (mark, key) => words[key] ?? mark);
}

function pythonText() { return filledIn(recipeShown().python[state.space.partOf(state.seed).name]); }

function commandText() { return filledIn(recipeShown().command); }

/* Why there is no command for what is shown, or an empty text. */
function whyNoCommand() { return recipeShown().why_no_command; }

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.", true);
  } catch {
    $("by-hand-text").value = text;
    $("by-hand").showModal();
    $("by-hand-text").select();
  }
}

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function fileName() {
  const words = state.space.point(state.seed).map((x) => String(Math.round(10 * x) / 10));
  return `seed_${words.join("_")}_radius_${settings().radius}`;
}

function fisherZ() { return Float32Array.from(state.map.r, Math.atanh); }

/* What saves a map, by the name of the format. */
const SAVE = {
  async NIfTI(z) { download(await niftiFile(z), `${fileName()}_z.nii.gz`); },
  async CIFTI(z) { download(new Blob([await state.source.part("header"), z]), `${fileName()}_z.dscalar.nii`); },
  async GIFTI(z) { giftiFiles(z).forEach(([part, blob]) => download(blob, `${fileName()}_hemi-${part}_z.func.gii`)); },
};

function saveImage() { return SAVE[CONFIG.format](fisherZ()); }

async function niftiFile(z) {
  const { volume } = state.space, [nx, ny, nz] = volume.shape;
  const values = new Float32Array(nx * ny * nz); // x runs fastest, unlike in the map
  for (let place = 0; place < z.length; place++) {
    const [i, j, k] = volume.ijk(place);
    values[i + nx * (j + ny * k)] = z[place];
  }
  const header = await state.source.part("header");
  const whole = new Blob([header, values]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(whole).blob();
}

function giftiFiles(z) {
  const { hemispheres, starts, placeOfVertex } = state.space.cortex;
  return hemispheres.map((part, i) => {
    const values = Float32Array.from(placeOfVertex.subarray(starts[i], starts[i + 1]), (place) => z[place] ?? 0);
    let bytes = "";
    new Uint8Array(values.buffer).forEach((byte) => { bytes += String.fromCharCode(byte); });
    const structure = { left: "CortexLeft", right: "CortexRight" }[part] ?? "Cortex";
    const xml = `<?xml version="1.0" encoding="UTF-8"?>
<GIFTI Version="1.0" NumberOfDataArrays="1">
<MetaData><MD><Name>AnatomicalStructurePrimary</Name><Value>${structure}</Value></MD></MetaData>
<DataArray Intent="NIFTI_INTENT_ZSCORE" DataType="NIFTI_TYPE_FLOAT32" ArrayIndexingOrder="RowMajorOrder" Dimensionality="1" Dim0="${values.length}" Encoding="Base64Binary" Endian="LittleEndian" ExternalFileName="" ExternalFileOffset="">
<Data>${btoa(bytes)}</Data>
</DataArray>
</GIFTI>
`;
    return [{ left: "L", right: "R" }[part] ?? part, new Blob([xml], { type: "application/xml" })];
  });
}

/* What is on the page as one picture, with the words that it needs. */
function pictureCanvas() {
  const ratio = window.devicePixelRatio || 1, gap = 20 * ratio;
  const planes = state.planes ? state.planes.all.map((plane) => plane.canvas) : [];
  state.cortex?.draw(); // just now, as WebGL keeps no picture
  const cortex = state.cortex ? [$("mesh")] : [];
  const widthOf = (row) => row.reduce((sum, canvas) => sum + canvas.width + gap, gap);
  const heightOf = (row) => row.reduce((most, canvas) => Math.max(most, canvas.height), 0);
  const words = Math.max(360 * ratio, widthOf(planes) - widthOf(cortex) - 2 * gap);
  const width = widthOf(cortex) + gap + words + gap, upper = planes.length ? heightOf(planes) + gap : 0;
  const canvas = Object.assign(document.createElement("canvas"), {
    width, height: upper + Math.max(heightOf(cortex), 150 * ratio) + 2 * gap,
  });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#141a21";
  pen.fillRect(0, 0, width, canvas.height);
  let x = gap;
  for (const plane of planes) { pen.drawImage(plane, x, gap); x += plane.width + gap; }
  cortex.forEach((own) => pen.drawImage(own, gap, upper + gap));
  pen.setTransform(ratio, 0, 0, ratio, widthOf(cortex) + gap, upper + gap + Math.max(0, heightOf(cortex) - 150 * ratio) / 2);
  writeWords(pen, words / ratio);
  return canvas;
}

function writeWords(pen, width) {
  const { top, threshold } = look(), { radius, summary, run } = settings(), bar = 320;
  const lines = [
    `Seed at ${told(state.space.point(state.seed))} mm`,
    `${radius ? `${radius} mm` : `one ${state.space.partOf(state.seed).unit}`}, ${SUMMARY_WORDS[summary]}`,
    run === "mean" ? `mean Fisher z of ${CONFIG.runs.length} runs` : CONFIG.runs[Number(run)].name,
  ];
  lines.forEach((line, i) => {
    pen.font = `${i ? "13px" : "600 18px"} system-ui, "Segoe UI", "DejaVu Sans", sans-serif`;
    pen.fillStyle = i ? "#97a5b6" : "#e8edf3";
    pen.fillText(shortened(pen, line, width), 0, 18 + 22 * i);
  });
  for (let i = 0; i < bar; i++) {
    pen.fillStyle = "#2a333e";
    pen.fillRect(i, 84, 1, 10);
    pen.fillStyle = state.colours.css(top * (2 * i / bar - 1));
    pen.fillRect(i, 84, 1, 10);
  }
  pen.font = '12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif';
  pen.fillStyle = "#97a5b6";
  for (const [value, align] of [[-top, "left"], [0, "center"], [top, "right"]]) {
    pen.textAlign = align;
    pen.fillText(value ? signed(value, 2) : "r", bar * (value / top + 1) / 2, 112);
  }
  pen.textAlign = "left";
  pen.fillText(`threshold ${threshold.toFixed(2)}`, 0, 134);
}

function shortened(pen, line, width) {
  let text = line;
  while (text.length > 4 && pen.measureText(text).width > width) text = `${text.slice(0, -2)}…`;
  return text;
}

function savePicture() {
  pictureCanvas().toBlob((blob) => download(blob, `${fileName()}.png`));
}

/* Time series of the seed and, while it is held, of the crosshair. */

const LIMIT = 3.4; // standard deviations up and down
const STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200];

function shape(name, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/* series: [{ kind: "seed" or "here", values, label }]; run: from CONFIG.runs, or null. */
function drawChart(series, run) {
  const box = $("series").getBoundingClientRect(), [width, height] = [box.width, box.height];
  const chart = $("chart");
  chart.setAttribute("viewBox", `0 0 ${width} ${height}`);
  chart.replaceChildren();
  const shown = series.filter(({ values }) => values && values.length);
  $("legend").replaceChildren(...shown.map(({ kind, label }) => {
    const item = Object.assign(document.createElement("span"), { className: kind, textContent: label });
    item.prepend(document.createElement("i"));
    return item;
  }));
  chart.setAttribute("aria-label", shown.map(({ label }) => label).join(" and ") || "No time series");
  if (!shown.length) {
    const words = "Each run has a time series of its own: choose one under Run.";
    if (!run) chart.append(shape("text", { x: width / 2, y: height / 2 + 10, "text-anchor": "middle", class: "sentence" }, words));
    return;
  }
  const left = 46, right = 16, top = 38, bottom = 26, t_r = run.t_r ?? 1;
  const last = Math.max(run.kept.at(-1) * t_r, t_r);
  const x = (scan) => left + (width - left - right) * scan * t_r / last;
  const y = (value) => top + (height - top - bottom) * (0.5 - value / (2 * LIMIT));
  for (const value of [-2, 0, 2]) {
    chart.append(shape("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: "rule" }));
    chart.append(shape("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, `${signed(value)} sd`));
  }
  const step = STEPS.find((s) => last / s <= width / 90) ?? 3000;
  for (let t = 0; t <= last; t += step) {
    const words = run.t_r ? (t ? `${t} s` : "0") : (t ? `scan ${t}` : "0");
    chart.append(shape("text", { x: x(t / t_r), y: height - 9, "text-anchor": t + step > last ? "end" : "middle" }, words));
  }
  for (const { kind, values } of shown) chart.append(shape("path", { class: kind, d: path(values, run.kept, x, y) }));
}

/* A line with gaps where scans are censored. */
function path(values, kept, x, y) {
  return Array.from(values, (value, i) => {
    const begins = i === 0 || kept[i] !== kept[i - 1] + 1;
    return `${begins ? "M" : "L"}${x(kept[i]).toFixed(1)} ${y(Math.max(-LIMIT, Math.min(LIMIT, value))).toFixed(1)}`;
  }).join("");
}

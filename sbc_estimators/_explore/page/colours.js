/* Colours of r: warm above 0, cool below, apart for every kind of colour vision. */

const WARM = [[0, 92, 14, 8], [0.3, 190, 44, 22], [0.55, 240, 122, 28], [0.78, 255, 197, 66], [1, 255, 247, 214]];
const COOL = [[0, 10, 38, 92], [0.3, 26, 88, 190], [0.55, 44, 156, 232], [0.78, 122, 216, 246], [1, 228, 250, 255]];
const N_COLOURS = 512;

function colourBetween(stops, t) {
  let i = 1;
  while (i < stops.length - 1 && t > stops[i][0]) i++;
  const [a, b] = [stops[i - 1], stops[i]], f = (t - a[0]) / (b[0] - a[0]);
  return [1, 2, 3].map((c) => a[c] + f * (b[c] - a[c]));
}

/* Red, green, blue (0-255) and opacity (0-1) of r from -top to top. */
class Colours {
  constructor(style) {
    this.top = style.top;
    this.threshold = style.threshold;
    this.table = new Float32Array(4 * (2 * N_COLOURS + 1));
    for (let i = -N_COLOURS; i <= N_COLOURS; i++) {
      const t = Math.abs(i) / N_COLOURS, colour = colourBetween(i < 0 ? COOL : WARM, t);
      const weak = t * style.top / style.threshold;
      const faded = style.fade ? weak * weak : 0;
      const opacity = style.opacity * (weak >= 1 || style.threshold === 0 ? 1 : faded);
      this.table.set([...colour, opacity], 4 * (i + N_COLOURS));
    }
  }

  index(r) {
    const i = Math.round(r / this.top * N_COLOURS);
    return 4 * (Math.max(-N_COLOURS, Math.min(N_COLOURS, i)) + N_COLOURS);
  }

  css(r) {
    const [red, green, blue, opacity] = this.table.subarray(this.index(r), this.index(r) + 4);
    return `rgb(${red} ${green} ${blue} / ${opacity})`;
  }
}

/* The signals in a file, and maps from them: see packing.py. */

const MAX_ABS_R = 1 - 2 ** -23;
const UNIT = 1024, LARGE = 255;
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-:+=^!/*?()[]{}@%,#_~|";

/* Bytes from text: how many are too many at the end, then five characters for each four. */
function fromText(text) {
  const digit = new Uint8Array(128), n = Math.floor(text.length / 5);
  for (let i = 0; i < 85; i++) digit[ALPHABET.charCodeAt(i)] = i;
  const bytes = new Uint8Array(4 * n);
  for (let i = 0, t = 1, b = 0; i < n; i++, t += 5, b += 4) {
    let word = 0;
    for (let k = 0; k < 5; k++) word = word * 85 + digit[text.charCodeAt(t + k)];
    bytes[b] = word >>> 24;
    bytes[b + 1] = word >>> 16;
    bytes[b + 2] = word >>> 8;
    bytes[b + 3] = word;
  }
  return bytes.subarray(0, 4 * n - Number(text[0]));
}

/* The places before each in its neighbourhood, -1 for none; vertices have none. */
function placesBefore({ volume, nPlaces }) {
  if (!volume) return [];
  const before = [], [, ny, nz] = volume.shape, { voxelOf, placeOf } = volume;
  for (let step = 1; step < 8; step++) {
    const [i, j, k] = [step >> 2, (step >> 1) & 1, step & 1], back = (i * ny + j) * nz + k;
    const own = new Int32Array(nPlaces).fill(-1);
    voxelOf.forEach((voxel, place) => {
      const z = voxel % nz, y = Math.floor(voxel / nz) % ny, x = Math.floor(voxel / nz / ny);
      if (voxel < 0 || x < i || y < j || z < k || placeOf[voxel - back] > place) return;
      own[place] = placeOf[voxel - back];
    });
    before.push(own);
  }
  return before;
}

function unpackedNumbers(small, large, before, coefficients, nPlaces) {
  const numbers = new Int16Array(small.length);
  let next = 0;
  for (let start = 0; start < small.length; start += nPlaces) {
    for (let place = 0; place < nPlaces; place++) {
      let expected = UNIT >> 1;
      for (let i = 0; i < before.length; i++) {
        const other = before[i][place];
        if (other >= 0) expected += coefficients[i] * numbers[start + other];
      }
      const byte = small[start + place], folded = byte < LARGE ? byte : large[next++];
      const difference = folded & 1 ? -(folded + 1) >> 1 : folded >> 1;
      numbers[start + place] = (expected >> 10) + difference;
    }
  }
  return numbers;
}

async function unpackedRun(source, i, before, nPlaces) {
  const told = CONFIG.packed[i];
  const numbers = async (side) => unpackedNumbers(
    new Uint8Array(await source.part(`${side}-${i}`)),
    new Uint16Array(await source.part(`${side}_large-${i}`)),
    before, told.coefficients[side], nPlaces);
  const mapped = await numbers("mapped");
  return new UnpackedRun({
    nPlaces,
    nDimensions: told.n_dimensions,
    step: told.step,
    basis: new Float32Array(await source.part(`basis-${i}`)),
    norms: new Float32Array(await source.part(`norms-${i}`)),
    axes: new Float32Array(await source.part(`axes-${i}`)),
    expected: new Float32Array(await source.part(`expected-${i}`)),
    ends: told.ends,
    mapped,
    plain: told.coefficients.plain ? await numbers("plain") : mapped,
  });
}

class UnpackedRun {
  constructor(parts) { Object.assign(this, parts); }

  /* The signal of a seed: its coordinates of norm 1 or less, and its time series. */
  seed(places, summary) {
    const members = places.filter((place) => this.norms[place] > 0).map((place) =>
      this.coordinates(this.plain, place, summary === "standardized_mean" ? 1 : this.norms[place]));
    if (!members.length) throw new Error("The seed has no signal: move it, or make it larger.");
    const own = summary === "pca" ? principal(members) : total(members);
    const series = this.inTime(own);
    return { coordinates: divided(own, norm(own)), series };
  }

  coordinates(side, place, scale) {
    const out = new Float64Array(this.nDimensions);
    for (let k = 0; k < out.length; k++) out[k] = side[k * this.nPlaces + place] * this.step * scale;
    return out;
  }

  inTime(own) {
    const d = own.length, out = new Float64Array(this.basis.length / d);
    for (let t = 0; t < out.length; t++) {
      for (let k = 0; k < d; k++) out[t] += this.basis[t * d + k] * own[k];
    }
    return out;
  }

  seriesOf(place) { return this.inTime(this.coordinates(this.mapped, place, 1)); }

  /* z score and effective degrees of freedom: see dimensions.py and uncertainty.py. */
  scores(seed, place) {
    const voxel = this.coordinates(this.mapped, place, 1), length = norm(voxel);
    if (!length) return { z: 0, dof: 0 };
    const squares = (own) => this.inBands(own).map((x) => x * x);
    const u = squares(seed.coordinates), v = squares(divided(voxel, length));
    let variance = 0, start = 0;
    for (const end of this.ends) {
      let weight = 0, share = 0;
      for (let i = start; i < end; i++) { weight += this.expected[i] * u[i]; share += v[i]; }
      variance += weight * share;
      start = end;
    }
    const dof = 1 / Math.max(variance, 1e-30), t = Math.max(dof - 1, 1);
    const r = clipped(seed.coordinates.reduce((sum, x, k) => sum + x * voxel[k], 0));
    const z = Math.sign(r) * (8 * t + 1) / (8 * t + 3) * Math.sqrt(-t * Math.log((1 - Math.abs(r)) * (1 + Math.abs(r))));
    return { z, dof };
  }

  /* Coordinates along the directions of time that are cut into bands. */
  inBands(own) {
    const d = own.length;
    return Float64Array.from(this.expected, (_, i) => own.reduce((sum, x, k) => sum + x * this.axes[i * d + k], 0));
  }

  correlations(seed) {
    const r = new Float32Array(this.nPlaces), n = r.length, { mapped } = this;
    const weights = [...seed.coordinates].map((weight) => weight * this.step);
    while (weights.length % 4) weights.push(0); // of dimensions that are not there
    for (let k = 0, o = 0; k < weights.length; k += 4, o += 4 * n) {
      const [a, b, c, d] = weights.slice(k, k + 4), has = Math.min(4, this.nDimensions - k) - 1;
      const [ob, oc, od] = [1, 2, 3].map((i) => o + Math.min(i, has) * n);
      for (let p = 0; p < n; p++) r[p] += a * mapped[o + p] + b * mapped[ob + p] + c * mapped[oc + p] + d * mapped[od + p];
    }
    return r.map(clipped);
  }
}

function clipped(r) { return Math.max(-MAX_ABS_R, Math.min(MAX_ABS_R, r)); }

function norm(x) { return Math.hypot(...x); }

function divided(x, by) { return by > 0 ? x.map((value) => value / by) : x; }

function total(members) {
  return members[0].map((_, k) => members.reduce((sum, own) => sum + own[k], 0));
}

/* The first principal component of signals, with the sign of their sum. */
function principal(members) {
  const sum = total(members);
  let own = divided(sum, norm(sum));
  for (let i = 0; i < 500; i++) {
    const next = new Float64Array(own.length);
    for (const member of members) {
      const part = member.reduce((a, x, k) => a + x * own[k], 0);
      member.forEach((x, k) => { next[k] += part * x; });
    }
    const better = divided(next, norm(next)), change = norm(better.map((x, k) => x - own[k]));
    own = better;
    if (change < 1e-9) break;
  }
  return own.reduce((a, x, k) => a + x * sum[k], 0) < 0 ? own.map((x) => -x) : own;
}

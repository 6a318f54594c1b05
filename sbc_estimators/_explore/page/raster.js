/* A mesh drawn without WebGL: each triangle pixel by pixel, the nearest wins. */

const LIGHT = [0.25, 0.45, 0.86];

class Raster {
  constructor(canvas, mesh) {
    this.canvas = canvas;
    this.mesh = mesh;
    this.pen = canvas.getContext("2d");
    this.shades = new Float32Array(mesh.vertices.length / 3);
  }

  draw(view, colours) {
    const box = this.canvas.getBoundingClientRect();
    const width = (this.canvas.width = Math.max(1, Math.round(box.width)));
    const height = (this.canvas.height = Math.max(1, Math.round(box.height)));
    const seen = view.project(this.mesh.vertices, width, height);
    this.light(seen);
    const image = new ImageData(width, height), depth = new Float32Array(width * height).fill(-Infinity);
    const faces = this.mesh.shownFaces();
    for (let f = 0; f < faces.length; f += 3) this.fill(image, depth, seen, colours, faces[f], faces[f + 1], faces[f + 2]);
    this.pen.putImageData(image, 0, 0);
  }

  /* How bright each vertex is, from the directions of its triangles. */
  light(seen) {
    const faces = this.mesh.shownFaces(), sums = new Float32Array(seen.length);
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const u = [0, 1, 2].map((i) => seen[b + i] - seen[a + i]), v = [0, 1, 2].map((i) => seen[c + i] - seen[a + i]);
      const up = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      for (const o of [a, b, c]) for (let i = 0; i < 3; i++) sums[o + i] += up[i];
    }
    for (let v = 0; v < this.shades.length; v++) {
      const [x, y, z] = sums.subarray(3 * v, 3 * v + 3), length = Math.hypot(x, y, z) || 1;
      this.shades[v] = 0.25 + 0.6 * Math.abs(LIGHT[0] * x - LIGHT[1] * y + LIGHT[2] * z) / length;
    }
  }

  fill(image, depth, seen, colours, a, b, c) {
    const [ax, ay, az] = seen.subarray(3 * a, 3 * a + 3), [bx, by, bz] = seen.subarray(3 * b, 3 * b + 3);
    const [cx, cy, cz] = seen.subarray(3 * c, 3 * c + 3), area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
    if (!area) return;
    const { width, height, data } = image;
    const left = Math.max(0, Math.ceil(Math.min(ax, bx, cx))), right = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx)));
    const top = Math.max(0, Math.ceil(Math.min(ay, by, cy))), bottom = Math.min(height - 1, Math.floor(Math.max(ay, by, cy)));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area, wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area;
        const wa = 1 - wb - wc, p = y * width + x, near = wa * az + wb * bz + wc * cz;
        if (wa < 0 || wb < 0 || wc < 0 || near <= depth[p]) continue;
        depth[p] = near;
        const shade = wa * this.shades[a] + wb * this.shades[b] + wc * this.shades[c];
        for (let i = 0; i < 3; i++) data[4 * p + i] = shade * (wa * colours[4 * a + i] + wb * colours[4 * b + i] + wc * colours[4 * c + i]);
        data[4 * p + 3] = 255;
      }
    }
  }
}

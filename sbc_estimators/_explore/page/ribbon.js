/* The cortex where planes cut it, coloured by the map. */

const RIBBON_WIDTH = 2.6; // pixels
const RIBBON_GREY = "rgb(132 143 156)";

class Ribbon {
  constructor({ points, placeOfVertex }, faces) {
    Object.assign(this, { points, placeOfVertex, faces, r: null, cuts: new Map() });
  }

  /* What a plane cuts out of the mesh: of each segment its ends in mm, and a vertex. */
  cut([a, b, c], level) {
    const known = this.cuts.get(c);
    if (known?.level === level) return known;
    const { points, faces } = this, ends = [], vertices = [];
    for (let f = 0; f < faces.length; f += 3) {
      const corners = [faces[f], faces[f + 1], faces[f + 2]];
      const [i, j, k] = corners.map((v) => points[3 * v + c] >= level);
      if (i === j && j === k) continue;
      const alone = i === j ? 2 : i === k ? 1 : 0, v = corners[alone];
      for (const other of [corners[(alone + 1) % 3], corners[(alone + 2) % 3]]) {
        const part = (level - points[3 * v + c]) / (points[3 * other + c] - points[3 * v + c]);
        for (const axis of [a, b]) ends.push(points[3 * v + axis] + part * (points[3 * other + axis] - points[3 * v + axis]));
      }
      vertices.push(v);
    }
    this.cuts.set(c, { level, ends, vertices });
    return this.cuts.get(c);
  }

  draw(plane, { here, colours }) {
    const { ends, vertices } = this.cut(plane.axes, here[plane.axes[2]]), { pen } = plane;
    const all = new Path2D(), byColour = new Map();
    vertices.forEach((vertex, s) => {
      const [x0, y0] = plane.atPixel(ends[4 * s], ends[4 * s + 1]), [x1, y1] = plane.atPixel(ends[4 * s + 2], ends[4 * s + 3]);
      const place = this.placeOfVertex[vertex], paths = [all];
      if (place >= 0) {
        const colour = colours.css(this.r[place]);
        if (!byColour.has(colour)) byColour.set(colour, new Path2D());
        paths.push(byColour.get(colour));
      }
      for (const path of paths) { path.moveTo(x0, y0); path.lineTo(x1, y1); }
    });
    pen.lineWidth = RIBBON_WIDTH;
    pen.lineCap = "round";
    for (const [colour, path] of [[RIBBON_GREY, all], ...byColour]) {
      pen.strokeStyle = colour;
      pen.stroke(path);
    }
    pen.lineCap = "butt";
  }
}

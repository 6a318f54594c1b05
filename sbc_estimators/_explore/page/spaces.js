"use strict";
/* Where places are: the voxels of a volume, or the vertices of a surface.
   A place is the position of a voxel (vertex) in the map. */

const SLACK = 1e-6; // mm by which a centre may lie beyond a radius, as in Python
const MOST_STEPS = 24; // of the smallest side of a voxel, to the next place
const FARTHEST_VERTEX = 10; // mm from coordinates to the vertex they stand for

function roundHalfEven(x) {
  const low = Math.floor(x), rest = x - low;
  if (rest !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

function inverseOf(affine) {
  const [a, b, c] = affine;
  const cross = (u, v) => [
    u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0],
  ];
  const [bc, ca, ab] = [cross(b, c), cross(c, a), cross(a, b)];
  const det = a[0] * bc[0] + a[1] * bc[1] + a[2] * bc[2];
  const rows = [0, 1, 2].map((i) => [bc[i] / det, ca[i] / det, ab[i] / det]);
  return rows.map((row) => [...row, -(row[0] * a[3] + row[1] * b[3] + row[2] * c[3])]);
}

function zoomsOf(affine) { return [0, 1, 2].map((j) => Math.hypot(...affine.map((row) => row[j]))); }

function transform(affine, p) {
  return affine.map((row) => row[0] * p[0] + row[1] * p[1] + row[2] * p[2] + row[3]);
}

function distance(p, q) {
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

class VolumeSpace {
  constructor(config, mask) {
    this.unit = "voxel";
    this.shape = config.shape;
    this.affine = config.affine;
    this.inverse = inverseOf(config.affine);
    this.zooms = zoomsOf(config.affine);
    const [, ny, nz] = this.shape;
    this.strides = [ny * nz, nz, 1];
    this.placeOf = new Int32Array(mask.length).fill(-1);
    this.voxelOf = new Int32Array(mask.reduce((n, inside) => n + (inside ? 1 : 0), 0));
    let place = 0;
    for (let i = 0; i < mask.length; i++) {
      if (mask[i]) {
        this.voxelOf[place] = i;
        this.placeOf[i] = place++;
      }
    }
    this.nPlaces = place;
  }

  ijk(place) {
    const [, ny, nz] = this.shape, i = this.voxelOf[place];
    return [Math.floor(i / (ny * nz)), Math.floor(i / nz) % ny, i % nz];
  }

  placeInVoxel(ijk) {
    const inside = ijk.every((x, axis) => x >= 0 && x < this.shape[axis]);
    return inside ? this.placeOf[(ijk[0] * this.shape[1] + ijk[1]) * this.shape[2] + ijk[2]] : -1;
  }

  placeAt(mm) { return this.placeInVoxel(transform(this.inverse, mm).map(roundHalfEven)); }

  point(place) { return transform(this.affine, this.ijk(place)); }

  /* The places of the sphere around a place, which is always one of them. */
  around(place, radius) {
    const centre = this.ijk(place), middle = this.point(place), found = [];
    const reach = this.inverse.map((row) => Math.ceil(radius * Math.hypot(row[0], row[1], row[2])) + 1);
    for (let i = -reach[0]; i <= reach[0]; i++) {
      for (let j = -reach[1]; j <= reach[1]; j++) {
        for (let k = -reach[2]; k <= reach[2]; k++) {
          const ijk = [centre[0] + i, centre[1] + j, centre[2] + k];
          const other = this.placeInVoxel(ijk);
          if (other < 0) continue;
          if (distance(transform(this.affine, ijk), middle) <= radius + SLACK) found.push(other);
        }
      }
    }
    return found;
  }

  /* The next place along an axis of space, over holes too, or -1 outside of the brain. */
  next(place, axis, sign) {
    const mm = this.point(place), step = Math.min(...this.zooms);
    for (let i = 0; i < MOST_STEPS; i++) {
      mm[axis] += sign * step;
      const other = this.placeAt(mm);
      if (other >= 0 && other !== place) return other;
    }
    return -1;
  }

  whereOutside() { return "lies outside the brain mask"; }
}

class SurfaceSpace {
  constructor(config, placeOfVertex, vertices, faces, shifts) {
    this.unit = "vertex";
    this.hemispheres = config.hemispheres;
    this.placeOfVertex = placeOfVertex;
    this.vertexOf = [];
    placeOfVertex.forEach((place, vertex) => { if (place >= 0) this.vertexOf[place] = vertex; });
    this.nPlaces = this.vertexOf.length;
    this.points = Float64Array.from(vertices);
    let start = 0;
    this.starts = config.hemispheres.map((part, i) => {
      const own = start;
      for (let v = start; v < start + part.n_vertices; v++) this.points[3 * v] -= shifts[i];
      start += part.n_vertices;
      return own;
    });
    this.joinNeighbours(faces);
  }

  joinNeighbours(faces) {
    const n = this.placeOfVertex.length, sets = Array.from({ length: n }, () => new Set());
    for (let f = 0; f < faces.length; f += 3) {
      for (let i = 0; i < 3; i++) {
        sets[faces[f + i]].add(faces[f + (i + 1) % 3]).add(faces[f + (i + 2) % 3]);
      }
    }
    this.neighbours = sets.map((set) => [...set]);
  }

  vertexPoint(vertex) { return [0, 1, 2].map((i) => this.points[3 * vertex + i]); }

  point(place) { return this.vertexPoint(this.vertexOf[place]); }

  placeAt(mm) {
    let best = -1, least = FARTHEST_VERTEX;
    for (let place = 0; place < this.nPlaces; place++) {
      const gap = distance(mm, this.point(place));
      if (gap <= least) { least = gap; best = place; }
    }
    return best;
  }

  /* Hemisphere and number of the vertex of a place. */
  name(place) {
    const vertex = this.vertexOf[place];
    const part = this.starts.findLastIndex((start) => start <= vertex);
    return { hemisphere: this.hemispheres[part].name, vertex: vertex - this.starts[part] };
  }

  /* The places within a distance along edges, by Dijkstra's algorithm. */
  around(place, radius) {
    const first = this.vertexOf[place], far = new Map([[first, 0]]), open = new Set([first]);
    while (open.size) {
      let vertex = -1;
      for (const other of open) if (vertex < 0 || far.get(other) < far.get(vertex)) vertex = other;
      open.delete(vertex);
      for (const other of this.neighbours[vertex]) {
        const gap = far.get(vertex) + distance(this.vertexPoint(vertex), this.vertexPoint(other));
        if (gap > radius + SLACK || gap >= (far.get(other) ?? Infinity)) continue;
        far.set(other, gap);
        open.add(other);
      }
    }
    return [...far.keys()].map((vertex) => this.placeOfVertex[vertex]).filter((p) => p >= 0);
  }

  /* The neighbour that lies furthest along an axis of space, or -1 for none. */
  next(place, axis, sign) {
    const own = this.point(place)[axis];
    let best = -1, most = 0;
    for (const vertex of this.neighbours[this.vertexOf[place]]) {
      const gain = sign * (this.points[3 * vertex + axis] - own);
      if (this.placeOfVertex[vertex] >= 0 && gain > most) { most = gain; best = this.placeOfVertex[vertex]; }
    }
    return best;
  }

  whereOutside() { return `lies more than ${FARTHEST_VERTEX} mm from the cortex`; }
}

"use strict";
/* Where places are: voxels of a volume, vertices of a surface, or both.
   A place is the position of a voxel (vertex) in the map; each part knows its own. */

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

/* For each place the position of it in a part, -1 where it lies in another one. */
function positionsOf(places) {
  const positions = new Int32Array(places.reduce((most, place) => Math.max(most, place), -1) + 1).fill(-1);
  places.forEach((place, position) => { if (place >= 0) positions[place] = position; });
  return positions;
}

/* All places: the parts that there are answer for their own. */
class Space {
  constructor(volume, cortex) {
    Object.assign(this, { volume, cortex, parts: [volume, cortex].filter(Boolean), nPlaces: CONFIG.n_places });
  }

  partOf(place) { return this.parts.find((part) => part.has(place)); }

  point(place) { return this.partOf(place).point(place); }

  around(place, radius) { return this.partOf(place).around(place, radius); }

  next(place, axis, sign) { return this.partOf(place).next(place, axis, sign); }

  /* The voxel that holds a point in mm, or else the nearest vertex, or -1 for none. */
  placeAt(mm) {
    for (const part of this.parts) {
      const place = part.placeAt(mm);
      if (place >= 0) return place;
    }
    return -1;
  }

  whereOutside() { return `lies ${this.parts.map((part) => part.whereOutside()).join(" and ")}`; }
}

class VolumeSpace {
  constructor(config, placeOf) {
    this.name = "volume";
    this.unit = "voxel";
    this.shape = config.shape;
    this.affine = config.affine;
    this.inverse = inverseOf(config.affine);
    this.zooms = zoomsOf(config.affine);
    this.placeOf = placeOf;
    this.voxelOf = positionsOf(placeOf);
  }

  has(place) { return this.voxelOf[place] >= 0; }

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

  whereOutside() { return "outside the brain mask"; }
}

class SurfaceSpace {
  constructor(config, { placeOfVertex, vertices, faces }) {
    this.name = "cortex";
    this.unit = "vertex";
    this.hemispheres = config.hemispheres;
    this.starts = config.starts; // and the end of the last
    this.placeOfVertex = placeOfVertex;
    this.vertexOf = positionsOf(placeOfVertex);
    this.points = Float64Array.from(vertices);
    config.shifts.forEach((shift, i) => {
      for (let v = config.starts[i]; v < config.starts[i + 1]; v++) this.points[3 * v] -= shift;
    });
    this.joinNeighbours(faces);
  }

  has(place) { return this.vertexOf[place] >= 0; }

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
    const { points, placeOfVertex } = this;
    let best = -1, least = FARTHEST_VERTEX;
    for (let v = 0; v < placeOfVertex.length; v++) {
      if (placeOfVertex[v] < 0) continue;
      const gap = Math.hypot(points[3 * v] - mm[0], points[3 * v + 1] - mm[1], points[3 * v + 2] - mm[2]);
      if (gap <= least) { least = gap; best = placeOfVertex[v]; }
    }
    return best;
  }

  /* Hemisphere and number of the vertex of a place. */
  nameOf(place) {
    const vertex = this.vertexOf[place];
    const part = this.starts.findLastIndex((start) => start <= vertex);
    return { hemisphere: this.hemispheres[part], vertex: vertex - this.starts[part] };
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

  whereOutside() { return `more than ${FARTHEST_VERTEX} mm from the cortex`; }
}

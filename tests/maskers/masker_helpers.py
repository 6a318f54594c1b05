"""What the tests of seed maskers share."""

import nibabel as nib
import numpy as np
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from scipy.sparse.csgraph import floyd_warshall

TOLERANCE = 1e-10
NAMES = {1: "back", 2: "middle", 3: "front", 4: "top"}


# Volumes


def mask_like(img, is_inside):
    """Return a mask on the grid of an image."""
    return nib.Nifti1Image(np.asarray(is_inside).astype("u1"), img.affine)


def mask_of(data, *labels):
    """Return a mask of some regions of the data's atlas."""
    return mask_like(
        data.labels_img, np.isin(np.asarray(data.labels_img.dataobj), labels)
    )


def moved(img, mm):
    """Return a 3D image moved along all axes."""
    affine = img.affine.copy()
    affine[:3, 3] += mm
    return nib.Nifti1Image(np.asarray(img.dataobj), affine)


# Surfaces


def sheet(n, shift):
    """Return a bent sheet of `n` x `n` vertices, 3 mm apart and not quite even."""
    i, j = np.indices((n, n)).reshape(2, -1)
    rng = np.random.default_rng(n)
    places = np.stack([3.0 * i + shift, 3.0 * j, 4 * np.sin(i / 2)], axis=1)
    corner = (i < n - 1) & (j < n - 1)
    a = np.flatnonzero(corner)
    faces = [np.stack([a, a + 1, a + n], 1), np.stack([a + 1, a + n + 1, a + n], 1)]
    return InMemoryMesh(
        places + 0.4 * rng.standard_normal(places.shape), np.concatenate(faces)
    )


def scaled(mesh, factor):
    """Return a mesh blown up."""
    parts = mesh.parts.items()
    return PolyMesh(
        **{name: InMemoryMesh(factor * p.coordinates, p.faces) for name, p in parts}
    )


def other_mesh():
    """Return a mesh of 16 vertices a part."""
    return PolyMesh(left=sheet(4, 0), right=sheet(4, 1))


def other_atlas():
    """Return an atlas on a mesh of 16 vertices a part."""
    return SurfaceImage(other_mesh(), {p: np.arange(16) % 3 for p in ("left", "right")})


def disc_by_looking(mesh, vertex, radius):
    """Return the vertices of a disc, from the shortest paths between all."""
    lengths = np.zeros((mesh.n_vertices, mesh.n_vertices))
    for face in mesh.faces:
        for a, b in zip(face, np.roll(face, 1), strict=True):
            length = np.linalg.norm(mesh.coordinates[a] - mesh.coordinates[b])
            lengths[a, b] = lengths[b, a] = length
    return np.flatnonzero(floyd_warshall(lengths)[vertex] <= radius)

"""Where voxels and vertices lie: grids of volumes, meshes of surfaces."""

from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np
from nilearn.image import resample_img
from nilearn.surface import SurfaceImage


def is_surface(img):
    """Whether an image is a SurfaceImage (or is made like one)."""
    return hasattr(img, "mesh")


def same_grid(image, other):
    """Whether two volumes have the same grid, as nilearn judges it."""
    same_shape = image.shape[:3] == other.shape[:3]
    return same_shape and np.allclose(image.affine, other.affine)


def grid(image):
    """Return what two images of the same grid, to the last bit, have in common."""
    if is_surface(image):
        parts = image.mesh.parts.items()
        return tuple((name, part.n_vertices) for name, part in parts)
    return image.shape[:3], image.affine.tobytes()


def places_in(voxels, affine, image):
    """Return the nearest voxels of an image to those of another grid."""
    to_image = np.linalg.inv(image.affine) @ affine
    places = voxels @ to_image[:3, :3].T + to_image[:3, 3]
    return np.floor(places + 0.5).astype(np.intp)


def is_inside(voxels, affine, image):
    """Return which voxels of another grid have their centre within an image."""
    places = places_in(voxels, affine, image)
    return ((places >= 0) & (places < image.shape[:3])).all(axis=1)


def on_grid(img, image):
    """Return a volume's numbers on the grid of a run, by nearest neighbours."""
    if not same_grid(img, image):
        img = resample_img(
            img,
            target_affine=image.affine,
            target_shape=image.shape[:3],
            interpolation="nearest",
            force_resample=True,
            copy_header=True,
        )
    return np.asarray(img.dataobj)


def mask_on_grid(mask_img, image):
    """Return a mask on the grid of a run, bool `(n_x, n_y, n_z)`, or None."""
    return None if mask_img is None else on_grid(mask_img, image) != 0


def vertices(img):
    """Return what a SurfaceImage has at each vertex, counted through its parts."""
    parts = [np.asarray(part) for part in img.data.parts.values()]
    return np.concatenate([part.reshape(len(part), -1) for part in parts])


def n_vertices(mesh):
    """Return the number of vertices of each part of a mesh."""
    return {name: part.n_vertices for name, part in mesh.parts.items()}


def parts_of_vertices(mesh):
    """Return the name of each vertex's part, counted through the parts."""
    sizes = n_vertices(mesh)
    return np.repeat(list(sizes), list(sizes.values()))


def check_vertices(mesh, other, where, name):
    """Raise ValueError unless two meshes have as many vertices in the same parts."""
    ours, theirs = n_vertices(mesh), n_vertices(other)
    if ours != theirs:
        raise ValueError(
            f"{where} has {_told(theirs)}, but {name} has {_told(ours)}. Both must be "
            "on the same mesh."
        )


def _told(sizes):
    """Return numbers of vertices in words."""
    return " and ".join(f"{n} {part} vertices" for part, n in sizes.items())


@dataclass(frozen=True)
class VolumeGrid:
    """The grid of a volume, where seeds are laid without any scans."""

    shape: tuple
    affine: np.ndarray

    def image_of(self, values):
        """Return values `(n_voxels, n_images)` as a 4D image."""
        return nibabel.Nifti1Image(values.reshape(*self.shape, -1), self.affine)


@dataclass(frozen=True)
class SurfaceGrid:
    """The mesh of a surface, where seeds are laid without any scans."""

    mesh: Any

    @property
    def shape(self):
        """Number of vertices of all parts, in a tuple."""
        return (sum(n_vertices(self.mesh).values()),)

    def image_of(self, values):
        """Return values `(n_vertices, n_images)` as a SurfaceImage."""
        ends = np.cumsum(list(n_vertices(self.mesh).values()))
        pieces = np.split(values, ends[:-1])
        return SurfaceImage(self.mesh, dict(zip(self.mesh.parts, pieces, strict=True)))

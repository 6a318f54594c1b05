"""What a page needs to show maps in NiiVue, which comes with nilearn."""

import base64
import gzip
from functools import partial

import nibabel
import nilearn
import numpy as np
from nibabel.gifti import GiftiDataArray, GiftiImage
from nilearn.image import resample_to_img

from .backgrounds import greys
from .images import SURFACE, VOLUME, hemispheres, volume_data
from .niivue import NEEDED, niivue_script

GRAINS = ((0.001, 1), (0.005, 1), (0.02, 1), (0.02, 2), (0.02, 3))
"""Step of Fisher z, and side in voxels of the blocks over which maps are averaged.

The finest is taken with which maps fit into `MOST_BYTES`; surfaces have no blocks.
"""

MOST_BYTES = 1_200_000
"""How long maps and background may become as text, in voxels and on cortex each."""

TRIED = 5
"""How many maps tell how long all will become."""

BACKGROUND_MM = 2
"""Voxel size of the template under the maps."""

FAINT = 20
"""The grey, of 255, below which nothing is seen of what lies under maps."""

PLAIN_GREY = 190
"""Of what is mapped, where nothing else lies under maps."""

MESH_CURE = (
    "CIFTI files hold no mesh of the cortex: with mesh=PolyMesh(left=..., right=...) "
    "of the seeds or the brain masker the viewer shows it, too."
)

NO_IMAGE = "The maps of this brain masker are not images, so there is no viewer."


def viewer_parts(maps, positions, background):
    """Return what the viewer shows, as texts.

    Parameters
    ----------
    maps : Maps
    positions : list of int
        Of the seeds whose maps it shows.
    background : image or None
        What is under the maps in a volume.

    Returns
    -------
    parts : dict
        volume, surface : dict
            Those that there are, each with:
            step : float
                What 1 in a map stands for.
            block : int
                Over blocks of so many voxels in each direction maps are averaged.
            maps : list of str
                Each a gzipped NIfTI file in base64, or the int16 values of all
                vertices.
            background : str
                Of a volume.
            meshes : list of dict of str
                Of a surface: the name of each hemisphere, and its mesh.
        note : str
            What there is to say beside, or empty.
        why : str
            Instead of all these where there is no viewer.
    """
    if maps.kind is None:
        return {"why": NO_IMAGE}
    if niivue_script() is None:
        return {
            "why": f"Maps can be looked at from all sides with nilearn {NEEDED} "
            f"or newer; this report was made with nilearn {nilearn.__version__}."
        }
    images = [maps.parts(position) for position in positions]
    if not images[0]:
        return {"why": MESH_CURE}
    parts = {"note": MESH_CURE if maps.lacks_mesh else ""}
    if SURFACE in images[0]:
        parts["surface"] = _of_surface([image[SURFACE] for image in images])
    if VOLUME in images[0]:
        voxels = [image[VOLUME] for image in images]
        is_whole = maps.kind == VOLUME
        parts["volume"] = _of_volume(voxels, background, is_whole=is_whole)
    return parts


def _text(content):
    """Return bytes as text, gzipped; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()


def _texts(data, as_text, grains, room):
    """Return maps as texts, as fine as there is room for."""
    for step, block in grains:
        tried = [as_text(values, step, block) for values in data[:TRIED]]
        if sum(map(len, tried)) * len(data) / len(tried) <= room:
            break
    rest = [as_text(values, step, block) for values in data[TRIED:]]
    return {"step": step, "block": block, "maps": tried + rest}


def _whole_steps(values, step):
    """Return values in whole steps as int16."""
    steps = np.rint(np.asarray(values, np.float64) / step)
    return steps.clip(-32767, 32767).astype("<i2")


# Volumes


def _of_volume(images, background, *, is_whole):
    """Return the parts of a viewer of volumes.

    Where maps are not of the whole brain, all of the background lies under them.
    """
    affine, data = _cropped(images)
    under = _background(background, affine, data, is_whole)
    as_text = partial(_volume_text, affine)
    maps = _texts(data, as_text, GRAINS, MOST_BYTES - len(under))
    return {**maps, "background": under}


def _cropped(images):
    """Return affine and data of maps, without the empty voxels around them."""
    data = [volume_data(image) for image in images]
    places = np.argwhere(np.any([volume != 0 for volume in data], axis=0))
    if not len(places):
        places = np.array([[0, 0, 0]])
    low, high = places.min(axis=0), places.max(axis=0) + 1
    affine = images[0].affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    box = tuple(slice(*ends) for ends in zip(low, high, strict=True))
    return affine, [volume[box] for volume in data]


def _volume_text(affine, volume, step, block):
    """Return one map as text, averaged over blocks of voxels that are not empty."""
    if block > 1:
        volume, affine = _means_of_blocks(volume, affine, block)
    image = nibabel.Nifti1Image(_whole_steps(volume, step), affine)
    image.header.set_slope_inter(step, 0)
    image.header.set_xyzt_units("mm")
    return _text(image.to_bytes())


def _means_of_blocks(volume, affine, block):
    """Return means over blocks, zeros left out, and the affine of the blocks."""
    padding = [(0, -size % block) for size in volume.shape]
    padded = np.pad(np.asarray(volume, np.float64), padding)
    blocks = padded.reshape([n for s in padded.shape for n in (s // block, block)])
    n_inside = np.count_nonzero(blocks, axis=(1, 3, 5))
    coarse = affine.copy()
    coarse[:3, :3] *= block
    coarse[:3, 3] += affine[:3, :3] @ np.full(3, (block - 1) / 2)
    return blocks.sum(axis=(1, 3, 5)) / np.maximum(n_inside, 1), coarse


def _background(image, affine, data, is_whole):
    """Return as text what lies under maps, in 256 greys, of which 0 is nothing.

    An image, or the part of it around maps; without one, what is mapped in one grey.
    """
    if image is None:
        mapped = np.any([volume != 0 for volume in data], axis=0)
        levels = PLAIN_GREY * mapped.astype(np.uint8)
        return _text(nibabel.Nifti1Image(levels, affine).to_bytes())
    target = _grid_around(affine, data[0].shape)
    if not is_whole:
        is_seen = (greys(volume_data(image)) >= FAINT).astype(np.uint8)
        around, (inside,) = _cropped([nibabel.Nifti1Image(is_seen, image.affine)])
        target = _grid_around(around, inside.shape)
    options = {"copy_header": True, "force_resample": True}
    # Not nilearn's "continuous", which rings where a run ends in zeros.
    there = resample_to_img(image, target, "linear", **options)
    levels = greys(volume_data(there).astype(np.float32))
    return _text(nibabel.Nifti1Image(levels, target.affine).to_bytes())


def _grid_around(affine, shape):
    """Return an empty image that spans a grid, and a voxel of it more on each side."""
    ends = [(-1, size) for size in shape]
    corners = np.array(np.meshgrid(*ends)).reshape(3, -1)
    places = affine[:3, :3] @ corners + affine[:3, 3:]
    low = np.floor(places.min(axis=1) / BACKGROUND_MM) * BACKGROUND_MM
    size = np.ceil((places.max(axis=1) - low) / BACKGROUND_MM).astype(int) + 1
    grid = np.diag([BACKGROUND_MM] * 3 + [1.0])
    grid[:3, 3] = low
    return nibabel.Nifti1Image(np.zeros(size, np.uint8), grid)


# Surfaces


def _of_surface(images):
    """Return the parts of a viewer of surfaces."""
    data = [np.concatenate([v for _, v, _ in hemispheres(image)]) for image in images]
    grains = [grain for grain in GRAINS if grain[1] == 1]
    meshes = [
        {"name": name, "mesh": _mesh_text(mesh)}
        for name, mesh in images[0].mesh.parts.items()
    ]
    return {**_texts(data, _vertices_text, grains, MOST_BYTES), "meshes": meshes}


def _vertices_text(values, step, block):
    """Return the values of all vertices as text."""
    return _text(_whole_steps(values, step).tobytes())


def _mesh_text(mesh):
    """Return a mesh as text: a GIFTI file, which is gzipped inside."""
    coordinates = np.asarray(mesh.coordinates, np.float32)
    faces = np.asarray(mesh.faces, np.int32)
    arrays = [
        GiftiDataArray(coordinates, "NIFTI_INTENT_POINTSET"),
        GiftiDataArray(faces, "NIFTI_INTENT_TRIANGLE"),
    ]
    return base64.b64encode(GiftiImage(darrays=arrays).to_bytes()).decode()

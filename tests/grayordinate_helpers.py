"""One simulated acquisition as grayordinates, on a surface, and in a volume."""

import io
import struct
from types import SimpleNamespace

import nibabel as nib
import numpy as np
from nibabel.cifti2 import (
    LabelAxis,
    ParcelsAxis,
    ScalarAxis,
)
from nilearn.signal import clean
from nilearn.surface import SurfaceImage

from sbc_estimators.datasets import make_grayordinate_runs

CORTEX = {
    "left": "CIFTI_STRUCTURE_CORTEX_LEFT",
    "right": "CIFTI_STRUCTURE_CORTEX_RIGHT",
}


def simulated_acquisition(n_scans=90, random_state=0, **options):
    """Return one run in the three forms that it may have, and its parts."""
    data = make_grayordinate_runs(
        1, n_scans, 200, 150, random_state=random_state, **options
    )
    run = data.runs[0]
    axis = run.img.header.get_axis(1)
    return SimpleNamespace(
        run=run,
        img=run.img,
        axis=axis,
        mesh=data.mesh,
        seeds=data.seeds,
        correlations=data.correlations,
        matrix=np.asarray(run.img.dataobj, dtype=float),
        confounds=run.confounds,
        t_r=2.0,
        n_scans=n_scans,
        volume_img=volume_of(run.img, axis),
        surface_img=surface_of(run.img, axis, data.mesh),
        is_voxel=axis.volume_mask,
    )


def runs_with_spheres(n_runs, n_scans, **options):
    """Return simulated runs in two groups, and places of seeds in voxels alone.

    For tests of what holds for runs of any kind: their estimator is `make_sbc(data)`.
    """
    options = {"n_vertices": 100, "n_voxels": 400, "random_state": 0, **options}
    data = make_grayordinate_runs(n_runs, n_scans, **options)
    data.seeds = [seed for seed in data.seeds if not isinstance(seed, int)]
    data.y = np.arange(n_runs) % 2
    return data


def r_of_grayordinates(run, xyz, radius, **cleaning):
    """Return r of a sphere with all grayordinates, of signals that nilearn cleans."""
    axis = run.img.header.get_axis(1)
    matrix = np.asarray(run.img.dataobj, dtype=np.float64)
    points = nib.affines.apply_affine(axis.affine, axis.voxel)
    inside = axis.volume_mask & (np.linalg.norm(points - xyz, axis=1) <= radius)
    both = np.column_stack([matrix[:, inside].mean(axis=1), matrix])
    cleaned = clean(both, confounds=run.confounds, standardize=None, **cleaning)
    return np.corrcoef(cleaned, rowvar=False)[0, 1:]


def volume_of(img, axis):
    """Return the voxels of a CIFTI image as a volume that is 0 elsewhere."""
    mask = axis.volume_mask
    data = np.zeros((*axis.volume_shape, img.shape[0]))
    data[tuple(axis.voxel[mask].T)] = np.asarray(img.dataobj)[:, mask].T
    return nib.Nifti1Image(data, axis.affine)


def surface_of(img, axis, mesh):
    """Return the cortex of a CIFTI image as a SurfaceImage that is 0 elsewhere."""
    parts = {}
    for side, name in CORTEX.items():
        own = axis.name == name
        parts[side] = np.zeros((axis.nvertices[name], img.shape[0]))
        parts[side][axis.vertex[own]] = np.asarray(img.dataobj)[:, own].T
    return SurfaceImage(mesh, parts)


def column_of(axis, side, vertex):
    """Return the column of a vertex."""
    return int(np.flatnonzero((axis.name == CORTEX[side]) & (axis.vertex == vertex))[0])


def medial_wall(axis, side="left"):
    """Return the vertices of a hemisphere that are not in the file."""
    name = CORTEX[side]
    return np.setdiff1d(np.arange(axis.nvertices[name]), axis.vertex[axis.name == name])


# Files


def of_axes(*axes, data=None, dtype="f4"):
    """Return a CIFTI image of some axes."""
    shape = tuple(map(len, axes))
    data = np.ones(shape, dtype) if data is None else data
    return nib.Cifti2Image(data, axes)


def labels_of(axis, codes, names):
    """Return a dlabel image of the codes of grayordinates."""
    table = {0: ("???", (0, 0, 0, 0))}
    table |= {key: (name, (1, 0, 0, 1)) for key, name in names.items()}
    codes = np.asarray(codes, "f4")[np.newaxis]
    return of_axes(LabelAxis(["atlas"], [table]), axis, data=codes)


def maps_of(axis, maps):
    """Return a dscalar image of maps."""
    maps = np.atleast_2d(np.asarray(maps, "f4"))
    names = [f"map {i}" for i in range(len(maps))]
    return of_axes(ScalarAxis(names), axis, data=maps)


def parcels_of(axis):
    """Return an axis of two parcels."""
    cortex, voxels = axis[axis.surface_mask], axis[axis.volume_mask]
    return ParcelsAxis.from_brain_models([("visual", cortex), ("deep", voxels)])


def save(img, path):
    """Write a copy of an image, and return its path as text."""
    nib.Cifti2Image(img.dataobj, img.header, img.nifti_header).to_filename(path)
    return str(path)


def save_as(img, path, dtype):
    """Write an image in a type, and byte order, of numbers; and return its path.

    nibabel writes CIFTI files in the machine's own byte order alone.
    """
    own = np.dtype(dtype)
    copy = nib.Cifti2Image(np.asarray(img.dataobj), img.header)
    native = own.newbyteorder("=")
    copy.to_filename(path, dtype=native)
    if own == native:
        return str(path)
    content = path.read_bytes()
    header = nib.Nifti2Header.from_fileobj(io.BytesIO(content), check=False)
    start = int(header.get_data_offset())
    header = header.as_byteswapped(own.byteorder)
    extension = struct.unpack("<2i", content[544:552])
    numbers = np.frombuffer(content[start:], native).astype(own)
    path.write_bytes(
        header.binaryblock
        + content[540:544]
        + struct.pack(">2i", *extension)
        + content[552:start]
        + numbers.tobytes()
    )
    return str(path)


def with_header(img, old, new):
    """Return an image whose XML has another text somewhere."""
    xml = img.header.to_xml().decode()
    assert old in xml
    parser = nib.cifti2.parse_cifti2.Cifti2Parser()
    parser.parse(xml.replace(old, new).encode())
    return nib.Cifti2Image(img.dataobj, parser.header, img.nifti_header)

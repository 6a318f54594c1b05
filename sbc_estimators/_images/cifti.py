"""CIFTI: the scans of grayordinates, read some grayordinates at a time.

A file holds the whole time series of one grayordinate, then that of the next.
"""

from functools import cached_property

import numpy as np
from nilearn.signal import high_variance_confounds
from scipy import signal

from .._support.digests import digest
from .._support.messages import some_of
from .grayordinates import GrayordinateGrid
from .grids import Still, VolumeGrid
from .scans import SECONDS_PER_UNIT, Block, Scans, finite
from .structures import Structure
from .volume import (
    check_whole,
    files_of,
    fingerprint_of,
    is_plain_file,
    reading,
    scaling_of,
    without_missing,
)

SLAB_BYTES, MAX_SLAB = 2**22, 1024
"""Of the time series that are worked on at a time: raw bytes, and how many."""

SCANS, BRAIN, MAPS, LABELS, PARCELS = (
    f"CIFTI_INDEX_TYPE_{name}"
    for name in ("SERIES", "BRAIN_MODELS", "SCALARS", "LABELS", "PARCELS")
)
"""What CIFTI calls the axes of a matrix."""

UNITS = {"SECOND": "sec"}
"""CIFTI's units of a series that are times, as NIfTI calls them."""

UNLABELLED = "???"
"""What Workbench calls the label of what is in no region."""

MILLIMETRE = -3
"""The power of ten of a metre that coordinates are in."""

WHAT_IT_IS = {
    (MAPS, BRAIN): (
        ".dscalar.nii: {0} maps ({2}), and no scans",
        "Pass the .dtseries.nii of the acquisition.",
    ),
    (LABELS, BRAIN): (
        ".dlabel.nii: an atlas of labels ({2}), and no scans",
        "Pass it to RegionSeeds, and the .dtseries.nii as the run.",
    ),
    (BRAIN, BRAIN): (
        ".dconn.nii: correlations of {1} grayordinates with each other, and no scans",
        "Pass the .dtseries.nii that it was made of.",
    ),
    (SCANS, PARCELS): (
        ".ptseries.nii: mean signals of {1} parcels ({3}), and no map of the brain",
        "Pass the .dtseries.nii as the run, and the parcellation's .dlabel.nii to "
        "RegionSeeds.",
    ),
}
"""The words for files that are no runs, and the cure, by the types of their axes."""


class CiftiScans(Scans):
    """The scans, or maps, of a Cifti2Image.

    Parameters
    ----------
    image : Cifti2Image

    Attributes
    ----------
    are_maps : bool
        Whether the image holds maps rather than scans over time.
    time_step : tuple of float and str
        The step of the series axis, and its unit.

    Raises
    ------
    ValueError
        If it does not hold numbers of grayordinates.
    OSError
        If a file is shorter than its header says.
    """

    is_t_r_sure = True
    doubts = ()

    marks = ("dataobj", "nifti_header")

    @staticmethod
    def check_run(image):
        """Raise ValueError unless an image holds scans of grayordinates."""
        types = axes_of(image)
        if types != (SCANS, BRAIN):
            what = _what_it_is(image)
            raise ValueError(f"a run must be a .dtseries.nii, got a {what}")
        step, unit = time_step_of(image)
        if unit not in SECONDS_PER_UNIT:
            raise ValueError(
                f"the scans of the .dtseries.nii are {step:g} {unit} apart: they are "
                "no time series. Write the repetition time to it in seconds."
            )

    @classmethod
    def still(cls, image, missing):
        """Return the `Still` of an image of one map, or of several."""
        grid = cls(image).grid
        with reading():
            data = np.asarray(image.dataobj)
        values = without_missing(data, missing).T
        values = values[:, 0] if values.shape[1] == 1 else values
        return Still(grid, values, names=_names_of_labels(image))

    @classmethod
    def as_maps(cls, image, names):
        """Return an image of maps in float32, each with its name."""
        data = np.asarray(image.dataobj, dtype=np.float32)
        return cls(image).grid.image_of(data.T, names)

    def __init__(self, image):
        # The image is let go: its header takes ten times as much as what it tells.
        self.dataobj, self.files = image.dataobj, files_of(image)
        check_whole(self.dataobj)
        self.shape = tuple(image.shape)
        types = axes_of(image)
        if types[1:] != (BRAIN,):
            raise ValueError(f"the image is {_what_it_is(image)}")
        self.n_scans, self.are_maps = self.shape[0], types[0] != SCANS
        self.time_step = time_step_of(image)
        self.grid = _grid_of_map(image.header.matrix.get_index_map(1))
        if self.grid.n_positions != self.shape[1]:
            raise ValueError(
                f"the header tells of {self.grid.n_positions} grayordinates, but the "
                f"image has {self.shape[1]}. The file is damaged: write it anew."
            )

    @cached_property
    def scaling(self):
        """What `take` leaves to be done."""
        return scaling_of(self.dataobj)

    @cached_property
    def fingerprint(self):
        """A text that changes when the content does, as of a volume."""
        if not self.files:
            scans = list(map(digest, np.asarray(self.dataobj)))
            return digest(scans, self.grid.key, self.t_r)
        return fingerprint_of(self.files, self.dataobj, self.grid)

    def blocks(self, kept):
        """Yield all scans as one block, whose series are read when they are taken."""
        yield Block(self._reader(), kept, slice(0, len(kept)))

    def _reader(self):
        """Return what gives the time series of grayordinates ``start`` to ``stop``."""
        if is_plain_file(self.dataobj):
            return self._mapped
        with reading():
            data = np.asarray(self.dataobj)
        return lambda start, stop: data[:, start:stop].T

    def _mapped(self, start, stop):
        """Return the time series of a file, mapped into memory until let go."""
        own, n_scans = self.dataobj, self.n_scans
        offset = own.offset + start * n_scans * own.dtype.itemsize
        shape = stop - start, n_scans
        with reading():
            return np.memmap(own.file_like, own.dtype, "r", offset, shape)

    def slabs(self, positions):
        """Return positions cut into pieces, not too many at a time."""
        row_bytes = max(1, self.n_scans * np.dtype(self.dataobj.dtype).itemsize)
        step = int(np.clip(SLAB_BYTES // row_bytes, 1, MAX_SLAB))
        firsts = range(0, len(positions), step)
        places = [np.arange(i, min(i + step, len(positions))) for i in firsts]
        return [(positions[own], own) for own in places]

    def take(self, block, slab):
        """Return the kept numbers of a slab in a block, unscaled."""
        first, stop = int(slab[0]), int(slab[-1]) + 1
        numbers = block.numbers(first, stop)
        if len(slab) < stop - first:
            numbers = numbers[slab - first]
        is_all = len(block.rows) == self.n_scans
        return (numbers if is_all else numbers[:, block.rows]).T

    def high_variance_confounds(self, kept):
        """Return nilearn's confounds of high variance, without all series in memory.

        It takes the time series of the largest mean square once detrended, and their
        first principal components.
        """
        positions = np.arange(self.grid.n_positions)
        squares = np.empty(len(positions))
        for block in self.blocks(kept):
            for slab, places in self.slabs(positions):
                own, _ = finite(self.take(block, slab).T.astype(np.float64))
                squares[places] = (signal.detrend(own) ** 2).mean(axis=1)
        highest = np.flatnonzero(squares > np.nanpercentile(squares, 98.0))
        # nilearn leaves out the lowest at the least: one of zeros.
        series = np.column_stack([self.series(highest, kept), np.zeros(len(kept))])
        return high_variance_confounds(series, percentile=100.0)


def axes_of(image):
    """Return the types of the axes of a CIFTI image."""
    matrix = image.header.matrix
    return tuple(
        matrix.get_index_map(i).indices_map_to_data_type for i in range(image.ndim)
    )


def time_step_of(image):
    """Return the step of a CIFTI image's series axis, and its unit."""
    axis = image.header.matrix.get_index_map(0)
    if axis.indices_map_to_data_type != SCANS:
        return 0.0, "that of maps"
    step, power = float(axis.series_step), int(axis.series_exponent or 0)
    # As division, for 700 * 10**-3 is not 0.7 to the last bit.
    step = step * 10**power if power >= 0 else step / 10**-power
    return step, UNITS.get(axis.series_unit, str(axis.series_unit).lower())


def _what_it_is(image):
    """Return the words for a CIFTI image that is no run, and the cure."""
    types = axes_of(image)
    short = " x ".join(name.rpartition("TYPE_")[2].lower() for name in types)
    other = f"CIFTI image of {short}", "Pass the .dtseries.nii of the acquisition."
    what, cure = WHAT_IT_IS.get(types, other)
    matrix = image.header.matrix
    names = []
    for axis in range(2):
        index_map = matrix.get_index_map(axis)
        own = [*index_map.named_maps, *index_map.parcels]
        named = [getattr(item, "map_name", None) or item.name for item in own]
        names.append(some_of([repr(str(name)) for name in named], 3))
    return f"{what.format(*image.shape[:2], *names)}. {cure}"


def _names_of_labels(image):
    """Return the names in the label table of the only map, None where there is none."""
    axis = image.header.matrix.get_index_map(0)
    if axis.indices_map_to_data_type != LABELS or image.shape[0] > 1:
        return None
    (own,) = axis.named_maps
    names = {int(key): label.label for key, label in own.label_table.items()}
    return {key: name for key, name in names.items() if name != UNLABELLED}


def _grid_of_map(index_map):
    """Return the grid of an axis of brain models."""
    structures, volume = [], None
    for model in sorted(index_map.brain_models, key=lambda own: own.index_offset):
        name, start = str(model.brain_structure), int(model.index_offset)
        if model.model_type == "CIFTI_MODEL_TYPE_SURFACE":
            vertices = np.array(list(model.vertex_indices), dtype=np.intp)
            n_vertices = int(model.surface_number_of_vertices)
            structures.append(Structure(name, start, vertices, n_vertices))
        else:
            voxels = np.array(list(model.voxel_indices_ijk), dtype=np.intp)
            structures.append(Structure(name, start, voxels.reshape(-1, 3)))
    if any(not own.is_surface for own in structures):
        space = index_map.volume
        matrix = space.transformation_matrix_voxel_indices_ijk_to_xyz
        affine = np.array(matrix.matrix, dtype=np.float64)
        affine[:3] *= 10.0 ** (matrix.meter_exponent - MILLIMETRE)
        volume = VolumeGrid(tuple(map(int, space.volume_dimensions)), affine)
    return GrayordinateGrid(tuple(structures), volume)

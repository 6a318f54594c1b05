"""What images, files and tables are in annotations, for editors and type checkers."""

import os
from typing import Any, TypeAlias

import nibabel
import pandas as pd
from nibabel import Cifti2Image
from nibabel.spatialimages import SpatialImage
from nilearn.surface import SurfaceImage
from numpy.typing import ArrayLike

from .grayordinates import GrayordinateGrid
from .grids import VolumeGrid
from .meshes import SurfaceGrid

PathLike: TypeAlias = str | os.PathLike[str]
"""A file or a folder."""

ImageLike: TypeAlias = PathLike | SpatialImage | SurfaceImage | Cifti2Image
"""An image, or its file."""

Grid: TypeAlias = VolumeGrid | SurfaceGrid | GrayordinateGrid
"""Where the positions of an image lie."""

Image: TypeAlias = nibabel.Nifti1Image | Any
"""An image that is returned: of a run on a surface, a SurfaceImage; of CIFTI, that."""

TableLike: TypeAlias = ArrayLike | pd.DataFrame | PathLike
"""A table of numbers, or its file."""

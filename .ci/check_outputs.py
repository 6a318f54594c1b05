"""Check what the README's first command wrote: ``check_outputs.py FOLDER``."""

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

HEADERS = {".png": b"\x89PNG\r\n\x1a\n", ".pdf": b"%PDF-"}
FIELDS = {
    "func",
    "confounds",
    "seeds",
    "parameters",
    "versions",
    "n_kept_scans",
    "effective_dof",
}


def main(folder):
    """Raise an error where a file is missing or not what it should be."""
    img = nib.load(folder / "sbc_z.nii.gz")
    z = img.get_fdata()
    expect(img.shape == (33, 39, 31), f"one map on the sample's grid, got {img.shape}")
    expect(np.isfinite(z).all(), "z is finite")
    expect(np.count_nonzero(z) > 10000, "the map covers the brain")
    default_mode = z[voxel(img, (0, 52, -6))] - z[voxel(img, (-36, -22, 56))]
    expect(default_mode > 0.3, "prefrontal cortex is above motor cortex")
    for stem in ("sbc_z", "seed_signals"):
        for suffix, header in HEADERS.items():
            content = (folder / f"{stem}{suffix}").read_bytes()
            expect(content.startswith(header), f"{stem}{suffix} is what its name says")
            expect(len(content) > 5000, f"{stem}{suffix} shows something")
    table = pd.read_csv(folder / "seed_signals.tsv", sep="\t")
    expect(len(table) == 200, f"one row per scan, got {len(table)}")
    sidecar = json.loads((folder / "sbc_z.json").read_text("utf-8"))
    expect(sidecar.keys() >= FIELDS, f"a sidecar with {sorted(FIELDS)}")
    expect(sidecar["n_kept_scans"] == 200, "all scans are kept")
    print(f"{folder.name}: {len(list(folder.iterdir()))} files, as they should be")


def voxel(img, point):
    """Return the indices of the voxel at a point in mm."""
    indices = nib.affines.apply_affine(np.linalg.inv(img.affine), point)
    return tuple(np.rint(indices).astype(int))


def expect(is_true, what):
    """Exit with a message unless something is true."""
    if not is_true:
        sys.exit(f"expected: {what}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

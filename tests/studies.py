"""A study in a folder as fMRIPrep writes it, small enough to be mapped in a second."""

import json
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from sbc_estimators.datasets import make_runs

N_SCANS = 40
SPACE = "space-MNI152NLin2009cAsym"
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


@dataclass(frozen=True)
class Folder:
    """What `write_study` wrote.

    Attributes
    ----------
    path : Path
    data : Bunch
        From `make_runs`.
    """

    path: Path
    data: object

    def func(self, sub, run):
        """Return the image of a run."""
        name = f"sub-{sub}_task-rest_run-{run}_{SPACE}_desc-preproc_bold.nii.gz"
        return self.path / f"sub-{sub}" / "func" / name

    def table(self, sub, run):
        """Return the table of confounds of a run."""
        name = f"sub-{sub}_task-rest_run-{run}_desc-confounds_timeseries.tsv"
        return self.path / f"sub-{sub}" / "func" / name


def write_study(path, people, n_runs=2):
    """Write runs as fMRIPrep does, and return the `Folder`."""
    data = make_runs(
        len(people) * n_runs, N_SCANS, 200, 2, dtype="int16", random_state=0
    )
    study, rng = Folder(path, data), np.random.default_rng(0)
    names = [(sub, run) for sub in people for run in range(1, n_runs + 1)]
    for (sub, number), run in zip(names, data.runs, strict=True):
        func = study.func(sub, number)
        func.parent.mkdir(parents=True, exist_ok=True)
        nib.save(run.img, func)
        mask = func.name.replace("desc-preproc_bold", "desc-brain_mask")
        nib.save(data.mask_img, func.with_name(mask))
        sidecar = func.name.replace(".nii.gz", ".json")
        func.with_name(sidecar).write_text(json.dumps({"RepetitionTime": 2.0}))
        motion = pd.DataFrame(rng.normal(size=(N_SCANS, 6)), columns=MOTION)
        table = motion.join(motion.diff().add_suffix("_derivative1"))
        table[["csf", "white_matter"]] = run.confounds.to_numpy()
        table["framewise_displacement"] = np.r_[np.nan, np.zeros(N_SCANS - 1)]
        table["cosine00"] = np.cos(np.pi * (np.arange(N_SCANS) + 0.5) / N_SCANS)
        table.to_csv(study.table(sub, number), sep="\t", index=False, na_rep="n/a")
        study.table(sub, number).with_suffix(".json").write_text("{}")
    return study

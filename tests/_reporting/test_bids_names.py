"""What the names of maps say of seeds and grids; no map takes the place of another."""

import json

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from helpers import tree
from sbc_estimators import Run, SeedCorrelationMap, save_to_bids
from sbc_estimators.__main__ import main
from sbc_estimators._reporting.bids_names import places_of
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import SphereSeeds


def labels_of(names):
    """Return the labels of seeds."""
    run = Run("sub-01_task-rest_bold.nii.gz")
    ((*places,),) = places_of([run], [run], names)
    return [place.entities["seed"] for place in places]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("(-8, 12, 0)", "xm8y12z0"),
        ("(8, 12, 0)", "x8y12z0"),
        ("(81, 2, 0)", "x81y2z0"),
        ("(0, -52.5, 18)", "x0ym52p5z18"),
        ("(0, -5.25, 18)", "x0ym5p25z18"),
        ("(-8, 12, 0) + (8, 12, 0)", "xm8y12z0x8y12z0"),
        ("(8, 12, 0) (2)", "x8y12z0n2"),
        ("PCC (-8, 12, 0)", "PCC8120"),
        ("L IPS", "LIPS"),
        ("left 3", "left3"),
    ],
)
def test_labels(name, label):
    assert labels_of([name]) == [label]


def test_labels_of_default_names_differ():
    seeds = [(8, 12, 0), (-8, 12, 0), (8, 12, 0), (4.1, 2, 0), (41, 2, 0), (0, 4, 12)]
    masker = SphereSeeds(seeds, radius=1, allow_overlap=True)
    data = make_runs(n_runs=1, n_scans=10, random_state=0)
    names = masker.fit(data.runs[0].img).seed_names_
    labels = labels_of(names)
    assert len(set(labels)) == len(seeds)
    assert all(label.isalnum() and label.isascii() for label in labels)


# Two seeds of one label


@pytest.fixture(scope="module")
def data():
    """One run, and its mask."""
    return make_runs(n_runs=1, n_scans=40, random_state=0)


@pytest.fixture
def run(data, tmp_path):
    """The run in a file."""
    path = tmp_path / "sub-01_task-rest_space-MNI_res-2_bold.nii.gz"
    nib.save(data.runs[0].img, path)
    return Run(path, t_r=2.0)


def fitted(data, run, place, names=None, mask=None):
    """Return an estimator of one seed, fitted to a run."""
    seeds = SphereSeeds([place], radius=5, names=names)
    return SeedCorrelationMap(seeds, NiftiMasker(mask or data.mask_img)).fit(run)


def test_maps_on_both_sides_are_two_files(data, run, tmp_path):
    files = []
    for x in (-8, 8):
        sbc = fitted(data, run, (x, data.seeds[0][1], data.seeds[0][2]))
        files += save_to_bids(sbc, run, tmp_path / "maps")
    first, second = (nib.load(path).get_fdata() for path in files)
    assert files[0] != files[1]
    assert not np.array_equal(first, second)


def test_a_map_of_another_seed_is_not_replaced(data, run, tmp_path):
    out = tmp_path / "maps"
    save_to_bids(fitted(data, run, data.seeds[0], ["L-IPS"]), run, out)
    before = tree(out)
    other = fitted(data, run, data.seeds[1], ["L IPS"])
    with pytest.raises(ValueError, match=r"seed 'L-IPS'.*seed 'L IPS'.*folder"):
        save_to_bids(other, run, out)
    assert tree(out) == before


def test_a_seed_that_was_moved_is_replaced(data, run, tmp_path):
    out = tmp_path / "maps"
    (path,) = save_to_bids(fitted(data, run, data.seeds[0], ["PCC"]), run, out)
    before = path.read_bytes()
    save_to_bids(fitted(data, run, data.seeds[1], ["PCC"]), run, out)
    assert path.read_bytes() != before


@pytest.mark.parametrize("text", ["[]", "{}", '"Seed"', '{"Files": null}'])
def test_sidecars_of_others_are_none_of_ours(data, run, tmp_path, text):
    out = tmp_path / "maps"
    sbc = fitted(data, run, data.seeds[0], ["PCC"])
    (path,) = save_to_bids(sbc, run, out)
    sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
    before = tree(out)
    sidecar.write_text(text, encoding="utf-8")
    save_to_bids(sbc, run, out)
    assert tree(out) == before


def test_the_command_replaces_none_either(data, run, tmp_path, capsys):
    mask, out = tmp_path / "mask.nii.gz", tmp_path / "maps"
    nib.save(data.mask_img, mask)
    given = ["--mask", str(mask), "--t-r", "2", "--band", "0", "inf", "--out", str(out)]
    for name, place in zip(("L-IPS", "L IPS"), data.seeds, strict=False):
        seed = ["--seed", name, *map(str, place)]
        code = main([str(run.img), *seed, *given])
        assert code == (0 if name == "L-IPS" else 2), capsys.readouterr()
    assert "seed 'L-IPS'" in capsys.readouterr().err
    (sidecar,) = out.rglob("*_statmap.json")
    assert json.loads(sidecar.read_text("utf-8"))["Seed"] == "L-IPS"


# Resolution


def coarser(mask_img):
    """Return a mask of voxels twice as large."""
    values = np.asarray(mask_img.dataobj)[::2, ::2, ::2]
    affine = mask_img.affine @ np.diag([2, 2, 2, 1])
    return nib.Nifti1Image(values, affine)


def shifted(mask_img):
    """Return the same mask but for rounding."""
    affine = mask_img.affine.copy()
    affine[:3, 3] += 1e-5
    return nib.Nifti1Image(np.asarray(mask_img.dataobj), affine)


def resampled(data, run, mask):
    """Return an estimator whose maps are on the grid of a mask, fitted to a run."""
    return fitted(data, run, data.seeds[0], ["PCC"], mask)


@pytest.mark.filterwarnings("ignore:.*(signal|resampl)")
def test_the_resolution_of_another_grid_is_not_told(data, run, tmp_path):
    sbc = resampled(data, run, coarser(data.mask_img))
    (path,) = save_to_bids(sbc, run, tmp_path / "maps")
    assert nib.load(path).shape != data.mask_img.shape
    expected = "sub-01_task-rest_space-MNI_seed-PCC_stat-effect_statmap"
    assert path.name == f"{expected}.nii.gz"
    assert [own.name for own in tmp_path.rglob("*statmap.json")] == [f"{expected}.json"]


def test_the_resolution_of_the_same_grid_is_told(data, run, tmp_path):
    sbc = resampled(data, run, shifted(data.mask_img))
    (path,) = save_to_bids(sbc, run, tmp_path / "maps")
    assert "_space-MNI_res-2_seed-PCC_" in path.name


@pytest.mark.filterwarnings("ignore:.*(signal|resampl)")
def test_two_resolutions_on_one_grid_would_be_one_name(data, run, tmp_path):
    other = run.img.with_name(run.img.name.replace("res-2", "res-1"))
    other.write_bytes(run.img.read_bytes())
    runs = [run, Run(other, t_r=2.0)]
    sbc = resampled(data, run, coarser(data.mask_img))
    with pytest.raises(ValueError, match="would get one name, 'sub-01_task-rest_space"):
        save_to_bids(sbc, runs, tmp_path / "maps")
    assert not (tmp_path / "maps").exists()
    sbc = resampled(data, run, data.mask_img)
    assert len(save_to_bids(sbc, runs, tmp_path / "maps")) == 2

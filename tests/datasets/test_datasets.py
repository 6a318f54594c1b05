"""The sample run is what it says, and simulated runs obey their stated truth."""

import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

import sbc_estimators
from sbc_estimators.datasets import load_sample_run, make_grayordinate_runs, make_runs
from sbc_estimators.datasets._simulation import BAND
from sbc_estimators.runs._run import Run

SMALL = {"n_runs": 2, "n_scans": 30, "n_voxels": 200, "random_state": 0}


def in_mask(data, i=0):
    """Return run i's signals, (n_scans, n_voxels), in the order of the mask."""
    img = data.runs[i].img
    img = nib.load(img) if isinstance(img, Path) else img
    return np.asarray(img.dataobj)[data.mask_img.get_fdata() > 0].T.astype(np.float64)


def seed_positions(data):
    """Return the positions of the seeds among the voxels of the mask."""
    to_voxel = np.linalg.inv(data.mask_img.affine)
    seeds = nib.affines.apply_affine(to_voxel, data.seeds)
    voxels = np.argwhere(data.mask_img.get_fdata() > 0)
    distances = np.linalg.norm(seeds[:, np.newaxis] - voxels, axis=2)
    np.testing.assert_allclose(distances.min(axis=1), 0, atol=1e-9)
    return distances.argmin(axis=1)


def sample_correlations(data, i, regress=True):
    """Return run i's correlations of the seeds with all voxels, by plain numpy."""
    signals = in_mask(data, i)
    confounds = np.ones((len(signals), 1))
    if regress and data.runs[i].confounds is not None:
        confounds = np.hstack([confounds, data.runs[i].confounds])
    weights = np.linalg.lstsq(confounds, signals, rcond=None)[0]
    signals = signals - confounds @ weights
    signals = signals - signals.mean(axis=0)
    signals /= np.linalg.norm(signals, axis=0)
    return signals[:, seed_positions(data)].T @ signals


def standard_errors(data, noise, n_scans, t_r):
    """Return the standard error of r, by Bartlett's formula for independent series.

    n var(r) is the sum over lags of both autocorrelations' product. Noise is white;
    signals fill a part b of the spectrum, so theirs sum to 1 / b. With h the fraction
    of signal in a voxel's variance: n var(r) = 1 + h_seed h_voxel (1 / b - 1). Where
    series correlate, var(r) is smaller.
    """
    signal = (data.networks**2).sum(axis=0)
    fraction = signal / (signal + noise**2)
    part = (BAND[1] - BAND[0]) * 2 * t_r
    seeds = fraction[seed_positions(data)][:, np.newaxis]
    return np.sqrt((1 + seeds * fraction * (1 / part - 1)) / n_scans)


# The sample run


@pytest.fixture(scope="module")
def sample():
    return load_sample_run()


def test_sample_image(sample):
    img, mask_img = nib.load(sample.func), nib.load(sample.mask_img)
    assert img.shape == (33, 39, 31, 200)
    assert img.get_data_dtype() == np.int16
    assert img.header.get_zooms()[3] == sample.t_r == 1.5
    np.testing.assert_array_equal(img.affine, mask_img.affine)
    data, brain = np.asarray(img.dataobj), mask_img.get_fdata() > 0
    assert not data[~brain].any()
    assert (data[brain].std(axis=1) > 0).all()


def test_sample_run_carries_its_confounds(sample):
    assert isinstance(sample.run, Run)
    assert sample.run.img == sample.func
    assert sample.run.t_r == 1.5
    assert sample.run.confounds.shape == (200, 8)
    assert list(sample.run.confounds)[:3] == ["white_matter", "csf", "trans_x"]
    assert np.isfinite(sample.run.confounds.to_numpy()).all()


def test_sample_columns_keep_their_order(sample):
    run = load_sample_run(columns=["rot_z", "global_signal"]).run
    table = pd.read_csv(sample.confounds_file, sep="\t")
    pd.testing.assert_frame_equal(run.confounds, table[["rot_z", "global_signal"]])


def test_sample_without_confounds():
    assert load_sample_run(columns=None).run.confounds is None


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["csf", "gsr"], "got 'gsr'. Choose from global_signal, white_matter"),
        ("csf", r"got 'csf'. Write columns=\['csf'\]"),
        ([], "or None for a run without confounds"),
    ],
)
def test_sample_bad_columns(columns, message):
    with pytest.raises(ValueError, match=message):
        load_sample_run(columns=columns)


def test_sample_ships_its_notice_and_licence(sample):
    folder = sample.func.parent
    notice = (folder / "NOTICE").read_text("utf-8")
    sentence = (
        "Derived from sub-RAPIDTIDETEST of rapidtide 2.0, Copyright Blaise Frederick, "
        "Apache License 2.0; resampled and scaled."
    )
    assert sentence in notice
    assert sentence in sample.description.replace("\n", " ")
    licence = (folder / "LICENSE-APACHE-2.0").read_text("utf-8")
    assert "Version 2.0, January 2004" in licence


def test_import_is_cheap():
    code = (
        "import sys, sbc_estimators.datasets; "
        "print({'nilearn', 'sklearn'} & set(sys.modules))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(sbc_estimators.__file__).parents[1],
        check=True,
        capture_output=True,
        text=True,
    )
    assert printed.stdout.strip() == "set()"


# Simulated runs: what they are


def test_runs_are_reproducible():
    first, second = make_runs(**SMALL), make_runs(**SMALL)
    for i in range(2):
        np.testing.assert_array_equal(in_mask(first, i), in_mask(second, i))
        pd.testing.assert_frame_equal(first.runs[i].confounds, second.runs[i].confounds)
    assert not np.array_equal(in_mask(first, 0), in_mask(first, 1))


def test_runs_do_not_depend_on_how_many_there_are():
    few, many = make_runs(**SMALL), make_runs(**{**SMALL, "n_runs": 5})
    np.testing.assert_array_equal(in_mask(few, 1), in_mask(many, 1))


def test_brain_and_truth_do_not_depend_on_random_state():
    first, second = make_runs(**SMALL), make_runs(**{**SMALL, "random_state": 1})
    assert first.seeds == second.seeds
    np.testing.assert_array_equal(first.correlations, second.correlations)
    assert not np.array_equal(in_mask(first), in_mask(second))


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_random_state_objects(make):
    generator = make(3)
    first = make_runs(**{**SMALL, "random_state": generator})
    again = make_runs(**{**SMALL, "random_state": make(3)})
    later = make_runs(**{**SMALL, "random_state": generator})
    np.testing.assert_array_equal(in_mask(first), in_mask(again))
    assert not np.array_equal(in_mask(first), in_mask(later))


def test_random_state_none_differs_each_time():
    first, second = (make_runs(**{**SMALL, "random_state": None}) for _ in range(2))
    assert not np.array_equal(in_mask(first), in_mask(second))


@pytest.mark.parametrize("n_voxels", [24, 200, 1001])
@pytest.mark.parametrize("shape", [None, (13, 15, 12)])
def test_brain_has_exactly_its_voxels_and_a_margin(n_voxels, shape):
    data = make_runs(1, 10, n_voxels, shape=shape, voxel_size=3.0, random_state=0)
    mask = data.mask_img.get_fdata()
    assert data.mask_img.get_data_dtype() == np.uint8
    assert mask.sum() == n_voxels
    assert mask[1:-1, 1:-1, 1:-1].sum() == n_voxels
    assert shape is None or mask.shape == shape
    img = data.runs[0].img
    assert img.shape == (*mask.shape, 10)
    assert not np.asarray(img.dataobj)[mask == 0].any()
    middle = nib.affines.apply_affine(img.affine, (np.array(mask.shape) - 1) / 2)
    np.testing.assert_allclose(middle, 0, atol=1e-12)


def test_brain_that_fills_its_grid():
    data = make_runs(1, 10, 3 * 4 * 5, shape=(5, 6, 7), random_state=0)
    assert data.mask_img.get_fdata()[1:-1, 1:-1, 1:-1].all()


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_image_header(dtype):
    data = make_runs(**SMALL, dtype=dtype, t_r=1.25, voxel_size=3.5)
    img = data.runs[0].img
    assert img.get_data_dtype() == np.asarray(img.dataobj).dtype == dtype
    np.testing.assert_allclose(img.header.get_zooms(), (3.5, 3.5, 3.5, 1.25))
    assert img.header.get_xyzt_units() == ("mm", "sec")
    assert data.runs[0].t_r == 1.25


def test_confounds():
    data = make_runs(**SMALL, n_confounds=3)
    assert list(data.runs[0].confounds) == ["confound_0", "confound_1", "confound_2"]
    assert data.runs[0].confounds.shape == (30, 3)
    assert make_runs(**SMALL, n_confounds=0).runs[0].confounds is None


@pytest.mark.parametrize("n_runs", [4, 5])
def test_groups_are_balanced(n_runs):
    y = make_runs(n_runs, 10, 30, random_state=0).y
    np.testing.assert_array_equal(y, [0, 1, 0, 1, 0][:n_runs])


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_directory(tmp_path, dtype):
    directory = tmp_path / "new" / "runs"
    written = make_runs(**SMALL, dtype=dtype, directory=directory)
    names = ["run-01_bold.nii.gz", "run-02_bold.nii.gz"]
    assert [run.img for run in written.runs] == [directory / name for name in names]
    assert sorted(os.listdir(directory)) == names
    kept = make_runs(**SMALL, dtype=dtype)
    img = nib.load(written.runs[1].img)
    assert img.get_data_dtype() == dtype
    np.testing.assert_array_equal(img.affine, kept.runs[1].img.affine)
    np.testing.assert_array_equal(in_mask(written, 1), in_mask(kept, 1))


def test_directory_has_whole_files_or_none(tmp_path, monkeypatch):
    def fail_halfway(img, path):
        Path(path).write_bytes(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr("nibabel.save", fail_halfway)
    with pytest.raises(OSError, match="disk full"):
        make_runs(**SMALL, directory=tmp_path)
    assert os.listdir(tmp_path) == []


# Simulated runs: what is true of them


def test_seeds_lie_where_their_network_is_strongest():
    data = make_runs(**SMALL, n_networks=5)
    positions = seed_positions(data)
    assert len(set(positions)) == 5
    np.testing.assert_allclose(data.networks[np.arange(5), positions], 1)
    assert data.networks.max() == 1
    np.testing.assert_allclose(data.correlations[np.arange(5), positions], 1)


def test_voxels_are_in_the_order_of_the_masker():
    from nilearn.maskers import NiftiMasker

    data = make_runs(**SMALL)
    masker = NiftiMasker(data.mask_img, standardize=None).fit()
    np.testing.assert_allclose(
        masker.transform(data.runs[0].img), in_mask(data), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("dtype", "noise", "n_confounds"),
    [("float32", 1.0, 2), ("int16", 0.1, 0), ("int16", 2.0, 5)],
)
def test_runs_have_the_stated_correlations(dtype, noise, n_confounds):
    n_scans, t_r = 4000, 2.0
    data = make_runs(
        1,
        n_scans,
        400,
        noise=noise,
        n_confounds=n_confounds,
        t_r=t_r,
        dtype=dtype,
        random_state=0,
    )
    differences = sample_correlations(data, 0) - data.correlations
    scores = differences / standard_errors(data, noise, n_scans, t_r)
    assert np.abs(scores).max() < 5
    assert np.sqrt((scores**2).mean()) < 1.3


def test_confounds_left_in_raise_correlations():
    data = make_runs(1, 1000, 400, random_state=0)
    cleaned = sample_correlations(data, 0).mean()
    assert sample_correlations(data, 0, regress=False).mean() > cleaned + 0.2


@pytest.mark.parametrize("group_effect", [-0.5, 0.5])
def test_group_effect_is_the_stated_one(group_effect):
    n_scans = 4000
    data = make_runs(2, n_scans, 400, group_effect=group_effect, random_state=0)
    assert data.group_correlations.shape == (2, 3, 400)
    np.testing.assert_array_equal(data.correlations, data.group_correlations[0])
    shift = data.group_correlations[1] - data.group_correlations[0]
    assert np.sign(group_effect) * shift[0, seed_positions(data)[1]] > 0.1
    for group in range(2):
        found = sample_correlations(data, group)
        differences = found - data.group_correlations[group]
        assert np.abs(differences).max() < 5 * np.sqrt(1 / 0.36 / n_scans)


def test_no_group_effect():
    data = make_runs(**SMALL)
    np.testing.assert_array_equal(*data.group_correlations)


@pytest.mark.parametrize(("n_scans", "t_r"), [(4, 0.5), (30, 60.0), (31, 5.0)])
def test_runs_too_short_or_slow_for_the_band_still_vary(n_scans, t_r):
    data = make_runs(1, n_scans, 50, n_confounds=0, t_r=t_r, random_state=0)
    signals = in_mask(data)
    assert np.isfinite(signals).all()
    assert (signals.std(axis=0) > 0).all()


@pytest.mark.parametrize("n_scans", [300, 301])
@pytest.mark.parametrize("t_r", [0.7, 2.0, 5.0])
def test_network_time_courses_lie_in_the_band(n_scans, t_r):
    data = make_runs(1, n_scans, 50, noise=0.1, n_confounds=0, t_r=t_r, random_state=0)
    signals = in_mask(data)[:, seed_positions(data)]
    power = np.abs(np.fft.rfft(signals - signals.mean(axis=0), axis=0)) ** 2
    frequencies = np.fft.rfftfreq(n_scans, t_r)
    inside = (frequencies >= BAND[0]) & (frequencies <= BAND[1])
    assert power[inside].sum() > 0.97 * power.sum()
    np.testing.assert_allclose(signals.std(axis=0), 10, rtol=0.5)


# Errors


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_runs": 0}, "n_runs must be an integer of at least 1, got 0"),
        ({"n_runs": True}, "n_runs must be an integer of at least 1, got True"),
        ({"n_scans": 4}, "n_scans must be .* at least 5, got 4.*n_confounds=2"),
        ({"n_scans": 40.0}, "n_scans must be an integer .* got 40.0"),
        ({"n_voxels": -1}, "n_voxels must be .* at least 24, got -1.*n_networks=3"),
        ({"n_networks": 0}, "n_networks must be an integer of at least 1, got 0"),
        ({"n_confounds": -1}, "n_confounds must be .* at least 0, got -1"),
        ({"noise": 0.0}, "noise must be a number from 0.1 to 100, got 0.0"),
        ({"noise": "1"}, "noise must be a number from 0.1 to 100, got '1'"),
        ({"noise": np.nan}, "noise must be a number from 0.1 to 100, got nan"),
        ({"group_effect": 11}, "group_effect must be .* from -10 to 10, got 11"),
        (
            {"group_effect": 0.5, "n_networks": 1},
            "group_effect=0.5 couples .* n_networks must be at least 2, got 1",
        ),
        ({"t_r": 0}, "t_r must be .* got 0. It is in seconds"),
        ({"voxel_size": -3}, "voxel_size must be .* got -3. It is in mm"),
        ({"dtype": "float64"}, "dtype must be 'float32' or 'int16', got 'float64'"),
        ({"shape": (9, 9)}, r"shape must be 3 integers .* got \(9, 9\)"),
        ({"shape": (9, 9, 2)}, "each size in shape must be .* at least 3, got 2"),
        ({"shape": (5, 5, 5)}, r"n_voxels=200 do not fit shape=\(5, 5, 5\).*holds 27"),
        ({"random_state": -1}, "random_state must be .* at least 0, got -1"),
        ({"random_state": "seed"}, "random_state must be .* got 'seed'"),
    ],
)
def test_bad_values(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_runs(**{**SMALL, **parameters})


def test_triangles_of_simulated_cortex_look_outwards():
    mesh = make_grayordinate_runs(1, 30, 100, 50, random_state=0).mesh
    for part in mesh.parts.values():
        a, b, c = part.coordinates[part.faces.T]
        outwards = a - part.coordinates.mean(axis=0)
        turned = np.einsum("ij,ij->i", np.cross(b - a, c - a), outwards)
        assert (turned > 0).all()

"""What must hold of any correlation map, whatever the numbers."""

import copy
import pickle

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMapsMasker,
    SurfaceMasker,
)
from nilearn.surface import SurfaceImage

from helpers import counted, every_pair, in_turn
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._support.tables import read_table
from sbc_estimators.datasets import make_runs

TOLERANCE = 2e-6

BRAINS = ["voxels", "voxels-smoothed", "labels"]
BAND = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "t_r": 2.0}


def _estimator(simulated, brain):
    """Return an estimator of band-passed spheres and of a kind of brain masker."""
    brain = {
        "voxels": NiftiMasker(simulated.mask_img, **BAND),
        "voxels-smoothed": NiftiMasker(simulated.mask_img, smoothing_fwhm=6, **BAND),
        "labels": NiftiLabelsMasker(simulated.labels_img, **BAND),
    }[brain]
    seed = NiftiSpheresMasker(simulated.seeds, radius=8, **BAND)
    return SeedCorrelationMap(seed, brain)


@pytest.fixture(scope="module", params=BRAINS)
def brain(request):
    """Each kind of brain masker."""
    return request.param


@pytest.fixture
def sbc(simulated, brain):
    """An estimator of each kind of brain masker."""
    return _estimator(simulated, brain)


@pytest.fixture(scope="module")
def expected(simulated, brain):
    """The map of the run as it is."""
    return _estimator(simulated, brain).fit(simulated.img).correlations_


@pytest.fixture(scope="module")
def voxels_sbc(simulated):
    """An estimator of voxels, whose filter works at any repetition time."""
    seed = NiftiSpheresMasker(simulated.seeds, radius=8, **BAND)
    return SeedCorrelationMap(seed, NiftiMasker(simulated.mask_img, **BAND))


@pytest.fixture(scope="module")
def runs():
    """Three runs of other lengths and repetition times, with confounds."""
    sizes = [(100, 2.0), (71, 2.0), (130, 1.3)]
    return [
        make_runs(1, n_scans, 600, t_r=t_r, random_state=i).runs[0]
        for i, (n_scans, t_r) in enumerate(sizes)
    ]


def _image(img, data):
    """Return an image like another with other data."""
    return nib.Nifti1Image(data, img.affine)


def _assert_close(a, b, atol=TOLERANCE):
    """Compare arrays with an absolute tolerance."""
    np.testing.assert_allclose(a, b, rtol=0, atol=atol)


# Of the signals


@pytest.mark.parametrize(
    ("shift", "brain"), in_turn([-1000.0, 5e4, 1e6], BRAINS), indirect=["brain"]
)
def test_shift_changes_nothing(sbc, simulated, shift):
    """The same constant in every voxel, in the brain and out of it."""
    run = Run(simulated.img, confounds=simulated.confounds)
    shifted = _image(simulated.img, np.array(simulated.img.dataobj) + shift)
    expected = sbc.fit(run).correlations_
    r = sbc.fit(Run(shifted, confounds=simulated.confounds)).correlations_
    _assert_close(r, expected)


def test_each_voxel_may_have_a_shift_of_its_own(voxels_sbc, simulated):
    """Unsmoothed, means play no part."""
    shifts = np.random.default_rng(0).normal(0, 1e4, (*simulated.img.shape[:3], 1))
    shifted = _image(simulated.img, np.array(simulated.img.dataobj) + shifts)
    expected = voxels_sbc.fit(simulated.img).correlations_
    _assert_close(voxels_sbc.fit(shifted).correlations_, expected)


@pytest.mark.parametrize(
    ("scale", "brain"),
    # No combination comes twice: there are five of the one, three of the other.
    in_turn([1e-12, 1e-4, 0.37, 1e4, 1e12] * 2, BRAINS),
    indirect=["brain"],
)
def test_positive_scale_changes_nothing(sbc, expected, simulated, scale):
    """Whatever the units."""
    scaled = _image(simulated.img, np.array(simulated.img.dataobj) * scale)
    _assert_close(sbc.fit(scaled).correlations_, expected)


def test_negative_scale_changes_nothing(sbc, expected, simulated):
    """Seed and voxels change sign together."""
    negative = _image(simulated.img, -np.array(simulated.img.dataobj))
    _assert_close(sbc.fit(negative).correlations_, expected)


@pytest.mark.parametrize("size", [10.0, 100.0])
def test_a_trend_is_removed(sbc, expected, simulated, size):
    """Detrending takes a trend of any size, as many times the signal's own."""
    trend = size * 10 * np.linspace(-1, 1, simulated.n_scans)
    weights = np.random.default_rng(0).random((*simulated.img.shape[:3], 1))
    drifting = _image(simulated.img, np.array(simulated.img.dataobj) + weights * trend)
    _assert_close(sbc.fit(drifting).correlations_, expected, atol=1e-5)


def test_a_confound_is_removed(sbc, simulated):
    """However strong it is, and whatever its weights."""
    confounds = np.array(simulated.confounds)
    weights = np.random.default_rng(0).random((*simulated.img.shape[:3], 3))
    more = np.array(simulated.img.dataobj) + 200 * weights @ confounds.T
    runs = [Run(i, confounds) for i in (simulated.img, _image(simulated.img, more))]
    expected, r = (sbc.fit(run).correlations_ for run in runs)
    _assert_close(r, expected, atol=1e-5)


def test_the_first_scans_may_be_brighter(voxels_sbc, simulated):
    """A steady state not yet reached, censored: as if the run began later."""
    data = np.array(simulated.img.dataobj)
    data[..., :3] *= 3
    late = _image(simulated.img, np.array(simulated.img.dataobj)[..., 3:])
    censored = Run(_image(simulated.img, data), sample_mask=np.arange(3, 100))
    expected = voxels_sbc.fit(late).correlations_
    _assert_close(voxels_sbc.fit(censored).correlations_, expected)


def test_time_may_run_backwards(simulated):
    """Without a filter, which runs forward first, order is all there is to time."""
    voxels_sbc = SeedCorrelationMap(
        NiftiSpheresMasker(simulated.seeds, radius=8, detrend=True),
        NiftiMasker(simulated.mask_img, detrend=True),
    )
    run = Run(simulated.img, confounds=simulated.confounds)
    back = _image(simulated.img, np.array(simulated.img.dataobj)[..., ::-1])
    reversed_run = Run(back, confounds=np.array(simulated.confounds)[::-1])
    expected = voxels_sbc.fit(run).correlations_
    _assert_close(voxels_sbc.fit(reversed_run).correlations_, expected)


# Of seeds and voxels


@pytest.mark.parametrize("path", ["volume", "surface"])
def test_r_changes_sign_with_the_seed(simulated, surface, path):
    """Maps with negated weights."""
    data = simulated if path == "volume" else surface
    if path == "volume":
        weights = np.asarray(data.maps_img.dataobj)
        maps = [_image(data.maps_img, sign * weights) for sign in (1, -1)]
        kind, brain = NiftiMapsMasker, NiftiMasker(data.mask_img, **BAND)
    else:
        parts = data.maps_img.data.parts.items()
        maps = [
            SurfaceImage(data.img.mesh, {name: sign * part for name, part in parts})
            for sign in (1, -1)
        ]
        kind, brain = SurfaceMapsMasker, SurfaceMasker(data.mask_img, **BAND)
    r = [SeedCorrelationMap(kind(m, **BAND), brain).fit(data.img) for m in maps]
    _assert_close(r[1].correlations_, -r[0].correlations_)


@pytest.mark.parametrize(
    ("axis", "smoothing_fwhm"), [(0, 6), (1, 6), (2, 6), (0, None)]
)
def test_voxels_may_be_flipped(simulated, axis, smoothing_fwhm):
    """The map is flipped with them, where the affine says so."""
    seed = NiftiSpheresMasker(simulated.seeds, radius=8, **BAND)
    affine = simulated.img.affine.copy()
    affine[:3, 3] += affine[:3, axis] * (simulated.img.shape[axis] - 1)
    affine[:3, axis] *= -1
    flipped, mask_img = (
        nib.Nifti1Image(np.flip(np.asarray(img.dataobj), axis), affine)
        for img in (simulated.img, simulated.mask_img)
    )
    maps = []
    for img, mask in [(simulated.img, simulated.mask_img), (flipped, mask_img)]:
        brain = NiftiMasker(mask, smoothing_fwhm=smoothing_fwhm, **BAND)
        sbc = SeedCorrelationMap(seed, brain)
        z_img = sbc.inverse_transform(sbc.fit_transform(img))
        maps.append(np.tanh(z_img.get_fdata()))
    _assert_close(np.flip(maps[1], axis), maps[0])


def test_voxels_permute(simulated):
    """Voxels in another order give the map in that order."""
    shape = simulated.img.shape
    order = np.random.default_rng(0).permutation(np.prod(shape[:3]))
    seed_mask = np.zeros(shape[:3], np.uint8)
    seed_mask[tuple(np.array(shape[:3]) // 2)] = 1

    def permuted(array):
        flat = array.reshape(len(order), -1)[order]
        return _image(simulated.img, flat.reshape(array.shape))

    data, mask = np.array(simulated.img.dataobj), np.asarray(simulated.mask_img.dataobj)
    maps = []
    for change in (lambda array: _image(simulated.img, array), permuted):
        seed, brain = (NiftiMasker(change(m), **BAND) for m in (seed_mask, mask))
        sbc = SeedCorrelationMap(seed, brain)
        z = sbc.fit_transform(change(data))
        maps.append(sbc.inverse_transform(z).get_fdata().reshape(-1))
    # z of r = 1 at the seed itself is infinite but for rounding.
    _assert_close(np.tanh(maps[1]), np.tanh(maps[0][order]))


def test_seeds_do_not_know_of_each_other(voxels_sbc, simulated):
    """One by one or together, in any order."""
    together = voxels_sbc.fit(simulated.img).correlations_
    for position, seed in enumerate(simulated.seeds):
        alone = voxels_sbc.seed_masker.__class__([seed], radius=8, **BAND)
        r = SeedCorrelationMap(alone, voxels_sbc.brain_masker).fit(simulated.img)
        _assert_close(r.correlations_[0], together[position])


def test_correlation_is_symmetric(simulated):
    """Seeds and voxels may change places."""
    seed = NiftiLabelsMasker(simulated.labels_img, **BAND)
    brain = NiftiMasker(simulated.mask_img, **BAND)
    r = [SeedCorrelationMap(*pair) for pair in ((seed, brain), (brain, seed))]
    r = [sbc.fit(simulated.img).correlations_ for sbc in r]
    _assert_close(r[1], r[0].T)


# Of confounds and sample masks


def test_order_of_confounds_is_irrelevant(voxels_sbc, simulated):
    """And their units, and their form."""
    table = simulated.confounds
    forms = [
        table,
        table[table.columns[::-1]],
        np.array(table),
        np.array(table) * [1e-6, 3, 1e6] + [0, 1e3, -7],
        table.to_numpy().tolist(),
        np.asfortranarray(table, dtype=np.float32),
    ]
    runs = [Run(simulated.img, confounds=form) for form in forms]
    first, *others = np.tanh(voxels_sbc.fit_transform(runs))
    for r in others:
        _assert_close(r, first)


def test_confounds_from_a_file(voxels_sbc, simulated, tmp_path):
    """Tables as fMRIPrep, and as numpy write them."""
    table = simulated.confounds
    expected = voxels_sbc.fit(Run(simulated.img, confounds=table)).correlations_
    table.to_csv(tmp_path / "c.tsv", sep="\t", index=False)
    table.to_csv(tmp_path / "c.csv", index=False)
    np.savetxt(tmp_path / "c.txt", table)
    for name in ("c.tsv", "c.csv", "c.txt"):
        run = Run(simulated.img, confounds=tmp_path / name)
        _assert_close(voxels_sbc.fit(run).correlations_, expected)


@pytest.mark.parametrize("first", ["0.0 0.0 1", "1e-3 1e-3 1e-3", "2 2 2", "-0 0 -0"])
@pytest.mark.parametrize(
    ("name", "gap"), [("c.tsv", "\t"), ("c.csv", ","), ("c.par", " ")]
)
def test_first_row_of_a_table_may_hold_a_number_twice(tmp_path, name, gap, first):
    """As motion parameters do, in the scan that all others are aligned to."""
    rows = [first, "4 5 6", "7 8 9"]
    (tmp_path / name).write_text("\n".join(rows).replace(" ", gap))
    table = read_table(tmp_path / name, "run 0")
    expected = np.array([row.split() for row in rows], dtype=float)
    np.testing.assert_array_equal(table, expected)


@pytest.mark.parametrize("names", ["a a", "a 1.5", "1.5 a.1"])
def test_names_of_a_table_are_no_scan(tmp_path, names):
    path = tmp_path / "c.csv"
    path.write_text(f"{names}\n1 2\n".replace(" ", ","))
    assert read_table(path, "run 0").to_numpy().tolist() == [[1, 2]]


def test_forms_of_a_sample_mask(voxels_sbc, simulated):
    """Indices, booleans and lists; a mask of all scans is none."""
    kept = np.setdiff1d(np.arange(100), [0, 7, 8, 50])
    forms = [kept, kept.tolist(), np.isin(np.arange(100), kept), kept.astype(np.uint8)]
    r = [
        voxels_sbc.fit(Run(simulated.img, sample_mask=form)).correlations_
        for form in forms
    ]
    for other in r[1:]:
        np.testing.assert_array_equal(other, r[0])
    plain = voxels_sbc.fit(simulated.img).correlations_
    all_scans = voxels_sbc.fit(Run(simulated.img, sample_mask=np.ones(100, bool)))
    np.testing.assert_array_equal(all_scans.correlations_, plain)


def test_arguments_beside_runs_are_those_of_a_run(voxels_sbc, runs):
    """Confounds and sample masks, for one run and many."""
    masks = [np.arange(2, run.img.shape[-1]) for run in runs]
    tables = [run.confounds for run in runs]
    carried = [
        Run(run.img, run.confounds, mask) for run, mask in zip(runs, masks, strict=True)
    ]
    expected = voxels_sbc.fit(carried).correlations_
    images = [run.img for run in runs]
    beside = {"confounds": tables, "sample_mask": masks}
    np.testing.assert_array_equal(
        voxels_sbc.fit(images, **beside).correlations_, expected
    )
    one = voxels_sbc.fit(carried[0]).correlations_
    r = voxels_sbc.fit(images[0], confounds=tables[0], sample_mask=masks[0])
    np.testing.assert_array_equal(r.correlations_, one)


# Of many runs


def test_runs_are_averaged_as_fisher_z(voxels_sbc, runs):
    """tanh of the mean z, each run by itself whatever its length and t_r."""
    alone = [voxels_sbc.fit(run).correlations_.astype(float) for run in runs]
    z = voxels_sbc.fit_transform(runs)
    for row, r in zip(z, alone, strict=True):
        _assert_close(np.tanh(row), r.ravel())
    expected = np.tanh(np.mean([np.arctanh(r) for r in alone], axis=0))
    _assert_close(voxels_sbc.correlations_, expected)
    assert voxels_sbc.n_runs_ == 3


def test_each_run_has_its_own_repetition_time(simulated, nilearn_r, runs):
    """Against plain nilearn, run by run."""
    seed = NiftiSpheresMasker(simulated.seeds, radius=8, **BAND)
    brain = NiftiMasker(simulated.mask_img, **BAND)
    z = SeedCorrelationMap(seed, brain).fit_transform(runs)
    for row, run in zip(z, runs, strict=True):
        exact = Run(_image(run.img, run.img.get_fdata()), run.confounds, t_r=run.t_r)
        _assert_close(np.tanh(row.reshape(3, -1)), nilearn_r(seed, brain, exact))


def test_order_of_runs_is_irrelevant(voxels_sbc, runs):
    """Rows follow the runs, the mean does not care."""
    z, r = voxels_sbc.fit_transform(runs), voxels_sbc.correlations_
    back = voxels_sbc.fit_transform(runs[::-1])
    np.testing.assert_array_equal(back[::-1], z)
    _assert_close(voxels_sbc.correlations_, r, atol=1e-7)


def test_forms_of_many_runs(voxels_sbc, runs, tmp_path):
    """A list, a tuple, an object array, and a Series of paths."""
    expected = voxels_sbc.fit_transform(runs)
    as_array = np.empty(3, dtype=object)
    as_array[:] = runs
    for form in (tuple(runs), as_array, pd.Series(runs)):
        np.testing.assert_array_equal(voxels_sbc.fit_transform(form), expected)
    images = [run.img for run in runs]
    paths = [tmp_path / f"{i}.nii.gz" for i in range(3)]
    for img, path in zip(images, paths, strict=True):
        nib.save(img, path)
    expected = voxels_sbc.fit_transform(images)
    for form in (paths, pd.Series([str(path) for path in paths])):
        np.testing.assert_array_equal(voxels_sbc.fit_transform(form), expected)


def test_n_jobs_changes_no_bit(voxels_sbc, runs):
    """Neither of the rows nor of the mean."""
    one, two = (copy.deepcopy(voxels_sbc).set_params(n_jobs=n) for n in (1, 2))
    np.testing.assert_array_equal(two.fit_transform(runs), one.fit_transform(runs))
    np.testing.assert_array_equal(two.correlations_, one.correlations_)
    np.testing.assert_array_equal(two.transform(runs), one.transform(runs))


def test_same_input_gives_the_same_bits(sbc, simulated):
    """Fitted twice, by a copy, and after pickling."""
    z = sbc.fit_transform(simulated.img)
    np.testing.assert_array_equal(sbc.fit_transform(simulated.img), z)
    again = pickle.loads(pickle.dumps(sbc))
    np.testing.assert_array_equal(again.transform(simulated.img), z)


# Of fit and transform


def test_fit_transform_is_fit_then_transform(sbc, simulated):
    """To the last bit; z is arctanh of r."""
    runs = [
        Run(simulated.img),
        Run(_image(simulated.img, np.array(simulated.img.dataobj))),
    ]
    z = sbc.fit_transform(runs)
    assert z.dtype == np.float32
    np.testing.assert_array_equal(sbc.transform(runs), z)
    np.testing.assert_array_equal(sbc.fit(runs).transform(runs), z)
    r = sbc.fit(runs[0]).correlations_
    np.testing.assert_allclose(z[0], np.arctanh(r.ravel().astype(float)), rtol=1e-6)


def test_each_scan_is_read_once(sbc, simulated):
    """By fit_transform, and by transform."""
    img = counted(simulated.img)
    sbc.fit_transform([Run(img)])
    np.testing.assert_array_equal(img.dataobj.n_reads, 1)
    sbc.transform(Run(img))
    np.testing.assert_array_equal(img.dataobj.n_reads, 2)


def test_another_run_may_be_transformed(voxels_sbc, runs):
    """Its map is what fitting it would give, and the fit is left alone."""
    fitted = copy.deepcopy(voxels_sbc).fit(runs[0])
    r = fitted.correlations_.copy()
    z = fitted.transform(runs[1])
    expected = voxels_sbc.fit(runs[1]).correlations_
    _assert_close(np.tanh(z[0]), expected.ravel())
    np.testing.assert_array_equal(fitted.correlations_, r)


def test_inverse_transform_puts_voxels_back(voxels_sbc, runs, simulated):
    """Volume i * n_seeds + j is seed j of run i; zero outside the mask."""
    z = voxels_sbc.fit_transform(runs)
    img = voxels_sbc.inverse_transform(z)
    assert img.shape == (*simulated.img.shape[:3], 9)
    mask = np.asarray(simulated.mask_img.dataobj) != 0
    volumes = img.get_fdata()
    np.testing.assert_array_equal(volumes[~mask], 0)
    _assert_close(volumes[mask].T, z.reshape(9, -1), atol=1e-6)
    one = voxels_sbc.inverse_transform(z[1]).get_fdata()
    np.testing.assert_array_equal(one, volumes[..., 3:6])


# Of what was passed


@pytest.mark.parametrize(
    ("brain", "dtype", "order"),
    every_pair(BRAINS, [np.float64, np.float32, np.int16], ["C", "F"]),
    indirect=["brain"],
)
def test_what_was_passed_is_not_changed(sbc, simulated, dtype, order):
    """Images, confounds, masks, parameters: also where the image holds NaN."""
    data = np.array(simulated.img.dataobj).astype(dtype, order=order)
    if dtype != np.int16:
        data[0, 0, 0, 3] = np.nan
    img = _image(simulated.img, data)
    mask, table = np.arange(3, 97, dtype=np.int32), simulated.confounds.copy()
    run = Run(img, table, mask)
    before = data.copy()
    parameters = repr(sorted(sbc.get_params().items(), key=str))
    mask_before = np.array(simulated.mask_img.dataobj)
    sbc.fit([run, run])
    sbc.transform(run)
    sbc.brain_signals(run)
    sbc.seed_signals(run)
    np.testing.assert_array_equal(data, before)
    np.testing.assert_array_equal(mask, np.arange(3, 97))
    pd.testing.assert_frame_equal(table, simulated.confounds)
    np.testing.assert_array_equal(simulated.mask_img.dataobj, mask_before)
    assert repr(sorted(sbc.get_params().items(), key=str)) == parameters
    assert not hasattr(sbc.seed_masker, "seeds_")
    assert not hasattr(sbc.brain_masker, "n_elements_")


def test_arrays_may_be_read_only(sbc, simulated):
    """Memory-mapped data and confounds are."""
    data, table = np.array(simulated.img.dataobj), np.array(simulated.confounds)
    mask = np.arange(3, 97, dtype=np.int32)
    for array in (data, table, mask):
        array.flags.writeable = False
    run = Run(_image(simulated.img, data), table, mask)
    sbc.fit_transform(run)
    sbc.brain_signals(run)


# Of the signals that people plot


@pytest.mark.parametrize("cleaning", [{}, BAND], ids=["raw", "band"])
@pytest.mark.parametrize("kind", ["plain", "confounds", "censored"])
def test_signals_are_standardized(simulated, cleaning, kind):
    """Mean 0, variance 1 (ddof=1); their correlation is the map."""
    seed = NiftiSpheresMasker(simulated.seeds, radius=8, **cleaning)
    brain = NiftiMasker(simulated.mask_img, smoothing_fwhm=6, **cleaning)
    confounds = None if kind == "plain" else simulated.confounds
    mask = np.setdiff1d(np.arange(100), [3, 50]) if kind == "censored" else None
    run = Run(simulated.img, confounds, mask)
    sbc = SeedCorrelationMap(seed, brain).fit(run)
    seeds, voxels = sbc.seed_signals(run), sbc.brain_signals(run)
    n_scans = 98 if kind == "censored" else 100
    assert seeds.shape == (n_scans, 3)
    assert voxels.shape == (n_scans, 600)
    for signals in (seeds, voxels):
        _assert_close(signals.mean(axis=0), 0, atol=1e-6)
        _assert_close(signals.var(axis=0, ddof=1), 1, atol=1e-5)
    r = np.corrcoef(seeds, voxels, rowvar=False)[:3, 3:]
    _assert_close(sbc.correlations_, r)


def test_signals_are_those_of_nilearn(simulated, nilearn_signals):
    """Sign and order of scans included."""
    seed = NiftiSpheresMasker(simulated.seeds, radius=8, **BAND)
    brain = NiftiMasker(simulated.mask_img, smoothing_fwhm=6, **BAND)
    run = Run(simulated.img, simulated.confounds)
    sbc = SeedCorrelationMap(seed, brain).fit(run)
    for ours, masker in [(sbc.seed_signals, seed), (sbc.brain_signals, brain)]:
        theirs = nilearn_signals(masker, run)
        theirs = (theirs - theirs.mean(axis=0)) / theirs.std(axis=0, ddof=1)
        _assert_close(ours(run), theirs, atol=1e-5)


# Of simulated runs


@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_simulated_truth_is_recovered(dtype):
    """Within sampling error, 1 / sqrt(n_scans) and a little more."""
    data = make_runs(8, 300, 600, dtype=dtype, random_state=4)
    seed, brain = NiftiSpheresMasker(data.seeds), NiftiMasker(data.mask_img)
    sbc = SeedCorrelationMap(seed, brain).fit(data.runs)
    elsewhere = data.correlations < 0.999
    error = (sbc.correlations_ - data.correlations)[elsewhere]
    assert np.abs(error.mean()) < 0.01
    assert error.std() < 1.5 / np.sqrt(8 * 300)
    assert np.abs(error).max() < 6 * 1.5 / np.sqrt(8 * 300)
    assert (sbc.correlations_[~elsewhere] > 0.99).all()


def test_without_confounds_the_truth_is_missed():
    """So confounds do something in the test above."""
    data = make_runs(4, 300, 600, random_state=4)
    seed, brain = NiftiSpheresMasker(data.seeds), NiftiMasker(data.mask_img)
    sbc = SeedCorrelationMap(seed, brain).fit([run.img for run in data.runs])
    assert (sbc.correlations_ - data.correlations).mean() > 0.1


@pytest.mark.usefixtures("seeds_anywhere")
def test_noise_has_no_map():
    """r of independent noise has mean 0 and variance 1 / (n - 1), z 1 / (n - 3)."""
    noise = np.random.default_rng(8).normal(1000, 10, (12, 12, 12, 50))
    img = nib.Nifti1Image(noise, np.diag([3.0, 3.0, 3.0, 1.0]))
    mask = np.ones((12, 12, 12), np.uint8)
    first = np.zeros_like(mask)
    first[:5, 0, 0] = 1
    mask[first == 1] = 0
    maskers = [NiftiMasker(nib.Nifti1Image(m, img.affine)) for m in (first, mask)]
    sbc = SeedCorrelationMap(*maskers)
    z = sbc.fit_transform(img)
    assert abs(z.mean()) < 4 / np.sqrt(47 * z.size)
    assert np.isclose(sbc.correlations_.var(), 1 / 49, rtol=0.1)
    assert np.isclose(z.var(), 1 / 47, rtol=0.1)

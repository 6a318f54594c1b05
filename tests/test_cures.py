"""What errors and warnings advise works: each cure that is code, run as it stands."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import nibabel
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nibabel.externals.netcdf import netcdf_file
from nilearn.image import concat_imgs
from nilearn.maskers import (
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceMasker,
)

from helpers import OwnSpheres
from sbc_estimators import Run, SeedCorrelationMap, runs_from_fmriprep
from sbc_estimators.datasets import load_sample_run, make_runs
from sbc_estimators.maskers import GivenSignals, SphereSeeds

pytestmark = pytest.mark.usefixtures("seeds_anywhere", "any_dof")


@pytest.fixture(scope="module")
def it(simulated):
    """What the cases below are made of."""
    kept = np.arange(100) > 3
    maps = np.ones((*simulated.mask_img.shape, 2))
    return SimpleNamespace(
        img=simulated.img,
        mask=simulated.mask_img,
        affine=simulated.mask_img.affine,
        seeds=simulated.seeds,
        array=np.asarray(simulated.img.dataobj),
        confounds=np.asarray(simulated.confounds),
        kept=kept,
        maps=nib.Nifti1Image(maps, simulated.mask_img.affine),
        run=simulated.run,
    )


def fitted(run, seed_masker=None, brain_masker=None, **parameters):
    """Fit an estimator to a run."""
    seed_masker = SphereSeeds([(0, 0, 0)], 6) if seed_masker is None else seed_masker
    brain_masker = NiftiMasker(detrend=True) if brain_masker is None else brain_masker
    return SeedCorrelationMap(seed_masker, brain_masker, **parameters).fit(run)


def cure_in(text, pattern):
    """Return the code that a message advises."""
    found = re.search(pattern, text)
    assert found, text
    return found[1]


def said(call, kind=Exception):
    """Return what a call that fails says."""
    with pytest.raises(kind) as error:
        call()
    return str(error.value)


# Code in messages


@pytest.mark.parametrize("axes", [(3,), (4,), (3, 5), (4, 5)])
def test_slicer_of_many_dimensions(it, axes):
    """It advised slicer[..., 0], which took a scan out, or failed."""
    img = nib.Nifti1Image(np.expand_dims(it.array, axes), it.affine)
    if img.ndim == 5 and axes == (4,):
        expected = "img.slicer[:, :, :, :, 0]"
    text = said(lambda: fitted(img))
    code = cure_in(text, r"such as (img\.slicer\[.*\])\.$")
    if axes == (4,):
        assert code == expected
    cured = eval(code, {"img": img})
    np.testing.assert_array_equal(np.asarray(cured.dataobj), it.array)
    np.testing.assert_array_equal(
        fitted(cured).correlations_, fitted(it.img).correlations_
    )


def write_minc(path, scans):
    """Write scans, the axes of which are (time, z, y, x), as MINC."""
    names = ("time", "zspace", "yspace", "xspace")
    file = netcdf_file(str(path), "w")
    for name, size in zip(names, scans.shape, strict=True):
        file.createDimension(name, size)
        dimension = file.createVariable(name, "i", ())
        dimension.step, dimension.start, dimension.spacing = 4.0, -24.0, b"regular__"
        dimension.data[...] = 0
    image = file.createVariable("image", "f", names)
    image[:] = scans
    image.signtype = b"signed__"
    for name, value in (("image-max", 1.0), ("image-min", 0.0)):
        file.createVariable(name, "d", ()).data[...] = value
    file.close()


def test_scans_of_minc_are_moved_to_the_last_axis(it, tmp_path):
    """nibabel leaves them on the first; it ended in a word of a library's."""
    scans = it.array.astype(np.float32).transpose(3, 2, 1, 0)
    write_minc(tmp_path / "run.mnc", scans)
    text = said(lambda: fitted(str(tmp_path / "run.mnc")), ValueError)
    code = cure_in(text, r"Pass (nibabel\..*)\.$")
    names = {"nibabel": nibabel, "np": np, "img": nib.load(tmp_path / "run.mnc")}
    cured = eval(code, names)
    np.testing.assert_array_equal(cured.get_fdata(), scans.transpose(1, 2, 3, 0))
    seed = tuple((cured.affine @ [6, 7, 6, 1])[:3])
    assert np.isfinite(fitted(cured, SphereSeeds([seed], 6)).correlations_).all()


def header_of(img, path, **fields):
    """Return an image of a file with other values in its header."""
    nib.save(nib.Nifti1Image(np.asarray(img.dataobj), img.affine), path)
    content = path.read_bytes()
    header = nib.Nifti1Header(content[:348])
    for name, value in fields.items():
        header[name] = value
    path.write_bytes(header.binaryblock + content[348:])
    return nib.load(path)


def warned(img, word):
    """Return the warning with a word that a run gets."""
    with pytest.warns(UserWarning, match=word) as caught:
        fitted(img)
    return next(str(w.message) for w in caught if word in str(w.message))


def test_codes_of_a_place_are_set(it, tmp_path):
    img = header_of(it.img, tmp_path / "run.nii", sform_code=0, qform_code=0)
    code = cure_in(warned(img, "sform"), r"say so with (img\..*)\.$")
    eval(code, {"img": img})
    fitted(img)  # without a warning


@pytest.mark.parametrize(("code", "factor"), [(1, 1000), (3, 0.001)])
def test_affines_in_other_units_are_scaled(it, tmp_path, code, factor):
    img = header_of(it.img, tmp_path / "run.nii", xyzt_units=code)
    text = warned(img, "unit")
    affine = eval(cure_in(text, r"affine is (np\..*)\.$"), {"np": np, "img": img})
    cured = nib.Nifti1Image(np.asarray(img.dataobj), affine)
    np.testing.assert_allclose(cured.affine[:3], factor * it.affine[:3])
    fitted(cured, SphereSeeds([(0, 0, 0)], radius=None))


def test_a_mask_of_zeros_and_ones_is_made_boolean(it):
    numbers = it.kept.astype(int)
    text = said(lambda: fitted(Run(it.img, sample_mask=numbers)))
    code = cure_in(text, r"with (np\.asarray\(sample_mask\)\.astype\(bool\))")
    cured = eval(code, {"np": np, "sample_mask": numbers})
    report = fitted(Run(it.img, sample_mask=cured)).run_report_
    assert report["n_kept_scans"].tolist() == [96]


def test_masked_confounds_are_filled(it):
    masked = np.ma.array(it.confounds, mask=np.zeros_like(it.confounds, bool))
    masked[:4] = np.ma.masked
    text = said(lambda: fitted(Run(it.img, masked)), ValueError)
    code = "confounds" + cure_in(
        text, r"such as with (\.filled\(np\.nan\)), and leave out"
    )
    filled = eval(code, {"confounds": masked, "np": np})
    found = fitted(Run(it.img, filled, it.kept)).correlations_
    expected = fitted(Run(it.img, it.confounds, it.kept)).correlations_
    np.testing.assert_array_equal(found, expected)


def test_small_cures_of_code(it):
    text = said(lambda: load_sample_run("csf"))
    columns = eval(cure_in(text, r"columns=(\[.*?\])"))
    assert list(load_sample_run(columns=columns).run.confounds) == ["csf"]
    text = said(lambda: SphereSeeds(it.seeds[:2], names=[1, 2]).fit())
    names = eval(cure_in(text, r"names=(\[.*?\])"))
    assert SphereSeeds(it.seeds[:2], names=names).fit().seed_names_ == names
    text = said(lambda: make_runs(1, 30, 100, 1, group_effect=1))
    for cure in cure_in(text, r"Pass (.*)\.$").split(" or "):
        options = {"n_networks": 1, "group_effect": 1, **eval(f"dict({cure})")}
        make_runs(1, 30, 100, **options)


# Parameters in messages: what fails, its words, and what is advised

CURES = {
    "shorter smoothing": (
        lambda it: fitted(it.img, brain_masker=NiftiMasker(it.mask, smoothing_fwhm=-4)),
        "from 0 to 1000 mm or None",
        lambda it: fitted(
            it.img, brain_masker=NiftiMasker(it.mask, smoothing_fwhm=None)
        ),
    ),
    "3D images": (
        lambda it: fitted(it.img.slicer[..., 0]),
        "nilearn.image.concat_imgs",
        lambda it: fitted(concat_imgs([it.img.slicer[..., i] for i in range(9)])),
    ),
    "generators": (
        lambda it: fitted(it.img, SphereSeeds(iter(it.seeds))),
        r"Pass list\(...\)",
        lambda it: fitted(it.img, SphereSeeds(list(iter(it.seeds)))),
    ),
    "overlapping maps": (
        lambda it: fitted(it.img, NiftiMapsMasker(it.maps, allow_overlap=False)),
        "allow_overlap=True",
        lambda it: fitted(
            it.img,
            NiftiMapsMasker(it.maps, allow_overlap=True, detrend=True),
            measure="correlation",
        ),
    ),
    "overlapping spheres": (
        lambda it: fitted(it.img, SphereSeeds([(0, 0, 0), (4, 0, 0)])),
        "allow_overlap=True",
        lambda it: fitted(
            it.img, SphereSeeds([(0, 0, 0), (4, 0, 0)], allow_overlap=True)
        ),
    ),
    "smaller radius": (
        lambda it: fitted(it.img, SphereSeeds([(0, 0, 0), (4, 0, 0)])),
        "smaller radius",
        lambda it: fitted(it.img, SphereSeeds([(0, 0, 0), (4, 0, 0)], radius=1)),
    ),
    "repetition time in a run": (
        lambda it: fitted(Run(it.img), low_pass=0.1),
        "Pass t_r in seconds to the masker, to SeedCorrelationMap, or to Run",
        lambda it: fitted(Run(it.img, t_r=2.0), low_pass=0.1),
    ),
    "repetition time of the estimator": (
        lambda it: fitted(Run(it.img), low_pass=0.1),
        "to SeedCorrelationMap",
        lambda it: fitted(Run(it.img), low_pass=0.1, t_r=2.0),
    ),
    "Nyquist": (
        lambda it: fitted(it.run, low_pass=0.3),
        "Lower it, or pass None",
        lambda it: fitted(it.run, low_pass=None),
    ),
    "given signals": (
        lambda it: fitted(it.img, GivenSignals()),
        r"Pass Run\(img, seed_signals=\.\.\.\)",
        lambda it: fitted(Run(it.img, seed_signals=it.confounds), GivenSignals()),
    ),
    "scale of a masker of others": (
        lambda it: fitted(
            it.img, OwnSpheres(it.seeds, radius=6, standardize=None), scale="z_score"
        ),
        'Use a nilearn masker, or scale="fisher_z"',
        lambda it: fitted(
            it.img,
            OwnSpheres(it.seeds, radius=6, detrend=True, standardize=None),
            scale="fisher_z",
        ),
    ),
    "summary of maps": (
        lambda it: fitted(
            it.img, NiftiMapsMasker(it.maps, detrend=True), seed_summary="pca"
        ),
        'seed_summary="mean"',
        lambda it: fitted(
            it.img, NiftiMapsMasker(it.maps, detrend=True), seed_summary="mean"
        ),
    ),
    "confounds twice": (
        lambda it: SeedCorrelationMap(SphereSeeds(it.seeds), NiftiMasker()).fit(
            Run(it.img, it.confounds), confounds=it.confounds
        ),
        "Pass confounds in one place",
        lambda it: fitted(Run(it.img, it.confounds)),
    ),
    "a class": (
        lambda it: fitted(it.img, SphereSeeds),
        r"Pass SphereSeeds\(...\)",
        lambda it: fitted(it.img, SphereSeeds(it.seeds)),
    ),
    "prepared and smoothed": (
        lambda it: prepared_map(it, NiftiSpheresMasker(it.seeds, smoothing_fwhm=4)),
        "Set it to None, or use fit_transform",
        lambda it: prepared_map(it, NiftiSpheresMasker(it.seeds, smoothing_fwhm=None)),
    ),
    "kind of image": (
        lambda it: fitted(it.img, brain_masker=SurfaceMasker()),
        "Use a masker of the run's kind",
        lambda it: fitted(it.img, brain_masker=NiftiMasker(it.mask, detrend=True)),
    ),
    "options of cleaning": (
        lambda it: fitted(
            it.img, brain_masker=NiftiMasker(it.mask, clean_args={"detrend": True})
        ),
        "Take it out of clean_args",
        lambda it: fitted(
            it.img, brain_masker=NiftiMasker(it.mask, clean_args={}, detrend=True)
        ),
    ),
}


def foreign(it):
    """Return a masker of another package."""
    return OwnSpheres(it.seeds, radius=6, detrend=True, standardize=None)


def prepared_map(it, masker):
    """Map seeds in a run that is prepared, cleaned in no way."""
    sbc = fitted(it.img, SphereSeeds(it.seeds), NiftiMasker(it.mask))
    with sbc.prepare(it.img) as prepared:
        return prepared.map(masker)


@pytest.mark.parametrize("name", CURES)
def test_cures(it, name):
    wrong, advised, cured = CURES[name]
    assert re.search(advised, said(lambda: wrong(it)))
    cured(it)


def test_index_of_pandas_is_left_out(it, tmp_path):
    table = pd.DataFrame(it.confounds, columns=["a", "b", "c"])
    table.to_csv(tmp_path / "c.csv")
    text = said(lambda: fitted(Run(it.img, tmp_path / "c.csv")))
    options = cure_in(text, r"to_csv\(\.\.\., (.*?)\)")
    table.to_csv(tmp_path / "c.csv", **eval(f"dict({options})"))
    found = fitted(Run(it.img, tmp_path / "c.csv")).correlations_
    expected = fitted(Run(it.img, it.confounds)).correlations_
    np.testing.assert_array_equal(found, expected)


def test_sidecar_that_is_missing(tmp_path):
    """Written as it is told."""
    folder = tmp_path / "sub-01" / "func"
    folder.mkdir(parents=True)
    sample = load_sample_run()
    for path in sample.func.parent.glob("sub-01*"):
        if path.suffix != ".json":
            (folder / path.name).write_bytes(path.read_bytes())
    options = {"strategy": ["motion"], "strategy_options": {"motion": "basic"}}
    text = said(lambda: runs_from_fmriprep(tmp_path, **options))
    sidecar = cure_in(text, r"to '(.*?)', which then holds")
    content = cure_in(text, r"Write (\{.*?\})").replace("<seconds>", "1.5")
    Path(sidecar).write_text(json.dumps(json.loads(content)))
    (run,) = runs_from_fmriprep(tmp_path, **options)
    assert run.t_r == 1.5

"""The command line: what it understands, what it writes, and how it fails."""

import json
import os
import re
import shutil
import subprocess
import sys
import warnings

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker, NiftiSpheresMasker
from nilearn.masking import apply_mask

import sbc_estimators
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators.__main__ import main
from sbc_estimators._command import mapping as _command
from sbc_estimators._command import options, pictures
from sbc_estimators._reporting import bids
from sbc_estimators._reporting.used import versions
from sbc_estimators._support.checks import LONGEST
from sbc_estimators.datasets import load_sample_run
from sbc_estimators.maskers import SphereSeeds

ONE_SEED = {
    "sbc_z.nii.gz",
    "sbc_z.png",
    "sbc_z.pdf",
    "sbc_z.json",
    "seed_signals.png",
    "seed_signals.pdf",
    "seed_signals.tsv",
}


PICTURES = {name for name in ONE_SEED if name.endswith((".png", ".pdf"))}

SEED_NEEDS = (
    "error: --seed needs a name and three numbers in mm, as in --seed PCC 0 -52 18"
)


class Outcome:
    """What one call of the command left behind."""

    def __init__(self, folder, text):
        self.folder = folder
        self.text = text
        self.files = {path.name for path in folder.iterdir()}
        self.z_img = nib.load(folder / "sbc_z.nii.gz")
        self.signals = pd.read_csv(folder / "seed_signals.tsv", sep="\t")
        self.sidecar = json.loads((folder / "sbc_z.json").read_text("utf-8"))


def call(folder, capsys, *arguments):
    """Return the outcome of a call that succeeds."""
    assert main([*map(str, arguments), "--out", str(folder)]) == 0
    text, errors = capsys.readouterr()
    assert errors == ""
    return Outcome(folder, text)


def fail(capsys, *arguments):
    """Return the one line that a call which cannot work ends with."""
    assert main(list(map(str, arguments))) == 2
    text, errors = capsys.readouterr()
    assert text == ""
    assert errors.startswith("sbc-map: error: ")
    assert errors.count("\n") == 1
    return errors


def output(capsys, arguments):
    """Return what a call prints that succeeds, and its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        assert main(list(map(str, arguments))) == 0
    return capsys.readouterr()


def refuse(capsys, *arguments):
    """Return the last line of argparse where it does not understand."""
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    assert end.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(scope="module")
def sample():
    return load_sample_run()


@pytest.fixture(scope="module")
def default(default_maps):
    """What the command writes without arguments."""
    return Outcome(default_maps, "")


@pytest.fixture(scope="module")
def written(tmp_path_factory, simulated):
    """Files of a simulated run: 4D image, mask, table of confounds."""
    folder = tmp_path_factory.mktemp("data")
    img = nib.Nifti1Image(
        simulated.img.get_fdata(dtype=np.float32), simulated.img.affine
    )
    img.header.set_xyzt_units("mm", "sec")
    img.header.set_zooms((*img.header.get_zooms()[:3], simulated.t_r))
    nib.save(img, folder / "bold.nii.gz")
    nib.save(simulated.mask_img, folder / "mask.nii.gz")
    table = pd.DataFrame(np.asarray(simulated.confounds), columns=["a", "b", "c"])
    table.insert(0, "d", np.r_[np.nan, np.ones(simulated.n_scans - 1)])
    table.to_csv(folder / "confounds.tsv", sep="\t", index=False, na_rep="n/a")
    return folder


@pytest.fixture
def small(tmp_path, written):
    """A folder with copies of these files, for a test to change."""
    return shutil.copytree(written, tmp_path / "data")


@pytest.fixture
def no_pictures(monkeypatch):
    """Draw no pictures, which takes most of the command's time."""
    monkeypatch.setattr(_command, "write_figure", lambda *_: None)
    for name in ("plot_seed_map", "plot_signals"):
        monkeypatch.setattr(pictures.plotting, name, lambda *_, **__: None)


def seed_arguments(simulated, *names):
    """Return --seed options for the first seeds of a simulated run."""
    centres = np.asarray(simulated.seeds, dtype=float)
    return [
        argument
        for name, centre in zip(names, centres, strict=False)
        for argument in ("--seed", name, *centre)
    ]


def describe_centre(centre):
    """Return a centre as the command prints it."""
    return f"({', '.join(f'{value:g}' for value in centre)})"


def set_header(path, t_r, unit="sec"):
    """Change the repetition time in a file's header."""
    img = nib.load(path)
    img = nib.Nifti1Image(np.asarray(img.dataobj), img.affine, img.header)
    img.header.set_xyzt_units("mm", unit)
    img.header["pixdim"][4] = t_r
    nib.save(img, path)


def test_default_maps_the_default_mode_network(default):
    assert default.files == ONE_SEED
    assert default.z_img.shape == (33, 39, 31)
    assert default.z_img.get_data_dtype() == np.float32
    assert default.z_img.header.get_xyzt_units()[0] == "mm"
    at = nib.affines.apply_affine(
        np.linalg.inv(default.z_img.affine), [(0, 52, -6), (-36, -22, 56)]
    )
    prefrontal, motor = default.z_img.get_fdata()[tuple(np.rint(at).astype(int).T)]
    assert np.tanh(prefrontal) > np.tanh(motor) + 0.3


def test_default_is_z_of_the_signals_that_python_gives(default, sample):
    band = {"detrend": True, "low_pass": 0.1, "high_pass": 0.01, "t_r": 1.5}
    estimator = SeedCorrelationMap(
        NiftiSpheresMasker([(0, -52, 18)], radius=8, **band),
        NiftiMasker(sample.mask_img, smoothing_fwhm=6, **band),
    ).fit(sample.run)
    seed = estimator.seed_signals(sample.run)[:, 0]
    voxels = estimator.brain_signals(sample.run)
    z = apply_mask(default.z_img, sample.mask_img)
    some = np.linspace(0, len(z) - 1, 50).astype(int)
    r = [np.corrcoef(seed, voxels[:, i])[0, 1] for i in some]
    np.testing.assert_allclose(z[some], np.arctanh(r), atol=1e-5)
    np.testing.assert_allclose(default.signals["PCC"], seed, atol=1e-5)


@pytest.mark.parametrize(
    ("suffix", "start", "end"), [("png", b"\x89PNG\r\n", b""), ("pdf", b"%PDF", b"EOF")]
)
def test_default_draws_pictures(default, suffix, start, end):
    for stem in ("sbc_z", "seed_signals"):
        content = (default.folder / f"{stem}.{suffix}").read_bytes()
        assert content.startswith(start)
        assert end in content[-20:]
        assert len(content) > 5000


def test_default_says_what_was_done(default, sample):
    said = default.sidecar
    z = apply_mask(default.z_img, sample.mask_img)
    assert said["func"] == str(sample.func)
    assert said["mask"] == str(sample.mask_img)
    assert said["confounds"] == list(sample.run.confounds.columns)
    assert (said["n_scans"], said["n_kept_scans"]) == (200, 200)
    assert said["n_voxels"] == len(z)
    # Of 200 scans of 1.5 s, the band has 54 frequencies; the filter's edges are soft.
    assert 30 < said["effective_dof"] < 60
    assert (said["high_pass_hz"], said["low_pass_hz"]) == (0.01, 0.1)
    assert (said["t_r_s"], said["t_r_source"]) == (1.5, "sidecar")
    (seed,) = said["seeds"]
    assert (seed["name"], seed["centre_mm"]) == ("PCC", [0, -52, 18])
    assert seed["radius_mm"] == 8
    ranges = {key: [seed[f"{key}_min"], seed[f"{key}_max"]] for key in ("r", "z")}
    np.testing.assert_allclose(ranges["z"], [z.min(), z.max()], rtol=1e-6)
    np.testing.assert_allclose(np.arctanh(ranges["r"]), ranges["z"], rtol=1e-4)
    assert (seed["n_voxels"], seed["coverage"]) == (20, 1)
    assert 0 < seed["homogeneity"] < 1
    assert seed["tsnr"] == pytest.approx(114, abs=1)
    assert set(said["files"]) == default.files
    assert said["versions"]["sbc_estimators"] == sbc_estimators.__version__
    libraries = {"nilearn", "numpy", "scipy", "scikit-learn", "nibabel", "pandas"}
    assert {"Python", *libraries} <= set(said["versions"])
    assert said["versions"] == versions()
    estimator = SeedCorrelationMap(SphereSeeds([(0, 0, 0)]), NiftiMasker())
    nested = {"seed_masker", "brain_masker"}
    assert set(said["parameters"]) == set(estimator.get_params()) - nested


def test_options_reach_the_estimator(small, simulated, tmp_path, capsys):
    outcome = call(
        tmp_path / "out" / "deep",
        capsys,
        small / "bold.nii.gz",
        *("--mask", small / "mask.nii.gz"),
        *("--confounds", small / "confounds.tsv", "--columns", "a,c"),
        *seed_arguments(simulated, "first", "second"),
        *("--radius", 6, "--smoothing", 0, "--band", 0, 0.15, "--t-r", 2.5),
    )
    assert outcome.files == ONE_SEED - {"sbc_z.png", "sbc_z.pdf"} | {
        f"sbc_z_{name}.{suffix}"
        for name in ("first", "second")
        for suffix in ("png", "pdf")
    }
    estimator = SeedCorrelationMap(
        NiftiSpheresMasker(
            simulated.seeds[:2], radius=6, allow_overlap=True, detrend=True
        ),
        NiftiMasker(simulated.mask_img, detrend=True),
        high_pass=None,
        low_pass=0.15,
        t_r=2.5,
    )
    confounds = pd.read_csv(small / "confounds.tsv", sep="\t")[["a", "c"]]
    z = estimator.fit_transform(Run(str(small / "bold.nii.gz"), confounds=confounds))
    maps = apply_mask(outcome.z_img, simulated.mask_img)
    np.testing.assert_allclose(maps.ravel(), z.ravel(), rtol=1e-5)
    assert list(outcome.signals) == ["first", "second"]
    said = outcome.sidecar
    assert said["confounds"] == ["a", "c"]
    assert (said["high_pass_hz"], said["low_pass_hz"]) == (None, 0.15)
    assert (said["t_r_s"], said["t_r_source"]) == (2.5, "--t-r")
    assert said["parameters"]["seed_masker__radius"] == 6
    assert said["parameters"]["brain_masker__smoothing_fwhm"] is None


@pytest.mark.usefixtures("no_pictures")
def test_prints_shapes_ranges_and_places(small, simulated, tmp_path, capsys):
    out = tmp_path / "out"
    seeds = seed_arguments(simulated, "here")
    mask = ("--mask", small / "mask.nii.gz")
    outcome = call(out, capsys, small / "bold.nii.gz", *seeds, *mask)
    (seed,) = outcome.sidecar["seeds"]
    n_voxels = outcome.sidecar["n_voxels"]
    for piece in (
        f"shape {nib.load(small / 'bold.nii.gz').shape}",
        f"shape ({simulated.n_scans}, 1)",
        f"shape ({simulated.n_scans}, {n_voxels})",
        f"r {seed['r_min']:.3f} to {seed['r_max']:.3f}",
        f"z {seed['z_min']:.3f} to {seed['z_max']:.3f}",
        "confounds     none (nuisance signals stay in the data; see --confounds)\n",
        f"{outcome.sidecar['effective_dof']:.0f} effective degrees of freedom are left "
        f"of {simulated.n_scans} scans",
        f"seed          here {describe_centre(simulated.seeds[0])}, "
        f"{seed['n_voxels']} voxels, {100 * seed['in_mask']:.0f} % in the brain, "
        f"tSNR {seed['tsnr']:.0f}\n",
        *(str(out / name) for name in outcome.files),
    ):
        assert piece in outcome.text


@pytest.mark.usefixtures("no_pictures")
def test_seed_of_one_voxel(small, tmp_path, capsys):
    out = tmp_path / "out"
    seed = ("--seed", "one", 0, 0, 0, "--radius", 0.1)
    outcome = call(out, capsys, small / "bold.nii.gz", *seed)
    (said,) = outcome.sidecar["seeds"]
    assert (said["n_voxels"], said["homogeneity"]) == (1, None)
    assert "one (0, 0, 0), 1 voxel, 100 % in the brain, tSNR" in outcome.text


@pytest.mark.usefixtures("no_pictures")
def test_mask_is_computed_and_columns_are_all_by_default(
    small, simulated, tmp_path, capsys
):
    table = pd.read_csv(small / "confounds.tsv", sep="\t").drop(columns="d")
    table.to_csv(small / "no_header.txt", sep=" ", index=False, header=False)
    outcome = call(
        tmp_path / "out",
        capsys,
        small / "bold.nii.gz",
        *("--confounds", small / "no_header.txt"),
        *seed_arguments(simulated, "here"),
    )
    assert outcome.sidecar["mask"] is None
    assert outcome.sidecar["confounds"] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("in_header", "unit", "t_r", "where"),
    [
        (2.0, "sec", 2.0, "header"),
        (720, "msec", 0.72, "header"),
        (1_500_000, "usec", 1.5, "header"),
        (0.72, "unknown", 0.72, "header, which has no unit of time"),
    ],
)
# A fast run of few scans has little left of the default band.
@pytest.mark.filterwarnings("ignore:.* effective degrees of freedom")
@pytest.mark.usefixtures("no_pictures")
def test_repetition_time_of_header(
    small, simulated, tmp_path, capsys, in_header, unit, t_r, where
):
    set_header(small / "bold.nii.gz", in_header, unit)
    seeds = seed_arguments(simulated, "here")
    outcome = call(tmp_path / "out", capsys, small / "bold.nii.gz", *seeds)
    assert outcome.sidecar["t_r_s"] == pytest.approx(t_r, rel=1e-12)
    assert outcome.sidecar["t_r_source"] == where
    assert f"{t_r:g} s ({where})" in outcome.text


@pytest.mark.parametrize(
    ("in_header", "unit"), [(0, "sec"), (np.nan, "sec"), (2, "hz"), (1500, "sec")]
)
@pytest.mark.usefixtures("no_pictures")
def test_band_needs_a_repetition_time(
    small, simulated, tmp_path, capsys, in_header, unit
):
    set_header(small / "bold.nii.gz", in_header, unit)
    out = tmp_path / "out"
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    line = fail(capsys, *arguments, "--out", out)
    assert "a band needs the repetition time" in line
    assert f"says {in_header} (unit: {unit}); give --t-r" in line
    assert not out.exists()
    outcome = call(out, capsys, *arguments, "--band", 0, "inf")
    assert outcome.sidecar["t_r_s"] is None
    assert outcome.sidecar["low_pass_hz"] is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: [d / "nothing.nii"], "FUNC: there is no file"),
        (lambda d: [d / "mask.nii.gz"], "must be a 4D image"),
        (lambda d: [d / "confounds.tsv"], "not an image that nibabel can open"),
        (
            lambda d: [d / "bold.nii.gz", "--mask", d / "nothing.nii"],
            "--mask: there is no file",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--mask", d / "confounds.tsv"],
            "--mask .* not an image that nibabel can open",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--mask", d / "bold.nii.gz"],
            "--mask .* must be a 3D image, got 4D",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--confounds", d / "nothing.tsv"],
            "--confounds: there is no file",
        ),
        (
            lambda d: [
                d / "bold.nii.gz",
                *("--confounds", d / "confounds.tsv", "--columns", "a,x"),
            ],
            "--columns: .* has no column 'x'; it has d, a, b, c",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--confounds", d / "confounds.tsv"],
            "--confounds .*confounds.tsv': column 'd' is empty in scan 0; leave it out "
            r"with --columns NAME,... \(complete: a, b, c\)\n$",
        ),
        (
            lambda d: [
                d / "bold.nii.gz",
                *("--confounds", d / "confounds.tsv", "--columns", "d"),
            ],
            r"column 'd' is empty in scan 0; .* \(complete: none\)\n$",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--seed", "far", 0, 900, 0],
            "lies outside the image",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--band", 0.01, 9],
            "--band: HIGH must be below 0.25 Hz, half of 1 / 2 s, or inf, got 9\n$",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--t-r", 1.5, "--band", 0.4, "inf"],
            "--band: LOW must be below 0.333333 Hz, half of 1 / 1.5 s, got 0.4\n$",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--t-r", 1500],
            "--t-r is in seconds; 1500 looks like milliseconds, which is 1.5 s\n$",
        ),
        (
            lambda d: [d / "bold.nii.gz", "--out", d / "mask.nii.gz" / "out"],
            "--out: .* is in the place of a folder .* give another folder",
        ),
    ],
)
def test_errors_are_one_line_and_leave_nothing(small, tmp_path, capsys, make, message):
    out = ["--out", tmp_path / "out"]
    before = sorted(tmp_path.rglob("*"))
    line = fail(capsys, *out, *make(small))
    assert re.search(message, line)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda t: t.iloc[1:],
            r"--confounds '.*tsv' has 99 rows, but FUNC has 100 scans\. Give the",
        ),
        (lambda t: t.assign(a="x"), "column 'a' has no number in scans 0, 1, 2 and "),
        (
            lambda t: t.assign(b=np.inf),
            "'b' has no finite number in scans 0, 1, 2 and ",
        ),
        (
            lambda t: t.assign(a=np.nan, **dict.fromkeys("efghijklm", 1.0)),
            r"\(complete: b, c, e, f, g, h, i, j, k, l and 1 more\)$",
        ),
    ],
)
def test_tables_of_confounds_that_do_not_fit(small, tmp_path, capsys, spoil, message):
    path = small / "confounds.tsv"
    table = spoil(pd.read_csv(path, sep="\t").drop(columns="d"))
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")
    arguments = [small / "bold.nii.gz", "--confounds", path]
    line = fail(capsys, *arguments, "--out", tmp_path / "out")
    assert re.search(message, line.rstrip("\n"))


def without_zero(path):
    """Put NaN in a header where numbers have their zero."""
    nib.save(nib.load(path), path.with_suffix("").with_suffix(".nii"))
    path = path.with_suffix("").with_suffix(".nii")
    content = bytearray(path.read_bytes())
    content[116:120] = np.float32(np.nan).tobytes()
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("suffix", [".gii", ".PAR", ".nii.zst", ".nii"])
@pytest.mark.parametrize("role", ["FUNC", "--mask"])
def test_files_that_are_no_image(small, tmp_path, capsys, suffix, role):
    if suffix == ".nii":
        path = without_zero(small / f"{'bold' if role == 'FUNC' else 'mask'}.nii.gz")
    else:
        path = small / f"spoilt{suffix}"
        path.write_text("this is no image\n" * 100)
    arguments = [path] if role == "FUNC" else [small / "bold.nii.gz", "--mask", path]
    line = fail(capsys, *arguments, "--out", tmp_path / "out")
    assert f"{role} ({str(path)!r}): not an image that nibabel can open" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", [TypeError, RuntimeError])
def test_errors_of_the_package_are_one_line(
    small, simulated, tmp_path, capsys, monkeypatch, kind
):
    def spoilt(*_, **__):
        raise kind("run 0 ('bold.nii') could not be mapped")

    monkeypatch.setattr(SeedCorrelationMap, "fit_transform", spoilt)
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    line = fail(capsys, *arguments, "--out", tmp_path / "out")
    assert line == "sbc-map: error: the run could not be mapped\n"


@pytest.mark.parametrize("spoil", ["cut", "zeros"])
def test_mask_without_a_brain_names_its_file(small, simulated, tmp_path, capsys, spoil):
    path = small / "mask.nii.gz"
    if spoil == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        mask = nib.load(path)
        nib.save(nib.Nifti1Image(np.zeros(mask.shape, np.uint8), mask.affine), path)
    line = fail(
        capsys,
        *(small / "bold.nii.gz", "--mask", path, "--out", tmp_path / "out"),
        *seed_arguments(simulated, "here"),
    )
    assert f"mask_img ({str(path)!r})" in line
    assert ("truncated" if spoil == "cut" else "is empty") in line


def test_truncated_run(small, tmp_path, capsys):
    path = small / "bold.nii.gz"
    path.write_bytes(path.read_bytes()[:-50_000])
    out, mask = tmp_path / "out", small / "mask.nii.gz"
    line = fail(capsys, path, "--mask", mask, "--seed", "s", 0, 0, 0, "--out", out)
    assert "truncated" in line
    assert not out.exists()


def test_folder_that_cannot_be_written_to(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    line = fail(capsys, "--out", tmp_path / "out")
    assert f"--out: cannot write to {str(tmp_path)!r}" in line


WRITERS = [(bids, "write_map"), (_command, "write_figure"), (_command, "write_json")]


@pytest.mark.parametrize("writer", WRITERS, ids=lambda own: own[1])
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.usefixtures("no_pictures")
def test_nothing_is_half_written(
    small, simulated, tmp_path, capsys, monkeypatch, writer, existing
):
    out = tmp_path / "new" / "out"
    if existing:
        out.mkdir(parents=True)
        (out / "sbc_z.nii.gz").write_text("of before")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*writer, full)
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    assert "No space left on device" in fail(capsys, *arguments, "--out", out)
    if existing:
        assert [path.name for path in out.iterdir()] == ["sbc_z.nii.gz"]
        assert (out / "sbc_z.nii.gz").read_text() == "of before"
    else:
        assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("no_pictures")
def test_files_of_before_are_replaced(small, simulated, tmp_path, capsys):
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sbc_z.nii.gz").write_text("of before")
    (tmp_path / "out" / "notes.txt").write_text("of the user")
    outcome = call(tmp_path / "out", capsys, *arguments)
    assert outcome.z_img.ndim == 3
    assert outcome.files == set(outcome.sidecar["files"]) | {"notes.txt"}


@pytest.fixture
def empty_pictures(monkeypatch, no_pictures):
    """Write pictures without anything in them."""

    def write(figure, stem):
        for suffix in ("png", "pdf"):
            stem.with_name(f"{stem.name}.{suffix}").touch()

    monkeypatch.setattr(_command, "write_figure", write)


@pytest.mark.usefixtures("empty_pictures")
def test_names_of_several_words(small, simulated, tmp_path, capsys):
    out, names = tmp_path / "out", ["L IPS", "R IPS"]
    seeds = seed_arguments(simulated, *names)
    outcome = call(out, capsys, small / "bold.nii.gz", *seeds)
    assert [seed["name"] for seed in outcome.sidecar["seeds"]] == names
    assert {"sbc_z_L_IPS.png", "sbc_z_R_IPS.pdf"} < outcome.files
    assert list(pd.read_csv(out / "seed_signals.tsv", sep="\t")) == names
    assert re.search(r"^seed {10}L IPS \(", outcome.text, re.MULTILINE)


@pytest.mark.usefixtures("empty_pictures")
def test_files_of_other_seeds_are_removed(small, simulated, tmp_path, capsys):
    out = tmp_path / "out"
    outcomes = {}
    for names in (("a",), ("b", "c"), ("c",)):
        seeds = seed_arguments(simulated, *names)
        outcomes[names] = call(out, capsys, small / "bold.nii.gz", *seeds)
        (out / "sbc_z_notes.txt").touch()
    removed = {
        names: re.findall(r"^removed {7}(.+)$", outcome.text, re.MULTILINE)
        for names, outcome in outcomes.items()
    }
    both = ["sbc_z_b.pdf", "sbc_z_b.png", "sbc_z_c.pdf", "sbc_z_c.png"]
    assert removed == {
        ("a",): [],
        ("b", "c"): [str(out / name) for name in ("sbc_z.pdf", "sbc_z.png")],
        ("c",): [str(out / name) for name in both],
    }
    for outcome in outcomes.values():
        assert outcome.files - {"sbc_z_notes.txt"} == set(outcome.sidecar["files"])
    assert (out / "sbc_z_notes.txt").is_file()


@pytest.mark.usefixtures("no_pictures")
def test_a_report_lies_beside_the_maps_where_it_is_asked_for(
    small, simulated, tmp_path, capsys
):
    out = tmp_path / "out"
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    with_report = call(out, capsys, *arguments, "--report")
    assert with_report.files == ONE_SEED - PICTURES | {"report.html"}
    assert "report.html" in with_report.sidecar["files"]
    assert f"wrote         {out / 'report.html'}" in with_report.text
    page = (out / "report.html").read_text("utf-8")
    assert "The data were one run of 100 scans" in page
    assert call(out, capsys, *arguments).files == ONE_SEED - PICTURES


@pytest.mark.parametrize(
    "sidecar",
    [
        "no JSON",
        b"\xff",
        "[1]",
        '{"files": 3}',
        '{"files": [3, null, "", ".", "..", "../kept", "/kept", "sub/kept", "sub"]}',
        json.dumps({"files": ["a\0b", "\ud800"]}),
    ],
)
@pytest.mark.usefixtures("no_pictures")
def test_only_files_in_the_folder_are_removed(
    small, simulated, tmp_path, capsys, sidecar
):
    out = tmp_path / "out"
    (out / "sub").mkdir(parents=True)
    kept = [tmp_path / "kept", out / "sub" / "kept"]
    for path in kept:
        path.touch()
    content = sidecar if isinstance(sidecar, bytes) else sidecar.encode()
    (out / "sbc_z.json").write_bytes(content)
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    outcome = call(out, capsys, *arguments)
    assert all(path.is_file() for path in kept)
    assert "removed" not in outcome.text


@pytest.mark.usefixtures("no_pictures")
def test_warnings_are_one_line(small, simulated, tmp_path, capsys):
    img = nib.load(small / "bold.nii.gz")
    data = img.get_fdata(dtype=np.float32)
    data[tuple(np.argwhere(simulated.mask_img.get_fdata())[0])] = 5
    nib.save(nib.Nifti1Image(data, img.affine, img.header), small / "dead.nii.gz")
    arguments = [small / "dead.nii.gz", "--mask", small / "mask.nii.gz"]
    arguments += [*seed_arguments(simulated, "here"), "--smoothing", 0]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        showwarning = warnings.showwarning
        assert main([*map(str, arguments), "--out", str(tmp_path / "out")]) == 0
        assert warnings.showwarning is showwarning
    (line,) = capsys.readouterr().err.splitlines()
    assert re.match(r"sbc-map: warning: the run: some voxels have no signal", line)
    said = json.loads((tmp_path / "out" / "sbc_z.json").read_text("utf-8"))
    assert said["n_voxels_without_signal"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--helpp"], "unrecognized arguments: --helpp. Did you mean --help?"),
        (["--smooth", 5], "--smooth. Did you mean --smoothing?"),
        (["--confouds", "c.tsv", "--columns", "a"], "Did you mean --confounds?"),
        (["b.nii", "--confouds=c.tsv", "--mak", "m.nii"], "--confounds, --mask?"),
        (["--tr", 2], "unrecognized arguments: --tr. Did you mean --t-r?"),
        (["b.nii", "-confounds", "c"], "-confounds c. Did you mean --confounds?"),
        (["--seed", 0, -52, 18], SEED_NEEDS),
        (["--seed", "PCC", "0,-52,18"], SEED_NEEDS),
        (["--seed", 0, -52, 18, "b.nii"], f"{SEED_NEEDS}, got 'b.nii'"),
        (["--seed", "PCC", 0, -52], SEED_NEEDS),
        (["--seed", "PCC", 0, -52, "x"], f"{SEED_NEEDS}, got 'x'"),
        (["--seed", "PCC", 0, -52, "inf"], f"{SEED_NEEDS}, got 'inf'"),
        (["--seed", "-PCC", 0, -52, 18], SEED_NEEDS),
        (["--seed", -5, 0, -52, 18], "not begin with a sign, got '-5'"),
        (["--seed", "a/b", 0, 0, 0], "NAME must be letters"),
        (["--seed", "a", 0, 0, 0, "--seed", "A", 1, 1, 1], "got 'A' twice"),
        (["--seed", "L I", 0, 0, 0, "--seed", "l_I", 1, 1, 1], "got 'l_I' twice"),
        (["--seed", "PCC ", 0, 0, 0], "NAME must be letters"),
        (["--band", 0.1, 0.01], "--band: LOW must be 0 or more and below HIGH"),
        (["--band", 0.01, "nan"], "as in --band 0.01 0.1, got 'nan'"),
        (["--band", "0.01,0.1"], "--band needs LOW and HIGH in Hz, as in --band 0.01"),
        (["--radius", 0], "--radius: must be a finite number above 0, got '0'"),
        (["--radius", "wide"], "--radius: must be a finite number above 0, got 'wide'"),
        (["--t-r", "2s"], "--t-r: must be a finite number above 0, got '2s'"),
        (["--smoothing", "no"], "must be a length from 0 to 1000 mm, got 'no'"),
        (["--smoothing", "nan"], "must be a length from 0 to 1000 mm, got 'nan'"),
        (["--smoothing", -1], "--smoothing: must be a length from 0 to 1000 mm"),
        (["--smoothing", "1e9"], "--smoothing: must be a length from 0 to 1000 mm"),
        (["--radius", "1e9"], "--radius: must be at most 1000 mm, got '1e9'"),
        (["--t-r", "inf"], "--t-r: must be a finite number above 0, got 'inf'"),
        (["--columns", "a,,b"], "--columns: must be different names"),
        (["--confounds", "c.tsv"], "--confounds needs FUNC"),
        (["--mask", "m.nii"], "--mask needs FUNC"),
        (["--t-r", 2], "--t-r needs FUNC"),
        (["bold.nii", "--columns", "a"], "--columns needs --confounds"),
    ],
)
def test_arguments_that_are_not_understood(capsys, arguments, message):
    assert message in refuse(capsys, *arguments)


def test_nothing_is_suggested_for_what_resembles_no_option(capsys):
    line = refuse(capsys, "bold.nii", "other.nii", "--xyz", "5")
    assert line.endswith("unrecognized arguments: --xyz 5")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["--version"], 0), (["--helpp"], 2), (["no file"], 2)],
)
def test_answers_at_once(arguments, status):
    code = (
        "import sys, runpy\n"
        f"sys.argv[1:] = {arguments}\n"
        "try:\n"
        "    runpy.run_module('sbc_estimators', run_name='__main__')\n"
        "finally:\n"
        "    heavy = {'numpy', 'pandas', 'scipy', 'sklearn', 'nilearn', 'matplotlib'}\n"
        "    print('loaded:', *sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "loaded:"
    assert (done.stderr == "") == (status == 0)


def test_help_says_what_is_written(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "one row per scan" in text
    assert "created if missing" in text
    assert "sbc_z_NAME.png" in text
    assert "several seeds" in text


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"sbc-map {sbc_estimators.__version__}\n"


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("n_seeds", [1, 2])
def test_sidecars_tell_measure_and_radii(small, simulated, tmp_path, n_seeds):
    table = pd.DataFrame(simulated.seeds[:n_seeds], columns=list("xyz"))
    table["name"], table["radius"] = list("ab")[:n_seeds], [4, 5.5][:n_seeds]
    table.to_csv(tmp_path / "seeds.tsv", sep="\t", index=False)
    words = [small / "bold.nii.gz", "--mask", small / "mask.nii.gz"]
    words += ["--seeds", tmp_path / "seeds.tsv", "--measure", "semipartial"]
    assert main(list(map(str, [*words, "--out", tmp_path / "out"]))) == 0
    said = json.loads((tmp_path / "out" / "sbc_z.json").read_text("utf-8"))
    measure = "semipartial " if n_seeds == 2 else ""
    assert said["quantity"] == f"Fisher z of the {measure}correlation with each seed"
    assert [own["radius_mm"] for own in said["seeds"]] == [4, 5.5][:n_seeds]


@pytest.mark.usefixtures("no_pictures")
def test_z_scores_beside_the_variance(small, simulated, tmp_path):
    arguments = [small / "bold.nii.gz", "--mask", small / "mask.nii.gz"]
    seeds = seed_arguments(simulated, "here")
    out = tmp_path / "out"
    call = [*arguments, *seeds, "--scale", "z_score", "--out", out]
    assert main(list(map(str, call))) == 0
    sidecar = json.loads((out / "sbc_z.json").read_text("utf-8"))
    maps = {"sbc_zscore.nii.gz", "sbc_variance.nii.gz"}
    assert {name for name in sidecar["files"] if name.endswith("nii.gz")} == maps
    assert sidecar["quantity"].startswith("z score of the correlation with each")
    estimator = SeedCorrelationMap(
        SphereSeeds(simulated.seeds[:1], names=["here"]),
        NiftiMasker(simulated.mask_img, smoothing_fwhm=6, detrend=True),
        high_pass=0.01,
        low_pass=0.1,
        t_r=simulated.t_r,
    ).fit(str(small / "bold.nii.gz"))
    (expected,) = estimator.statistics(str(small / "bold.nii.gz"))
    for stem, values in (
        ("sbc_zscore", expected.z_score),
        ("sbc_variance", expected.variance),
    ):
        img = nib.load(out / f"{stem}.nii.gz")
        written = apply_mask(img, simulated.mask_img)
        np.testing.assert_allclose(written, values[0], rtol=1e-6)


# Two entrances to one fact


def sidecar(path, **content):
    """Write a JSON file."""
    path.write_text(json.dumps(content))


SIDECARS = {
    "bold.json": {"RepetitionTime": 1.25},
    "task-rest_bold.json": {"RepetitionTime": 9},  # says more than the image's name
}


@pytest.mark.usefixtures("no_pictures")
def test_repetition_time_of_a_sidecar_comes_first(small, simulated, tmp_path, capsys):
    """The header's 1 s was taken: r off by 0.24, without a word."""
    for name, content in SIDECARS.items():
        sidecar(small / name, **content)
    arguments = [small / "bold.nii.gz", "--mask", small / "mask.nii.gz"]
    arguments += [*seed_arguments(simulated, "here"), "--out", tmp_path / "out"]
    text, errors = output(capsys, arguments)
    assert "1.25 s (sidecar)" in text
    assert errors == (
        "sbc-map: warning: the run: the repetition time that is used is 1.25 s, but "
        "its header says 2 s. Pass the right one as t_r.\n"
    )
    said = json.loads((tmp_path / "out" / "sbc_z.json").read_text("utf-8"))
    assert (said["t_r_s"], said["t_r_source"]) == (1.25, "sidecar")
    z = apply_mask(nib.load(tmp_path / "out" / "sbc_z.nii.gz"), simulated.mask_img)
    sbc = SeedCorrelationMap(
        SphereSeeds(simulated.seeds[:1]),
        NiftiMasker(simulated.mask_img, smoothing_fwhm=6, detrend=True),
        low_pass=0.1,
        high_pass=0.01,
        t_r=1.25,
    )
    with pytest.warns(UserWarning, match=r"used is 1.25 s, but its header says 2 s"):
        expected = sbc.fit_transform(small / "bold.nii.gz")
    np.testing.assert_allclose(z, expected[0], rtol=0, atol=2e-6)


@pytest.mark.usefixtures("no_pictures")
def test_what_is_said_comes_before_a_sidecar(small, simulated, tmp_path, capsys):
    sidecar(small / "bold.json", RepetitionTime=2.0)
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    arguments += ["--t-r", 1.25, "--out", tmp_path / "out"]
    text, errors = output(capsys, arguments)
    assert "1.25 s (--t-r)" in text
    assert "is 1.25 s, but its sidecar says 2 s and its header says 2 s" in errors


@pytest.mark.parametrize("content", ["no JSON", '{"RepetitionTime": -1}'])
@pytest.mark.usefixtures("no_pictures")
def test_sidecar_that_makes_no_sense(small, simulated, tmp_path, capsys, content):
    (small / "bold.json").write_text(content)
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    line = fail(capsys, *arguments, "--out", tmp_path / "out")
    assert f"sidecar {str(small / 'bold.json')!r}" in line
    call(tmp_path / "out", capsys, *arguments, "--t-r", 2)


@pytest.mark.usefixtures("no_pictures")
def test_a_mask_may_have_a_fourth_axis_of_one(small, simulated, tmp_path, capsys):
    """The Python interface takes it."""
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here"), "--mask"]
    expected = call(tmp_path / "3d", capsys, *arguments, small / "mask.nii.gz")
    mask = nib.load(small / "mask.nii.gz")
    mask = nib.Nifti1Image(np.asarray(mask.dataobj)[..., np.newaxis], mask.affine)
    nib.save(mask, small / "mask_4d.nii.gz")
    found = call(tmp_path / "4d", capsys, *arguments, small / "mask_4d.nii.gz")
    np.testing.assert_array_equal(found.z_img.dataobj, expected.z_img.dataobj)


@pytest.mark.parametrize("separator", [";", ",", " ", "\t"])
@pytest.mark.usefixtures("no_pictures")
def test_confounds_of_any_separator(small, simulated, tmp_path, capsys, separator):
    path = small / "confounds.tsv"
    table = pd.read_csv(path, sep="\t").drop(columns="d")
    table.to_csv(path, sep=separator, index=False)
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    outcome = call(tmp_path / "out", capsys, *arguments, "--confounds", path)
    assert outcome.sidecar["confounds"] == ["a", "b", "c"]


# Places to write to


NAMES = ["sbc_z.png", "sbc_z.nii.gz", "seed_signals.tsv", "sbc_z.json"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("empty_pictures")
def test_a_folder_in_the_place_of_a_file(
    small, simulated, tmp_path, capsys, monkeypatch, name
):
    """It stopped the command half-way; nothing is read before, and nothing written."""
    out = tmp_path / "out"
    (out / name).mkdir(parents=True)
    (out / "sbc_z.pdf").write_text("of before")
    arguments = [small / "bold.nii.gz", *seed_arguments(simulated, "here")]
    with monkeypatch.context() as patch:
        patch.setattr(SeedCorrelationMap, "fit_transform", None)
        line = fail(capsys, *arguments, "--out", out)
    assert f"{str(out / name)!r} is a folder" in line
    assert "Move it away" in line
    assert sorted(path.name for path in out.iterdir()) == sorted([name, "sbc_z.pdf"])
    assert (out / "sbc_z.pdf").read_text() == "of before"
    shutil.move(out / name, tmp_path / "away")
    assert main([*map(str, arguments), "--out", str(out)]) == 0


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_link_to_nowhere(tmp_path, capsys, below):
    """It ended in "File exists"."""
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    line = fail(capsys, "--out", tmp_path / "link" / below)
    assert f"--out: {str(tmp_path / 'link')!r} is a link to" in line
    assert "which does not exist" in line
    assert not (tmp_path / "nowhere").exists()


def test_lengths_are_those_of_the_estimator():
    assert options.LONGEST == LONGEST

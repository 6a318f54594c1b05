"""`sbc-map` for grayordinates: one run, a study, and what does not go with them."""

import json
import warnings

import nibabel as nib
import numpy as np
import pytest

from grayordinate_helpers import labels_of, save, simulated_acquisition
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._command.estimators import make_estimator
from sbc_estimators._command.exploring import origins_of
from sbc_estimators._command.inputs import find_sources
from sbc_estimators._command.options import understood
from sbc_estimators._explore.recipes import recipe
from sbc_estimators._explore.spaces import space_of
from sbc_estimators._images.opening import open_scans
from sbc_estimators.maskers import GrayordinateMasker, RegionSeeds, SphereSeeds

WIDE = ("--band", "0", "inf")
"""Keeps degrees of freedom enough of few scans."""


@pytest.fixture(scope="module")
def data():
    return simulated_acquisition(60)


@pytest.fixture(scope="module")
def files(data, tmp_path_factory):
    """The folder of a run, its confounds, a mesh and an atlas."""
    folder = tmp_path_factory.mktemp("grayordinates")
    save(data.img, folder / "rest.dtseries.nii")
    data.confounds.to_csv(folder / "rest.tsv", sep="\t", index=False)
    data.mesh.to_filename(folder / "mesh.gii")
    codes = np.where(np.arange(len(data.axis)) < 30, 1, 0)
    save(labels_of(data.axis, codes, {1: "V1"}), folder / "atlas.dlabel.nii")
    return folder


@pytest.fixture
def mesh_words(files):
    return ["--mesh", *(files / f"mesh_hemi-{side}.gii" for side in "LR")]


def seed_words(data):
    """Return the words for a sphere in the voxels, and for its masker."""
    place = data.seeds[1]
    words = ["--seed", "deep", *place, "--radius", "6"]
    return words, SphereSeeds([place], 6, names=["deep"])


@pytest.mark.parametrize("width", [None, 4])
def test_a_run_gives_the_map_of_python(data, files, mesh_words, tmp_path, call, width):
    words, seeds = seed_words(data)
    smooth = [] if width is None else [*mesh_words, "--smoothing", width]
    run = [files / "rest.dtseries.nii", "--confounds", files / "rest.tsv"]
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # printed by the command
        status, _, errors = call(*run, *words, *WIDE, *smooth, "--out", tmp_path)
    assert status == 0
    mesh = None if width is None else data.mesh
    # Without a mesh, there is nothing to draw cortex on.
    assert ("sbc-map has --mesh LEFT RIGHT" in errors) == (mesh is None)
    brain = GrayordinateMasker(smoothing_fwhm=width, mesh=mesh, detrend=True)
    sbc = SeedCorrelationMap(seeds, brain).fit(Run(data.img, data.confounds))
    img = nib.load(tmp_path / "sbc_z.dscalar.nii")
    assert list(img.header.get_axis(0).name) == ["Fisher z"]
    z = np.arctanh(sbc.correlations_)
    np.testing.assert_allclose(img.get_fdata(), z, rtol=0, atol=2e-5)
    sidecar = json.loads((tmp_path / "sbc_z.json").read_text("utf-8"))
    assert sidecar["smoothing_mm"] == (width or 0)
    assert {"sbc_z.png", "sbc_z.pdf"} <= set(sidecar["files"])


def test_regions_of_cortex_alone_have_maps_without_pictures(
    data, files, tmp_path, call
):
    axis = data.axis[data.axis.surface_mask]
    matrix = np.asarray(data.img.dataobj)[:, data.axis.surface_mask]
    img = nib.Cifti2Image(matrix, (data.img.header.get_axis(0), axis))
    run = save(img, tmp_path / "cortex.dtseries.nii")
    seeds = ["--atlas", files / "atlas.dlabel.nii", "--regions", "V1"]
    scale = ["--scale", "z_score", "--out", tmp_path / "out"]
    status, _, errors = call(run, *seeds, *WIDE, *scale)
    assert (status, errors) == (0, "")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    maps = {"sbc_zscore.dscalar.nii", "sbc_variance.dscalar.nii", "sbc_z.json"}
    assert names == maps | {f"seed_signals.{end}" for end in ("tsv", "png", "pdf")}
    seeds = RegionSeeds(str(files / "atlas.dlabel.nii"), ["V1"])
    brain = GrayordinateMasker(detrend=True)
    (expected,) = SeedCorrelationMap(seeds, brain).fit(img).statistics(img)
    found = nib.load(tmp_path / "out" / "sbc_zscore.dscalar.nii").get_fdata()
    np.testing.assert_allclose(found, expected.z_score, rtol=0, atol=1e-4)


def test_a_study_of_grayordinates(data, tmp_path, call):
    words, _ = seed_words(data)
    for sub in ("01", "02"):
        folder = tmp_path / "fmriprep" / f"sub-{sub}" / "func"
        folder.mkdir(parents=True)
        stem = folder / f"sub-{sub}_task-rest"
        save(data.img, f"{stem}_space-fsLR_den-91k_bold.dtseries.nii")
        (folder / f"{stem.name}_space-fsLR_den-91k_bold.json").write_text(
            '{"RepetitionTime": 2.0}'
        )
        table = data.confounds.rename(columns={"confound_0": "csf"})
        table.to_csv(f"{stem}_desc-confounds_timeseries.tsv", sep="\t", index=False)
    study = [tmp_path / "fmriprep", "--columns", "csf", "--space", "fsLR"]
    status, text, errors = call(*study, *words, *WIDE, "--out", tmp_path / "maps")
    assert (status, errors) == (0, "")
    assert "mask          all grayordinates" in text
    maps = sorted((tmp_path / "maps").rglob("*.dscalar.nii"))
    names = "sub-{}_task-rest_space-fsLR_den-91k_seed-deep_stat-effect_statmap"
    expected = [f"{names.format(sub)}.dscalar.nii" for sub in ("01", "02")]
    assert [path.name for path in maps] == expected


WRONG = {
    "--mask": "--mask is for volumes, this is a CIFTI image",
    "--mask-seeds": "--mask-seeds is for volumes, this is a CIFTI image",
    "--smoothing": "--smoothing needs --mesh, along which cortex is smoothed; give",
}


@pytest.mark.parametrize("option", WRONG)
def test_options_of_volumes(data, files, tmp_path, call, option):
    values = {"--mask": [tmp_path / "mask.nii"], "--smoothing": ["6"]}
    nib.save(
        nib.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.eye(4)), tmp_path / "mask.nii"
    )
    run = [files / "rest.dtseries.nii", option, *values.get(option, [])]
    words, _ = seed_words(data)
    status, text, errors = call(*run, *words, "--out", tmp_path / "out")
    assert (status, text) == (2, "")
    assert WRONG[option] in errors
    assert not (tmp_path / "out").exists()


def test_a_mesh_that_is_none(data, files, tmp_path, call, mesh_words):
    words, _ = seed_words(data)
    volume = tmp_path / "rest.nii"
    nib.save(data.volume_img, volume)
    status, _, errors = call(volume, *words, *mesh_words, "--out", tmp_path / "out")
    assert status == 2
    assert "--mesh is for grayordinates (.dtseries.nii), this is a volume" in errors
    run = files / "rest.dtseries.nii"
    mesh = ["--mesh", mesh_words[1], files / "rest.tsv"]
    status, _, errors = call(run, *words, *mesh, "--out", tmp_path / "out")
    assert status == 2
    assert "not two surfaces that nilearn can open, left and right: " in errors
    status, _, errors = call(run, *words, "--mesh", mesh_words[1])
    assert "--mesh needs two files, as in --mesh L.midthickness" in errors


def test_the_page_tells_where_the_mesh_comes_from(data, files, mesh_words):
    words, _ = seed_words(data)
    run = [files / "rest.dtseries.nii", *words, *mesh_words, "--explore"]
    given = understood(list(map(str, run)))
    (source,) = find_sources(given)
    sbc = make_estimator(given, source).fit(source.run)
    space = space_of(sbc, open_scans(source.func).grid)
    found = recipe(sbc, [source.run], space, origins_of(given, source))
    for part in ("volume", "cortex"):
        code = found.python[part].replace("(@X@, @Y@, @Z@)", str(data.seeds[1]))
        for mark, value in (("RADIUS", "6"), ("VERTEX", "20"), ("SUMMARY", "mean")):
            code = code.replace(f"@{mark}@", value)
        code = code.replace("@HEMISPHERE@", "left")
        made = {}
        exec(code.rpartition("sbc.inverse_transform")[0], made)
        assert made["sbc"].n_seeds_ == 1
        assert made["sbc"].brain_masker_.smoothing_fwhm == 6
    assert found.why_no_command.startswith("sbc-map has no option for seeds of vert")

"""Sidecars of maps: of what they are, and what makes a map another one."""

import json
import os

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker

from helpers import times
from sbc_estimators import Run, SeedCorrelationMap, save_to_bids
from sbc_estimators._maps import seeds as seeds_module
from sbc_estimators.datasets import make_runs
from sbc_estimators.maskers import RegionSeeds, SphereSeeds


@pytest.fixture(scope="module")
def data():
    """One run of 60 scans, and its mask."""
    return make_runs(n_runs=1, n_scans=60, random_state=0)


@pytest.fixture
def run(data, tmp_path):
    """The run in a file."""
    path = tmp_path / "sub-01_task-rest_bold.nii.gz"
    nib.save(data.runs[0].img, path)
    return Run(path, t_r=2.0)


def sidecars(folder):
    """Return what each sidecar says, in the order of names."""
    paths = sorted(folder.rglob("*_statmap.json"))
    return [json.loads(path.read_text("utf-8")) for path in paths]


# Classes of maskers


class Twice(NiftiMasker):
    """A masker whose maps are others, with the parameters of NiftiMasker."""

    def transform_single_imgs(self, *given, **options):
        return super().transform_single_imgs(*given, **options) ** 3


class TwiceSeeds(SphereSeeds):
    """The same for seeds."""


def test_another_class_of_masker_makes_maps_again(data, run, tmp_path):
    out = tmp_path / "maps"
    found = []
    for seeds in (SphereSeeds, TwiceSeeds):
        for brain in (NiftiMasker, Twice):
            voxels = brain(data.mask_img, standardize=None)
            maskers = seeds(data.seeds[:1], radius=6), voxels
            sbc = SeedCorrelationMap(*maskers).fit(run)
            (path,) = save_to_bids(sbc, run, out)
            sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
            told = json.loads(sidecar.read_text("utf-8"))
            found.append(told["Key"])
            mask = sbc.brain_masker_.mask_img_.get_fdata() != 0
            values = nib.load(path).get_fdata(dtype=np.float32)[mask]
            np.testing.assert_array_equal(values, sbc.transform(run)[0])
            for name, kind in (("seed_masker", seeds), ("brain_masker", brain)):
                expected = f"{kind.__module__}.{kind.__qualname__}"
                assert told["Parameters"][name] == expected
    assert len(set(found)) == 4


# Parameters after fit


def test_sidecars_tell_what_was_fitted(data, run, tmp_path):
    maskers = SphereSeeds(data.seeds[:2], radius=6), NiftiMasker(data.mask_img)
    sbc = SeedCorrelationMap(*maskers, high_pass=0.01, t_r=2.0).fit(run)
    save_to_bids(sbc, run, tmp_path / "first")
    sbc.set_params(
        measure="partial",
        seed_summary="median",
        low_pass=0.05,
        high_pass="masker",
        t_r=3.0,
        seed_masker__radius=9,
        brain_masker__smoothing_fwhm=4,
    )
    save_to_bids(sbc, run, tmp_path / "second")
    for first, second in zip(
        sidecars(tmp_path / "first"), sidecars(tmp_path / "second"), strict=True
    ):
        assert first == second
        given = first["Parameters"]
        assert given["measure"] == "correlation"
        assert given["seed_summary"] == "mean"
        assert given["brain_masker__high_pass"] == 0.01
        assert given["brain_masker__low_pass"] is None
        assert given["brain_masker__t_r"] == 2.0
        assert given["seed_masker__radius"] == 6
        assert "low_pass" not in given
    before = times(tmp_path / "first")
    save_to_bids(sbc, run, tmp_path / "first")
    assert times(tmp_path / "first") == before


def test_sidecars_tell_what_counts_at_the_time(data, run, tmp_path):
    maskers = SphereSeeds(data.seeds[:1], radius=6), NiftiMasker(data.mask_img)
    sbc = SeedCorrelationMap(*maskers).fit(run).set_params(on_error="skip", scale="r")
    save_to_bids(sbc, run, tmp_path / "maps")
    (told,) = sidecars(tmp_path / "maps")
    assert told["Parameters"]["on_error"] == "skip"
    assert told["Parameters"]["scale"] == "r"


def test_a_masker_that_was_none_is_told(data, run, tmp_path):
    sbc = SeedCorrelationMap(SphereSeeds(data.seeds[:1], radius=6)).fit(run)
    save_to_bids(sbc, run, tmp_path / "maps")
    (told,) = sidecars(tmp_path / "maps")
    assert told["Parameters"]["brain_masker"].endswith(".NiftiMasker")
    assert told["Parameters"]["brain_masker__smoothing_fwhm"] is None


# Sources and descriptions


@pytest.fixture
def places(data, tmp_path):
    """Files of three masks, one place each."""
    paths = []
    for i, seed in enumerate(data.seeds[:3]):
        values = np.zeros(data.mask_img.shape, np.uint8)
        x, y, z = np.linalg.solve(data.mask_img.affine, [*seed, 1])[:3].round()
        values[int(x), int(y), int(z)] = 1
        paths.append(tmp_path / f"place-{i}.nii.gz")
        nib.save(nib.Nifti1Image(values, data.mask_img.affine), paths[-1])
    return paths


def test_sources_are_all_files(data, run, places, tmp_path):
    run = Run(run.img, t_r=2.0, seed_places=[places[0], str(places[1])])
    masker = RegionSeeds("run", names=["a", "b"])
    sbc = SeedCorrelationMap(masker, NiftiMasker(data.mask_img)).fit(run)
    save_to_bids(sbc, run, tmp_path / "maps")
    for told in sidecars(tmp_path / "maps"):
        assert told["Sources"] == [str(run.img), *map(str, places[:2])]
    before = times(tmp_path / "maps")
    os.utime(places[1], (1, 1))
    save_to_bids(sbc, run, tmp_path / "maps")
    after = times(tmp_path / "maps")
    assert all(after[path] > before[path] for path in after if "seed-" in path.name)


def test_descriptions_tell_the_measure(data, run, tmp_path, monkeypatch):
    monkeypatch.setitem(seeds_module.MEASURES, "mine", seeds_module.correlation)
    words = {
        "correlation": "correlation",
        "partial": "partial correlation",
        "semipartial": "semipartial correlation",
        "mine": "measure 'mine'",
    }
    for n_seeds in (1, 2):
        names = ["PCC", "V1"][:n_seeds]
        seeds = SphereSeeds(data.seeds[:n_seeds], radius=6, names=names)
        for measure, expected in words.items():
            if n_seeds == 1 and "partial" in measure:
                expected = "correlation"
            brain = NiftiMasker(data.mask_img)
            sbc = SeedCorrelationMap(seeds, brain, measure=measure).fit(run)
            out = tmp_path / f"{measure}{n_seeds}"
            path = save_to_bids(sbc, run, out)[0]
            text = f"Fisher z of the {expected} with seed PCC"
            assert sidecars(out)[0]["Description"] == text
            assert nib.load(path).header["descrip"].item().decode() == text

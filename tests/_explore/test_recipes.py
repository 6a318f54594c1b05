"""What is copied: scripts and commands, and why there is no command."""

import re
import shlex

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker, SurfaceMasker

from grayordinate_helpers import column_of, save, simulated_acquisition
from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._explore.recipes import Origins, recipe
from sbc_estimators._explore.spaces import space_of
from sbc_estimators._images.opening import grid_of
from sbc_estimators.maskers import GrayordinateMasker, SphereSeeds, SurfaceSeeds

NOTHING = Origins()

NO_VERTICES = "sbc-map has no option for seeds of vertices: copy the Python."

ASKED = r"\n# Only in memory, so bring your own:\n"


def made(brain, runs, seeds, image, origins=NOTHING, **options):
    """Return the recipe of an estimator that is fitted to runs."""
    sbc = SeedCorrelationMap(seeds, brain, **options).fit(runs)
    return recipe(sbc, runs, space_of(sbc, grid_of(image)), origins)


def in_memory(img):
    """Return an image of no file; other tests may have saved the one they share."""
    return nib.Nifti1Image(np.asarray(img.dataobj), img.affine)


@pytest.fixture(scope="module")
def files(simulated, tmp_path_factory):
    """A simulated run and its mask in files."""
    folder = tmp_path_factory.mktemp("it's here")
    nib.save(in_memory(simulated.img), folder / "bold.nii")
    nib.save(in_memory(simulated.mask_img), folder / "mask.nii")
    return folder


@pytest.fixture(scope="module")
def seeds(simulated):
    return SphereSeeds(simulated.seeds[:1], radius=8)


def test_the_command_says_what_the_maskers_say(files, simulated, seeds):
    brain = NiftiMasker(files / "mask.nii", detrend=True, smoothing_fwhm=5)
    run = Run(files / "bold.nii", t_r=2)
    command = made(brain, [run], seeds, simulated.img, high_pass=0.01).command
    start = f"sbc-map '{files}/bold.nii' --mask '{files}/mask.nii' --smoothing 5.0"
    assert command.startswith(start.replace("it's", "it'\"'\"'s"))
    seed = "--seed seed @X@ @Y@ @Z@ --radius @COMMAND_RADIUS@ --mask-seeds"
    seed += " --summary @SUMMARY@ --out seed_map"
    assert command.endswith(f" --band 0.01 inf --t-r 2.0 {seed}")


def test_the_command_leaves_drifts_where_the_masker_does(files, simulated, seeds):
    brain = NiftiMasker(files / "mask.nii")
    run = Run(files / "bold.nii", t_r=2)
    command = made(brain, [run], seeds, simulated.img).command
    assert " --no-detrend --smoothing 0.0 " in command


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"confounds": "array"}, "takes files, and confounds is none"),
        ({"img": "image"}, "takes files, and img is none"),
        ({"sample_mask": "some"}, "takes files, and sample_mask is none"),
        ({"standardize_confounds": False}, "no option for standardize_confounds="),
        ({"clean_args": {"extrapolate": False}}, "no option for clean_args={'extrap"),
        ({"target_affine": "its own"}, "no option for target_affine=[["),
        ({"mask_img": None, "mask_strategy": "epi"}, "for mask_strategy='epi': copy"),
        ({"runs": [0] * 50 + [1] * 50}, "no option for runs=[0, 0, 0"),
        ({"seed_img": "image"}, "no option for seed_img=<"),
        ({"mask_img": "image"}, "takes files, and mask_img is none"),
        ({"n_runs": 2}, "maps each run by itself: choose a run"),
    ],
)
def test_why_there_is_no_command(files, simulated, seeds, change, told):
    values = {
        "array": np.random.default_rng(0).standard_normal((100, 2)),
        "some": np.arange(5, 100),
        "image": in_memory(simulated.img),
        "its own": simulated.img.affine,
    }
    change = {k: values[v] if v in list(values) else v for k, v in change.items()}
    options = {"img": files / "bold.nii", "t_r": 2.0}
    masker = {"mask_img": files / "mask.nii", "detrend": True}
    if change.get("mask_img"):
        change["mask_img"] = in_memory(simulated.mask_img)
    options |= {k: v for k, v in change.items() if k in ("img", *Run.__annotations__)}
    masker |= {k: v for k, v in change.items() if k in NiftiMasker().get_params()}
    runs = [Run(**options)] * change.get("n_runs", 1)
    found = made(NiftiMasker(**masker), runs, seeds, simulated.img)
    assert found.command == ""
    assert told in found.why_no_command


@pytest.mark.parametrize("width", ["fast", [4, 4, 5]])
def test_the_command_has_one_width_of_smoothing(files, simulated, seeds, width):
    run = Run(files / "bold.nii")
    sbc = SeedCorrelationMap(seeds, NiftiMasker(files / "mask.nii")).fit(run)
    sbc.brain_masker_.smoothing_fwhm = width  # which nilearn 0.14 takes no more
    found = recipe(sbc, [run], space_of(sbc, grid_of(simulated.img)), NOTHING)
    assert f"no option for smoothing_fwhm={width!r}: copy" in found.why_no_command


def test_a_masker_of_another_class_has_no_command(files, simulated, seeds):
    class Own(NiftiMasker):
        """A masker of somebody's own, which may do anything."""

    runs = [Run(files / "bold.nii")]
    brain = Own(files / "mask.nii", standardize=None)
    found = made(brain, runs, seeds, simulated.img)
    assert found.command == ""
    assert "no option for a Own as the brain: copy" in found.why_no_command


def test_how_masks_are_computed_is_no_matter_where_one_is_given(
    files, simulated, seeds
):
    runs = [Run(files / "bold.nii")]
    brain = NiftiMasker(
        files / "mask.nii", mask_strategy="epi", verbose=1, reports=False
    )
    found = made(brain, runs, seeds, simulated.img)
    assert found.command.startswith("sbc-map ")


def test_the_command_has_all_digits(files, simulated, seeds):
    band = {"high_pass": 1 / 128.7, "low_pass": np.float32(0.2)}
    brain = NiftiMasker(files / "mask.nii", smoothing_fwhm=10 / 3, **band)
    runs = [Run(files / "bold.nii", t_r=2 / 3)]
    words = shlex.split(made(brain, runs, seeds, simulated.img).command)
    after = {w: words[i + 1] for i, w in enumerate(words[:-1]) if w.startswith("--")}
    assert float(after["--smoothing"]) == 10 / 3
    assert float(after["--t-r"]) == 2 / 3
    low, high = map(float, words[words.index("--band") + 1 :][:2])
    assert (low, high) == (1 / 128.7, float(np.float32(0.2)))


def test_a_surface_has_no_command(surface):
    vertex = int(np.argmax(surface.mask_img.data.parts["left"]))
    seeds = SurfaceSeeds([vertex], 0.5, hemisphere="left")
    sbc = SeedCorrelationMap(seeds, SurfaceMasker(surface.mask_img)).fit(surface.run)
    found = recipe(sbc, [surface.run], space_of(sbc, grid_of(surface.img)), NOTHING)
    assert found.why_no_command == NO_VERTICES
    line = 'seed = SurfaceSeeds([@VERTEX@], radius=@RADIUS@, hemisphere="@HEMISPHERE@")'
    assert line in found.python["cortex"]
    assert re.search(ASKED + r"#   img: .*\n#   mask_img: ", found.python["cortex"])


def test_what_is_in_memory_is_asked_for_or_made(files, simulated, seeds):
    table = np.random.default_rng(0).standard_normal((100, 12))
    run = Run(in_memory(simulated.img), table, t_r=2)
    brain = NiftiMasker(files / "mask.nii")
    python = made(brain, [run], seeds, simulated.img).python["volume"]
    assert re.search(ASKED + r"#   img: .*\n#   confounds: ", python)
    assert "\nrun = Run(img, confounds=confounds, t_r=2)\n" in python
    origins = Origins({"confounds": 'pd.read_csv("x.tsv")'}, ("sbc-map", "x.nii"))
    found = made(brain, [run], seeds, simulated.img, origins)
    assert "\nimport pandas as pd\nconfounds = pd.read_csv" in found.python["volume"]
    assert re.search(ASKED + r"#   img: .*\nrun = ", found.python["volume"])
    assert found.command.startswith("sbc-map x.nii --seed seed @X@")


def test_words_that_are_no_files_stay_words(files, simulated, seeds):
    brain = NiftiMasker(
        files / "mask.nii",
        mask_strategy="epi",
        clean_args={"butterworth__order": 3},
        standardize="psc",
        runs=[0] * 40 + [1] * 60,
    )
    found = made(brain, [Run(files / "bold.nii")], seeds, simulated.img)
    python = found.python["volume"]
    assert "    clean_args={'butterworth__order': 3},\n" in python
    assert "    mask_strategy='epi',\n" in python
    assert "    runs=[0, 0, 0" in re.sub(r"\[\n +", "[", python)
    assert "psc" not in python


@pytest.mark.filterwarnings("ignore:.*Generation of a mask:RuntimeWarning")
def test_a_masker_of_our_own_is_imported_from_us(simulated):
    class Own(NiftiMasker):
        """A masker of somebody's own."""

    brain = Own(simulated.mask_img, standardize=None)
    python = made(
        brain, [simulated.run], SphereSeeds(simulated.seeds[:1]), simulated.img
    ).python["volume"]
    assert f"from {__name__} import Own\n" in python


def run_script(python, folder, monkeypatch, marks, **left):
    """Run a script with its marks filled in, and return what it leaves.

    It finds there what is left to it.
    """
    for name, value in {"RADIUS": "8", "SUMMARY": "mean", **marks}.items():
        python = python.replace(f"@{name}@", value)
    assert "@" not in python
    monkeypatch.chdir(folder)
    exec(compile(python, "copied.py", "exec"), left)
    return left


@pytest.mark.parametrize("has_mask", [True, False])
@pytest.mark.parametrize("n_runs", [1, 2])
def test_the_script_makes_the_map(
    files, simulated, tmp_path, monkeypatch, has_mask, n_runs
):
    brain = NiftiMasker(files / "mask.nii" if has_mask else None, high_pass=0.01)
    runs = [Run(files / "bold.nii", t_r=2.0)] * n_runs
    sbc = SeedCorrelationMap(SphereSeeds(simulated.seeds[:1]), brain).fit(runs)
    space = space_of(sbc, grid_of(simulated.img))
    found = recipe(sbc, runs, space, NOTHING)
    place = space.place_at(simulated.seeds[0])
    marks = dict(zip("XYZ", map(repr, space.point(place)), strict=True))
    left = run_script(found.python["volume"], tmp_path, monkeypatch, marks)
    expected = sbc.set_params(
        seed_masker=space.seed(place, 8.0), brain_masker=sbc.brain_masker_
    ).fit(runs)
    np.testing.assert_allclose(
        left["sbc"].correlations_, expected.correlations_, atol=1e-5
    )
    assert (tmp_path / "seed_z.nii.gz").exists()


@pytest.fixture(scope="module")
def acquired():
    return simulated_acquisition(60)


@pytest.mark.parametrize("n_runs", [1, 2])
@pytest.mark.parametrize(
    "structures", [None, ["left cortex", "right hippocampus"], "cortex"]
)
def test_the_script_makes_the_map_of_grayordinates(
    acquired, tmp_path, monkeypatch, structures, n_runs
):
    path = save(acquired.img, tmp_path / "run.dtseries.nii")
    runs = [Run(path)] * n_runs
    seeds = SurfaceSeeds([acquired.seeds[0]], None, hemisphere="left")
    brain = GrayordinateMasker(structures, mesh=acquired.mesh, high_pass=0.01)
    sbc = SeedCorrelationMap(seeds, brain).fit(runs)
    space = space_of(sbc, grid_of(acquired.img))
    found = recipe(sbc, runs, space, NOTHING)
    assert found.why_no_command == NO_VERTICES
    marks = {"VERTEX": str(acquired.seeds[0]), "HEMISPHERE": "left"}
    marks |= dict(zip("XYZ", map(repr, acquired.seeds[1]), strict=True))
    assert [*found.python] == [part.name for part in space.parts]
    places = {
        "cortex": column_of(acquired.axis, "left", acquired.seeds[0]),
        "volume": space.volume and space.place_at(acquired.seeds[1]),
    }
    for name, python in found.python.items():
        assert re.search(ASKED + r"#   mesh: PolyMesh", python)
        left = run_script(python, tmp_path, monkeypatch, marks, mesh=acquired.mesh)
        seed = space.seed(places[name], 8.0)
        expected = SeedCorrelationMap(seed, brain).fit(runs).correlations_
        np.testing.assert_allclose(left["sbc"].correlations_, expected, atol=1e-6)
        img = nib.load(tmp_path / "seed_z.dscalar.nii")
        np.testing.assert_allclose(np.tanh(img.get_fdata()), expected, atol=1e-5)

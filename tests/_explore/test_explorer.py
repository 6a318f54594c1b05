"""`explore` in Python: maps, bad input, and an end."""

import importlib
import pkgutil
import re
import subprocess
import sys
import urllib.request
import webbrowser

import nibabel as nib
import nilearn
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker, SurfaceMasker
from nilearn.surface import SurfaceImage
from sklearn.exceptions import NotFittedError

import sbc_estimators
from grayordinate_helpers import (
    column_of,
    maps_of,
    save,
    simulated_acquisition,
    surface_of,
)
from sbc_estimators import Run, SeedCorrelationMap, explore
from sbc_estimators._explore import explorer as _explorer
from sbc_estimators._explore.explorer import check_viewer
from sbc_estimators._reporting.niivue import niivue_script
from sbc_estimators.maskers import GrayordinateMasker, SphereSeeds, SurfaceSeeds

POINT = (-46, -66, 30)


def test_no_module_hides_the_function():
    for module in pkgutil.walk_packages(sbc_estimators.__path__, "sbc_estimators."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert callable(sbc_estimators.explore)
    assert "explore" in dir(sbc_estimators)


def test_nothing_of_it_is_imported_before_it_is_asked_for():
    code = (
        "import sys; from sbc_estimators import SeedCorrelationMap;"
        "print(*[name for name in sys.modules if '_explore' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_an_old_nilearn_is_told_which_it_must_be(sample, older_nilearn):
    told = (
        r"explore needs nilearn 0\.14\.1 or newer, which brings along the viewer "
        r"NiiVue; nilearn 0\.13\.0 does not\. Run: pip install -U 'nilearn>=0\.14\.1'"
    )
    with pytest.raises(ImportError, match=told):
        explore(sample.sbc, sample.run)


def test_the_nilearn_at_hand_brings_the_viewer_or_says_what_is_needed(sample):
    if nilearn.__version__.startswith("0.13"):
        with pytest.raises(ImportError, match=r"explore needs nilearn 0\.14\.1 or new"):
            explore(sample.sbc, sample.run)
    else:
        check_viewer()
        assert "Niivue" in niivue_script()


# Maps


def expected_r(sample, explorer, xyz, radius, summary):
    """Return what the estimator makes of a seed at the voxel of a point."""
    space = explorer._space
    place = space.place_at(xyz)
    sbc = SeedCorrelationMap(
        SphereSeeds([space.point(place)], radius or None, mask_img=sample.mask_img),
        sample.brain,
        seed_summary=summary,
    )
    return sbc.fit(sample.run).correlations_[0]


@pytest.mark.parametrize(
    ("radius", "summary"),
    [(6, "mean"), (0, "mean"), (8.5, "pca"), (6, "median"), (4, "standardized_mean")],
)
def test_a_map_is_the_estimators(sample, explorer, radius, summary):
    r = explorer.map(POINT, radius=radius, seed_summary=summary)
    expected = expected_r(sample, explorer, POINT, radius, summary)
    assert (r.dtype, r.shape) == (np.float32, expected.shape)
    np.testing.assert_allclose(r, expected, atol=1e-5)


def test_a_map_begins_with_the_estimators_radius_and_summary(explorer):
    np.testing.assert_array_equal(
        explorer.map(POINT), explorer.map(POINT, radius=6, seed_summary="mean", run=0)
    )


def fetch(explorer, question):
    """Return the numbers that the server answers."""
    token = explorer.url.partition("token=")[2]
    address = f"{explorer.url.partition('?')[0]}{question}"
    request = urllib.request.Request(address, headers={"X-Token": token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return np.frombuffer(answer.read(), "<f4")


def test_what_the_server_answers(sample, explorer):
    place = explorer._space.place_at(POINT)
    question = f"?place={place}&radius=6&summary=mean&run=0"
    n_scans = nib.load(sample.func).shape[3]
    numbers = fetch(explorer, f"map{question}")
    r, series = numbers[:-n_scans], numbers[-n_scans:]
    np.testing.assert_array_equal(r, explorer.map(POINT, radius=6))
    z, dof, *here = fetch(explorer, f"here{question}&at={place}")
    expected = sample.sbc.brain_signals(sample.run)[:, place]
    np.testing.assert_allclose(here, expected / expected.std(), atol=1e-4)
    xyz = explorer._space.point(place)
    seeds = SphereSeeds([xyz], 6, mask_img=sample.mask_img)
    (known,) = (
        SeedCorrelationMap(seeds, sample.brain).fit(sample.run).statistics(sample.run)
    )
    np.testing.assert_allclose(z, known.z_score[0, place], rtol=1e-4)
    np.testing.assert_allclose(dof, known.dof[0, place], rtol=1e-4)
    # r is the correlation of both series that are drawn.
    np.testing.assert_allclose(np.corrcoef(series, here)[0, 1], r[place], atol=1e-5)


@pytest.fixture(scope="module")
def two_runs(simulated, larger):
    """Two runs of one person, and an estimator fitted to them."""
    halves = [
        Run(simulated.img.slicer[..., part], simulated.confounds.iloc[part], t_r=2)
        for part in (slice(0, 55), slice(55, 100))
    ]
    brain = NiftiMasker(simulated.mask_img, high_pass=0.01)
    sbc = SeedCorrelationMap(SphereSeeds(simulated.seeds[:2], radius=[8, 6]), brain)
    return sbc.fit(halves), halves


@pytest.fixture(scope="module")
def two_explored(two_runs, explorer):
    with explore(*two_runs, open_browser=False) as explored:
        yield explored


def test_several_runs_are_their_mean_fisher_z(two_runs, two_explored, simulated):
    (sbc, runs), xyz = two_runs, simulated.seeds[0]
    one_by_one = [two_explored.map(xyz, run=i) for i in range(2)]
    mean = np.tanh(np.mean(np.arctanh(one_by_one), axis=0))
    np.testing.assert_allclose(two_explored.map(xyz), mean, atol=1e-6)
    seed = SphereSeeds([xyz], 8.0, mask_img=simulated.mask_img)
    again = SeedCorrelationMap(seed, sbc.brain_masker).fit(runs)
    np.testing.assert_allclose(two_explored.map(xyz), again.correlations_[0], atol=1e-5)


def test_the_mean_of_runs_has_no_time_series(two_explored):
    question = "?place=3&radius=6&summary=mean&run="
    n_places = two_explored._space.n_places
    assert len(fetch(two_explored, f"map{question}mean")) == n_places
    assert len(fetch(two_explored, f"here{question}mean&at=4")) == 0
    assert len(fetch(two_explored, f"here{question}0&at=4")) == 2 + 55
    assert len(fetch(two_explored, f"map{question}1")) == n_places + 45


def surface_map(surface):
    """Return an estimator that is fitted to the surface run."""
    vertex = int(np.argmax(surface.mask_img.data.parts["left"]))
    seeds = SurfaceSeeds([vertex], radius=None, hemisphere="left")
    return SeedCorrelationMap(seeds, SurfaceMasker(surface.mask_img)).fit(surface.run)


def test_a_run_on_a_surface(surface, explorer):
    sbc = surface_map(surface)
    with explore(sbc, surface.run, open_browser=False) as explored:
        vertex = 5 + int(np.flatnonzero(surface.mask_img.data.parts["right"][5:])[0])
        xyz = surface.img.mesh.parts["right"].coordinates[vertex]
        r = explored.map(xyz, radius=0)
    seeds = SurfaceSeeds([vertex], None, hemisphere="right")
    expected = SeedCorrelationMap(seeds, SurfaceMasker(surface.mask_img))
    expected.fit(surface.run)
    np.testing.assert_allclose(r, expected.correlations_[0], atol=1e-5)


@pytest.fixture(scope="module")
def acquired():
    """A run of grayordinates, and an estimator of a vertex."""
    data = simulated_acquisition(60)
    seeds = SurfaceSeeds([data.seeds[0]], 20, hemisphere="left", mesh=data.mesh)
    brain = GrayordinateMasker(smoothing_fwhm=8, mesh=data.mesh, high_pass=0.01)
    return data, SeedCorrelationMap(seeds, brain).fit(data.run)


def test_a_run_of_grayordinates(acquired, explorer):
    data, sbc = acquired
    with explore(sbc, data.run, open_browser=False) as explored:
        start = explored._contents["start"]
        assert (start["place"], start["radius"]) == (
            column_of(data.axis, "left", data.seeds[0]),
            16,
        )
        in_cortex = explored.map(data.mesh.parts["right"].coordinates[60], radius=12)
        in_voxels = explored.map(data.seeds[1], radius=6)
        z, dof, *_ = fetch(explored, "here?place=3&radius=0&summary=mean&run=0&at=500")
    for r, seeds in (
        (in_cortex, SurfaceSeeds([60], 12, hemisphere="right", mesh=data.mesh)),
        (in_voxels, SphereSeeds([data.seeds[1]], 6)),
    ):
        expected = SeedCorrelationMap(seeds, sbc.brain_masker).fit(data.run)
        np.testing.assert_allclose(r, expected.correlations_[0], atol=1e-5)
    vertex = int(data.axis.vertex[3])
    seeds = SurfaceSeeds([vertex], None, hemisphere="left")
    known = SeedCorrelationMap(seeds, sbc.brain_masker).fit(data.run)
    (known,) = known.statistics(data.run)
    np.testing.assert_allclose(z, known.z_score[0, 500], rtol=1e-4)
    np.testing.assert_allclose(dof, known.dof[0, 500], rtol=1e-4)


def backgrounds_of(data):
    """Return a background for each part of grayordinates, and one for both."""
    depth = np.linspace(-1, 1, len(data.axis))
    maps = maps_of(data.axis, depth)
    return {
        "volume": nib.Nifti1Image(
            np.full(data.axis.volume_shape, 7.0), data.axis.affine
        ),
        "cortex": surface_of(maps, data.axis, data.mesh),
        "both": maps,
    }


@pytest.mark.parametrize("kind", [None, "volume", "cortex", "both"])
def test_a_background_of_grayordinates(acquired, explorer, kind):
    data, sbc = acquired
    background = None if kind is None else backgrounds_of(data)[kind]
    options = {"background": background, "open_browser": False}
    with explore(sbc, data.run, **options) as explored:
        parts = explored._anatomy.parts
    is_plain = len(np.unique(parts["shade"])) == 1
    assert is_plain == (kind in (None, "volume"))
    assert (parts["background"].max() == 150) == (kind in (None, "cortex"))
    assert not explored._anatomy.places


def test_grayordinates_in_fslr_lie_on_the_template(acquired, explorer, tmp_path):
    data, sbc = acquired
    path = save(data.img, tmp_path / "sub-01_space-fsLR_den-91k_bold.dtseries.nii")
    run = Run(path, data.confounds)
    with explore(sbc, run, open_browser=False) as explored:
        assert explored._anatomy.parts["background"].size > 1e6
        names = [place["name"] for place in explored._contents["places"]]
    assert "PCC" not in names  # where this simulated cortex is not
    assert "M1 hand" in names


# Bad input


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"run": 1}, "run must be from 0 to 0 or None, got 1"),
        ({"run": True}, "run must be from 0 to 0 or None, got True"),
        ({"radius": -1}, "radius must be a number from 0 to 30 mm, got -1"),
        ({"radius": "x"}, "radius must be a number from 0 to 30 mm, got 'x'"),
        ({"seed_summary": "mode"}, "summary must be one of mean, median, pca, "),
    ],
)
def test_a_map_that_cannot_be(explorer, options, told):
    with pytest.raises(ValueError, match=told):
        explorer.map(POINT, **options)


@pytest.mark.parametrize("xyz", [(1, 2), "abc", None, (1, 2, np.nan), [[1, 2, 3]]])
def test_coordinates_are_three_numbers(explorer, xyz):
    with pytest.raises(ValueError, match="xyz must be three numbers, in mm, got"):
        explorer.map(xyz)


def test_coordinates_lie_in_the_brain(explorer):
    with pytest.raises(ValueError, match="0, 0, 900 mm lies outside the brain mask"):
        explorer.map((0, 0, 900))


def test_an_estimator_must_be_fitted(sample, explorer):
    with pytest.raises(NotFittedError):
        explore(SeedCorrelationMap(SphereSeeds([(0, 0, 0)])), sample.run)


@pytest.mark.parametrize("port", [-1, 65536, 1.5, "80", True, None])
def test_a_port_is_a_number(sample, explorer, port):
    told = f"port must be a whole number from 0 .* to 65535, got {port!r}"
    with pytest.raises(ValueError, match=re.escape(told).replace(r"\.\*", ".*")):
        explore(sample.sbc, sample.run, port=port, open_browser=False)


@pytest.mark.parametrize(
    ("background", "error", "told"),
    [
        (
            "nothing.nii",
            FileNotFoundError,
            "background .*there is no file 'nothing.nii",
        ),
        (3, TypeError, "background must be a 3D image, its path, .* got int"),
        ("run", ValueError, "background"),
        ("surface", TypeError, "background is a surface, but the run is a volume"),
    ],
)
def test_a_background_is_a_volume(sample, explorer, surface, background, error, told):
    background = {"run": sample.func, "surface": surface.img}.get(
        background, background
    )
    with pytest.raises(error, match=told):
        explore(sample.sbc, sample.run, background=background, open_browser=False)


def test_a_background_of_a_surface_is_on_its_mesh(surface, explorer, sample):
    sbc = surface_map(surface)
    with pytest.raises(TypeError, match="background is a volume, but the run is a sur"):
        explore(sbc, surface.run, background=sample.mask_img, open_browser=False)
    mesh = {"left": surface.img.mesh.parts["left"]}
    other = SurfaceImage(mesh, {"left": np.zeros(60)})
    with pytest.raises(ValueError, match="Both must be on the same mesh"):
        explore(sbc, surface.run, background=other, open_browser=False)


def test_a_run_that_cannot_be_read_leaves_no_server(sample, explorer, monkeypatch):
    started = []
    monkeypatch.setattr(_explorer, "PageServer", lambda *_: started.append(1))
    with pytest.raises(FileNotFoundError, match=r"nowhere\.nii"):
        explore(sample.sbc, "nowhere.nii", open_browser=False)
    assert started == []


# The end


def test_it_opens_a_browser_where_it_may(two_runs, explorer, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    explore(*two_runs, open_browser=False).stop()
    with explore(*two_runs) as explored:
        assert opened == [explored.url]


def test_once_stopped_it_says_so(two_runs, explorer, tmp_path, simulated):
    explored = explore(*two_runs, open_browser=False)
    url = explored.url
    assert repr(explored) == f"<Explorer of 2 runs with 600 places, at {url}>"
    explored.stop()
    explored.stop()
    assert repr(explored) == "<Explorer of 2 runs with 600 places, stopped>"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=2)
    for call in (explored.map, explored.save_as_html):
        with pytest.raises(ValueError, match=r"The explorer is stopped\. Call explore"):
            call(tmp_path / "page.html")


def test_ctrl_c_ends_the_wait(two_runs, explorer, monkeypatch):
    explored = explore(*two_runs, open_browser=False)

    def interrupt(timeout):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(explored._stopped, "wait", interrupt)
        explored.wait()
    assert explored._stopped.is_set()
    explored.wait()


# Files and notebooks


def test_a_file_reaches_nothing_elsewhere(file_page):
    text = file_page.read_text("utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "'self'" not in policy
    assert "unsafe" not in policy
    assert "Copyright (c) 2021, Niivue" in text
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)


def test_names_are_text(simulated, explorer):
    evil = "</script><script>alert(1)</script>"
    sbc = SeedCorrelationMap(
        SphereSeeds(simulated.seeds[:1]), NiftiMasker(simulated.mask_img)
    ).fit(simulated.run)
    sbc.seed_names_ = [evil]
    with explore(sbc, simulated.run, open_browser=False) as explored:
        assert explored._contents["places"][0]["name"] == evil
        assert evil not in explored._server.page
        assert evil not in explored._as_file()


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(explorer, file_page):
    html = explorer._repr_html_()
    assert html.startswith("<iframe")
    assert "allow-same-origin" not in html
    assert html.count("<iframe") == html.count("<") - html.count("</iframe>") == 1
    assert len(html) > len(file_page.read_text("utf-8"))


def test_places_are_the_estimators_seeds_and_well_known_ones(explorer, two_explored):
    names = [place["name"] for place in explorer._contents["places"]]
    assert names[:2] == ["PCC", "mPFC"]
    assert not any(name.startswith("(") for name in names)
    # In no known space there are only its own.
    assert len(two_explored._contents["places"]) == 2

"""The page in a real browser: what is on the screen is what the estimator says."""

import re
import shlex
import time
from importlib.resources import files

import nibabel as nib
import numpy as np
import pytest
from nilearn.maskers import NiftiMasker, SurfaceMasker
from nilearn.masking import apply_mask
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from scipy.spatial import ConvexHull
from sklearn.base import clone

from explored import (
    MINUS,
    SIZES,
    check_layout,
    downloaded,
    n_coloured,
    place_at,
    readout,
    save_to,
    seed_of,
    shown_map,
)
from sbc_estimators import Run, SeedCorrelationMap, explore
from sbc_estimators.__main__ import main
from sbc_estimators.maskers import SphereSeeds, SurfaceSeeds

PCC, ANGULAR = (0, -52, 18), (-46, -66, 30)

EDGE = (-10, -30, 58)
"""Beside what the mask leaves out, where the run has signals all the same."""

EVIL = "</script><img src=x onerror=alert(1)>"


# Looking around


def test_it_opens_with_the_estimators_seed(page, explorer, sample):
    assert page.driver.current_url == explorer.url.partition("?")[0]
    seed, here = seed_of(page)
    assert place_at(explorer, seed) == place_at(explorer, PCC)
    assert seed == here
    assert f"{sample.sbc.n_voxels_:,} voxels · 200 scans" in page.text("about")
    assert page.console() == []


def test_r_on_the_screen_is_the_estimators(page, explorer):
    page.seed_at(ANGULAR)
    r = explorer.map(ANGULAR)
    np.testing.assert_allclose(shown_map(page), r, atol=1e-6)
    here = r[place_at(explorer, ANGULAR)]
    assert readout(page)["r"] == pytest.approx(here, abs=1e-4)
    assert readout(page)["Fisher z"] == pytest.approx(np.arctanh(here), abs=1e-3)


def test_the_z_score_on_the_screen_is_the_estimators(page, explorer, sample):
    page.seed_at(ANGULAR)
    page.press("l")
    page.click("sagittal", 60, -10)
    page.wait_for("state.known && state.here !== state.seed")
    seed, here = seed_of(page)
    seeds = SphereSeeds([seed], 6, mask_img=sample.mask_img)
    sbc = SeedCorrelationMap(seeds, sample.brain, scale="z_score")
    z = sbc.fit_transform(sample.run)[0, place_at(explorer, here)]
    assert seed != here
    assert readout(page)["z score"] == pytest.approx(z, abs=6e-3)
    page.press("l")


@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_a_click_is_a_seed(page, explorer, plane):
    page.seed_at(PCC)
    page.click(plane, 20, 12)
    page.settle()
    seed, here = seed_of(page)
    assert seed == here
    through = {"axial": 2, "coronal": 1, "sagittal": 0}[plane]
    moved = np.abs(np.subtract(seed, explorer._space.point(place_at(explorer, PCC))))
    assert moved[through] == 0
    assert np.delete(moved, through).min() > 0
    np.testing.assert_allclose(shown_map(page), explorer.map(seed), atol=1e-6)


def test_where_one_clicks_is_where_the_seed_is(page):
    page.seed_at(PCC)
    # The pixel of a point, from the middle of the plane.
    x, y = page.run(
        "const plane = state.planes.all[0], [width, height] = plane.size;"
        "const [x, y] = plane.toPixels(args[0]);"
        "return [x - width / 2, y - height / 2]",
        [-46, -66, 18],
    )
    page.click("axial", round(x), round(y))
    page.settle()
    np.testing.assert_allclose(seed_of(page)[0], (-46, -66, 18), atol=3)


def test_a_drag_never_shows_an_older_map_after_a_newer_one(page, explorer):
    page.seed_at(PCC)
    page.run("probes.overtake()")
    chain = page.chain().move_to_element_with_offset(page.element("axial"), -60, -60)
    chain.click_and_hold()
    for _ in range(40):
        chain.move_by_offset(3, 2)
    chain.release().perform()
    page.settle()
    seen = page.run("delete state.source.map; return window.seen")
    serials = [one["serial"] for one in seen]
    assert serials == sorted(set(serials))
    assert len(serials) > 3
    assert serials[-1] == page.run("return state.serial")
    seed, here = seed_of(page)
    assert seed == here == list(explorer._space.point(seen[-1]["place"]))
    np.testing.assert_allclose(shown_map(page), explorer.map(seed), atol=1e-6)


def test_with_the_seed_held_r_is_read_elsewhere(page, explorer, sample):
    page.seed_at(PCC)
    page.press("l")
    page.click("sagittal", 60, -10)
    page.wait_for("state.known && state.here !== state.seed")
    seed, here = seed_of(page)
    assert place_at(explorer, seed) == place_at(explorer, PCC)
    assert seed != here
    r = explorer.map(PCC)[place_at(explorer, here)]
    assert readout(page)["r"] == pytest.approx(r, abs=1e-4)
    series = np.array(page.run("return Array.from(state.known.series)"))
    expected = sample.sbc.brain_signals(sample.run)[:, place_at(explorer, here)]
    np.testing.assert_allclose(series, expected / expected.std(), atol=1e-4)
    assert re.match(r"seed .*here ", page.text("legend"))
    page.press("l")
    page.wait_for("!$('legend').textContent.includes('here')")
    assert page.run("return state.here === state.seed")


def test_radius_and_summary_change_the_map(page, explorer):
    page.seed_at(ANGULAR)
    for name, value in (("radius", "10"), ("summary", "pca")):
        page.run("probes.set(args[0], args[1])", name, value)
        page.settle()
    expected = explorer.map(ANGULAR, radius=10, seed_summary="pca")
    np.testing.assert_allclose(shown_map(page), expected, atol=1e-6)
    assert page.text("radius-out") == "10 mm"
    page.run("$('radius').value = 6; $('summary').value = 'mean'")


@pytest.mark.usefixtures("viewer")
def test_it_opens_with_the_estimators_radius(browser, open_page, sample):
    seeds = SphereSeeds([PCC], 7.2)
    sbc = clone(sample.sbc).set_params(seed_masker=seeds).fit(sample.run)
    with explore(sbc, sample.run, open_browser=False) as explored:
        page = open_page(browser, explored.url)
        page.settle()
        assert page.text("radius-out") == "7.2 mm"
        np.testing.assert_allclose(shown_map(page), explored.map(PCC), atol=1e-6)


def test_coordinates_are_typed(page, explorer):
    from selenium.webdriver import Keys

    page.seed_at(PCC)
    page.element("x").click()
    for text in ("-46", "-66", "30"):
        page.chain().key_down(Keys.CONTROL).send_keys("a").key_up(
            Keys.CONTROL
        ).perform()
        page.press(text, Keys.ENTER if text == "30" else Keys.TAB)
    page.settle()
    assert place_at(explorer, seed_of(page)[0]) == place_at(explorer, ANGULAR)


def test_a_coordinate_next_to_0_is_0_in_all_that_is_written(page):
    page.seed_at(PCC)
    page.run("window.own = state.space.point; state.space.point = () => [-1e-7, 0, 9];")
    command, python = page.run("return [commandText(), pythonText()]")
    name = page.run("return fileName()")
    page.run("state.space.point = window.own;")
    assert " --seed seed 0 0 9 " in command
    assert "SphereSeeds([(0, 0, 9)]" in python
    assert name.startswith("seed_0_0_9_")


@pytest.mark.parametrize("text", ["-1e-7, .5 18", "[0,-0.52,\u22121.8E+1]"])
def test_coordinates_are_pasted_however_they_are_written(page, text):
    page.run(
        "const data = new DataTransfer(); data.setData('text', args[0]);"
        "$('go').dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }));",
        text,
    )
    found = page.run("return ['x', 'y', 'z'].map((id) => Number($(id).value))")
    expected = {"-": [-1e-7, 0.5, 18], "[": [0, -0.52, -18]}[text[0]]
    assert found == expected


def test_named_places(page, explorer):
    page.driver.find_element("xpath", "//button[text()='mPFC']").click()
    page.settle()
    assert place_at(explorer, seed_of(page)[0]) == place_at(explorer, (0, 52, -6))


def test_keys_move_by_a_voxel(page):
    from selenium.webdriver import Keys

    page.seed_at(PCC)
    page.element("coronal").click()
    page.settle()
    before = np.array(seed_of(page)[0])
    for key, step in (
        (Keys.ARROW_LEFT, (-5, 0, 0)),
        (Keys.ARROW_UP, (0, 0, 5)),
        (Keys.PAGE_DOWN, (0, -5, 0)),
    ):
        page.press(key)
        page.settle()
        after = np.array(seed_of(page)[0])
        np.testing.assert_allclose(after - before, step, atol=1e-6)
        before = after


def test_a_step_is_the_next_voxel_whatever_its_sides(page):
    code = (
        "const affine = [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 6, 0]];"
        "const space = new VolumeSpace({ shape: [1, 3, 4], affine },"
        "  new Int32Array([0, 1, 2, 3, -1, 4, 5, 6, 7, 8, 9, 10]));"
        "const walk = (axis, sign) => space.next(1, axis, sign);"
        "return [walk(2, 1), walk(2, -1), walk(0, 1), walk(1, 1), space.next(0, 1, 1)]"
    )
    # The last steps over a voxel that is not in the mask.
    assert page.run(code) == [2, 0, -1, 4, 7]


# The pictures


def test_planes_and_cortex_are_coloured(page):
    page.seed_at(PCC)
    for name in ("axial", "coronal", "sagittal"):
        assert n_coloured(page, name)[0] > 1500
    assert page.run("return probes.cortexColoured()")[0] > 1500


def test_a_higher_threshold_leaves_less(page):
    page.seed_at(PCC)
    before = n_coloured(page, "axial")
    page.run("$('fade').click(); $('threshold').value = 0.6; await drawSoon(true);")
    after = n_coloured(page, "axial")
    assert 0 < after[0] < 0.8 * before[0]
    assert page.text("threshold-out") == "0.60"
    page.run("$('fade').click(); $('threshold').value = 0.3; await drawSoon(true);")
    assert n_coloured(page, "axial") == before


def test_without_smoothing_voxels_are_squares(page):
    page.seed_at(PCC)
    page.run("$('smooth').click(); await drawSoon(true);")
    r = page.run("return Array.from(state.planes.all[0].r).filter(Number.isFinite)")
    assert len(r) > 20 * len(np.unique(r))
    page.run("$('smooth').click(); await drawSoon(true);")


def test_a_click_on_the_cortex_is_a_seed(page, explorer):
    page.run("state.cortex.show(VIEWS.Left)")
    page.click("stage", 40, -20)
    page.settle()
    seed, _ = seed_of(page)
    assert seed[0] < -25  # seen from the left
    np.testing.assert_allclose(shown_map(page), explorer.map(seed), atol=1e-6)
    stage = page.element("stage")
    drag = page.chain().move_to_element(stage).click_and_hold().move_by_offset(40, 0)
    drag.release().perform()
    assert page.run("return state.cortex.view.azimuth") == 110
    assert seed_of(page)[0] == seed


def test_every_name_of_niivue_is_there(page):
    code = (files("sbc_estimators._explore") / "page" / "cortex.js").read_text("utf-8")
    options = re.search(r"new niivue\.Niivue\(\{(.*?)\}\)", code, re.DOTALL)[1]
    names = {
        "niivue": re.findall(r"\bniivue\.(\w+)", code),
        "nv": re.findall(r"\bthis\.nv\.(\w+)", code),
        "mesh": re.findall(r"\bown\.mesh\.(\w+)", code),
        "opts": re.findall(r"(\w+):", options),
    }
    assert all(names.values())
    assert page.run("return probes.missing(args[0])", names) == []


@pytest.mark.parametrize("view", ["Top", "Right inside"])
def test_a_click_finds_what_niivue_draws(page, view):
    page.run("state.cortex.show(VIEWS[args[0]]); state.cortex.turnTo(137, 22)", view)
    ours, theirs = page.run("return probes.projections()")
    np.testing.assert_allclose(ours, theirs, atol=0.05)


def test_a_picture_of_it_all(page):
    page.seed_at(PCC)
    width, height, warm = page.run("return probes.picture()")
    assert width > 900
    assert height > 600
    assert warm > 6000


# Bad input


@pytest.mark.parametrize(
    ("xyz", "told"),
    [
        (
            (-95, 0, 0),
            f"{MINUS}95, 0, 0 mm lies outside the brain mask: the map stays.",
        ),
        (("", "1", "2"), "Coordinates must be three numbers, in mm: the map stays."),
        (("1", "x", "2"), "Coordinates must be three numbers, in mm: the map stays."),
        (("1e999", "0", "0"), "Coordinates must be three numbers, in mm: the map"),
    ],
)
def test_coordinates_that_are_none(page, xyz, told):
    page.seed_at(PCC)
    before = shown_map(page)
    page.seed_at(xyz)
    assert told in page.text("message")
    assert page.run("return $('message').className") == "on"
    np.testing.assert_array_equal(shown_map(page), before)


def test_a_click_outside_of_the_brain(page):
    page.seed_at(PCC)
    before = shown_map(page)
    page.click("axial", -140, 190)
    page.wait_for("$('message').textContent.includes('outside the brain mask')")
    np.testing.assert_array_equal(shown_map(page), before)


def test_a_server_that_is_gone_is_told(page):
    page.seed_at(PCC)
    before = shown_map(page)
    page.run("window.real = fetch; window.fetch = () => Promise.reject(new Error());")
    page.seed_at(ANGULAR)
    assert page.text("message").startswith("No answer: Python has ended")
    np.testing.assert_array_equal(shown_map(page), before)
    seed, here = seed_of(page)
    assert seed == here
    page.run("window.fetch = window.real;")


# What one takes along


@pytest.mark.parametrize("xyz", [ANGULAR, EDGE])
def test_copied_python_makes_the_map(page, tmp_path, monkeypatch, xyz):
    page.seed_at(xyz)
    monkeypatch.chdir(tmp_path)
    left = {}
    exec(compile(page.run("return pythonText()"), "copied.py", "exec"), left)
    r = shown_map(page)
    np.testing.assert_allclose(left["sbc"].correlations_[0], r, atol=1e-5)
    z = apply_mask("seed_z.nii.gz", left["mask_img"])
    np.testing.assert_allclose(np.tanh(z.ravel()), r, atol=1e-5)


def test_copied_command_makes_the_map(page, tmp_path, monkeypatch, sample):
    page.seed_at(EDGE)
    monkeypatch.chdir(tmp_path)
    assert page.run("return whyNoCommand()") == ""
    program, *arguments = shlex.split(page.run("return commandText()"))
    assert program == "sbc-map"
    assert main(arguments) == 0
    (path,) = tmp_path.rglob("*_stat-effect_statmap.nii.gz")
    z = apply_mask(path, sample.mask_img)
    np.testing.assert_allclose(np.tanh(z.ravel()), shown_map(page), atol=1e-5)


def test_the_clipboard_gets_it(page):
    grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    page.driver.execute_cdp_cmd("Browser.grantPermissions", grant)
    page.element("copy-python").click()
    page.wait_for("$('message').textContent === 'Copied.'")
    copied = page.run("return navigator.clipboard.readText()")
    assert copied.replace("\r", "") == page.run("return pythonText()")


def test_where_the_clipboard_is_closed_one_copies_by_hand(page):
    page.run("navigator.clipboard.writeText = () => Promise.reject(new Error('no'));")
    page.element("copy-command").click()
    page.wait_for("$('by-hand').open")
    assert page.run("return $('by-hand-text').value").startswith("sbc-map ")
    page.run("$('by-hand').close(); delete navigator.clipboard.writeText;")


def test_the_image_is_the_map(page, tmp_path, sample):
    page.seed_at(PCC)
    save_to(page, tmp_path)
    page.element("save-image").click()
    (path,) = downloaded(tmp_path, "seed_*_z.nii.gz")
    assert re.fullmatch(r"seed_\d+_-52_18_radius_6_z\.nii\.gz", path.name)
    img, mask_img = nib.load(path), nib.load(sample.mask_img)
    np.testing.assert_allclose(img.affine, mask_img.affine, atol=1e-5)
    mask = np.asarray(mask_img.dataobj) != 0
    z = img.get_fdata()
    np.testing.assert_allclose(z[mask], np.arctanh(shown_map(page)), atol=1e-5)
    assert not z[~mask].any()


# What it is like


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_nothing_overlaps_or_is_cut_off(page, size):
    check_layout(page, size)


def test_everything_can_be_reached_by_keyboard(page):
    from selenium.webdriver import Keys

    controls = page.run("return probes.focusable()")
    page.run("document.activeElement.blur(); scrollTo(0, 0);")
    reached = set()
    for _ in range(len(controls) + 2):
        page.press(Keys.TAB)
        reached.add(page.run("return probes.nameOf(document.activeElement)"))
    planes = {"axial", "coronal", "sagittal", "stage"}
    assert len(controls) > 30
    assert planes | set(controls) <= reached
    assert page.run("return probes.nameless()") == []


def test_contrast_is_enough(page):
    assert page.run("return probes.faint(4.5)") == []
    assert len(page.run("return probes.faint(21)")) > 40


UNLIKE = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""What is seen of linear red, green and blue; Machado et al. (2009), table 1.

https://doi.org/10.1109/TVCG.2009.113
"""


@pytest.mark.parametrize("vision", ["all colours", *UNLIKE])
def test_signs_and_strengths_are_told_apart(page, vision):
    table = np.reshape(page.run("return probes.colours()"), (-1, 4))[:, :3] / 255
    linear = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4)
    matrix = UNLIKE.get(vision, np.eye(3))
    seen = np.cbrt(np.clip(linear @ np.transpose(matrix), 0, 1))
    cool, warm = seen[:512][::-1], seen[513:]
    for side in (cool, warm):  # stronger is brighter
        lightness = np.cbrt(side**3 @ [0.2126, 0.7152, 0.0722])
        assert (np.diff(lightness) > -1e-3).all()
        assert lightness[-1] - lightness[150] > 0.3
    assert np.abs(cool - warm)[100:450].max(axis=1).min() > 0.15


# Other pages


def test_a_page_that_is_loaded_again_keeps_its_token(page, explorer):
    page.driver.refresh()
    page.wait_for("document.body.dataset.ready === 'yes'")
    assert page.driver.current_url == explorer.url.partition("?")[0]
    # The first answer had no token, and the browser says so.
    assert all("403" in line["message"] for line in page.console())


def test_two_tabs_are_two_readers(page, explorer, open_page):
    first = page.driver.current_window_handle
    page.seed_at(PCC)
    page.driver.switch_to.new_window("tab")
    other = open_page(page.driver, explorer.url)
    other.seed_at(ANGULAR)
    np.testing.assert_allclose(shown_map(other), explorer.map(ANGULAR), atol=1e-6)
    page.driver.close()
    page.driver.switch_to.window(first)
    np.testing.assert_allclose(shown_map(page), explorer.map(PCC), atol=1e-6)


def test_a_wrong_token_is_told(browser, explorer):
    browser.get(f"{explorer.url.partition('?')[0]}?token=wrong")
    assert "open the address that Python printed" in browser.page_source
    browser.get_log("browser")


def check_scores_of_file(page, explorer, sample):
    """Compare z scores in a file with the estimator's."""
    seed, places = seed_of(page)[0], [*range(0, explorer._space.n_places, 997)]
    found = page.run(
        "const question = { place: state.seed, ...settings() }, all = [];"
        "for (const at of args[0]) {"
        "  all.push(await state.source.here({ ...question, at })); }"
        "return all.map((known) => known.z)",
        places,
    )
    seeds = SphereSeeds([seed], 6, mask_img=sample.mask_img)
    sbc = SeedCorrelationMap(seeds, sample.brain, seed_summary="pca", scale="z_score")
    z = sbc.fit_transform(sample.run)[0, places]
    np.testing.assert_allclose(found, z, atol=0.05)


def test_one_file_shows_the_same(browser, file_page, explorer, open_page, sample):
    page = open_page(browser, file_page.as_uri())
    assert "nearly all of the run's signals" in page.text("credit")
    for xyz, radius in ((PCC, 6), (ANGULAR, 0), ((38, 18, -2), 10)):
        page.run("$('radius').value = args[0]", radius)
        page.seed_at(xyz)
        r = explorer.map(xyz, radius=radius)
        np.testing.assert_allclose(shown_map(page), r, atol=5e-3)
        here = r[place_at(explorer, xyz)]
        assert readout(page)["r"] == pytest.approx(here, abs=5e-3)
    page.run("$('radius').value = 6; $('summary').value = 'pca'")
    page.seed_at(ANGULAR)
    expected = explorer.map(ANGULAR, radius=6, seed_summary="pca")
    np.testing.assert_allclose(shown_map(page), expected, atol=5e-3)
    assert page.run("return state.map.series.length") == 200
    check_scores_of_file(page, explorer, sample)
    assert page.run("return probes.cortexColoured()")[0] > 1000
    assert page.console() == []


def test_one_file_takes_along_the_same(browser, file_page, open_page, tmp_path, sample):
    page = open_page(browser, file_page.as_uri())
    save_to(page, tmp_path)
    page.element("save-image").click()
    (path,) = downloaded(tmp_path, "seed_*_z.nii.gz")
    z = apply_mask(path, sample.mask_img)
    np.testing.assert_allclose(z.ravel(), np.arctanh(shown_map(page)), atol=1e-5)
    assert page.run("return commandText()").startswith("sbc-map ")


def test_a_notebook_shows_it_in_a_frame(browser, explorer, tmp_path):
    path = tmp_path / "notebook.html"
    path.write_text(f"<!DOCTYPE html><body>{explorer._repr_html_()}", encoding="utf-8")
    browser.get(path.as_uri())
    browser.switch_to.frame(0)
    end = time.monotonic() + 20
    while not browser.execute_script("return document.body.dataset.ready === 'yes'"):
        assert time.monotonic() < end
        time.sleep(0.05)
    r = browser.execute_script("return state.map.r[state.here]")
    start = explorer._contents["start"]["place"]
    assert r == pytest.approx(explorer.map(PCC)[start], abs=5e-3)
    assert browser.get_log("browser") == []
    browser.switch_to.default_content()


@pytest.fixture(scope="module")
def halves(simulated):
    """Two runs in no known space, one censored, and a seed with a name of evil."""
    kept = np.flatnonzero(np.arange(50) % 10 != 7)
    runs = [
        Run(simulated.img.slicer[..., :50], t_r=2, sample_mask=kept),
        Run(simulated.img.slicer[..., 50:], t_r=2),
    ]
    seeds = SphereSeeds(simulated.seeds[:1], radius=8)
    brain = NiftiMasker(simulated.mask_img, detrend=True)
    sbc = SeedCorrelationMap(seeds, brain).fit(runs)
    sbc.seed_names_ = [EVIL]
    return sbc, runs


def test_several_runs_and_a_name_of_evil(browser, explorer, halves, open_page):
    with explore(*halves, open_browser=False) as explored:
        page = open_page(browser, explored.url)
        assert "2 runs · 600 voxels · 95 scans" in page.text("about")
        assert page.text("places") == EVIL
        assert "Each run has a time series of its own" in page.text("chart")
        assert page.run("return $('copy-command').disabled")
        seed, _ = seed_of(page)
        np.testing.assert_allclose(shown_map(page), explored.map(seed), atol=1e-6)
        page.wait_for("state.known !== null")
        # Drawn once more before what is known of the run has come.
        page.run("$('run').value = '0'; drawReadout()")
        assert "z score" not in readout(page)
        page.run("probes.set('run', '0')")
        page.settle()
        r = explored.map(seed, run=0)
        np.testing.assert_allclose(shown_map(page), r, atol=1e-6)
        drawn = page.run("return $('chart').querySelector('.seed').getAttribute('d')")
        assert drawn.count("M") == 6  # with gaps where scans are censored
        assert not page.element("cortex").is_displayed()
        assert page.console() == []


def test_without_webgl(browser_without_webgl, explorer, open_page):
    page = open_page(browser_without_webgl, explorer.url)
    assert page.text("cortex-note").startswith("WebGL is off in this browser")
    page.seed_at(PCC)
    for name in ("axial", "mesh"):
        assert n_coloured(page, name)[0] > 1000
    assert page.console() == []


def ball(x):
    """Return a mesh of 400 vertices, 40 mm around a point of the x axis."""
    points = np.random.default_rng(0).standard_normal((400, 3))
    points *= 40 / np.linalg.norm(points, axis=1, keepdims=True)
    hull = ConvexHull(points)
    a, b, c = (points[hull.simplices[:, i]] for i in range(3))
    outward = np.einsum("ij,ij->i", np.cross(b - a, c - a), a) > 0
    faces = np.where(outward[:, None], hull.simplices, hull.simplices[:, ::-1])
    return InMemoryMesh(points + (x, 0, 0), faces)


@pytest.fixture(scope="module")
def balls():
    """A run on a surface, balls that lie within each other, and its estimator."""
    rng = np.random.default_rng(0)
    mesh = PolyMesh(left=ball(-20), right=ball(20))
    scans, mask = {}, {}
    for side, part in mesh.parts.items():
        course = np.outer(part.coordinates[:, 1] / 20, rng.standard_normal(60))
        scans[side] = 100 + course + rng.standard_normal((400, 60))
        mask[side] = part.coordinates[:, 2] > -30
    seeds = SurfaceSeeds([(-60, 0, 0)], radius=12, hemisphere="left")
    brain = SurfaceMasker(SurfaceImage(mesh, mask), high_pass=0.01)
    run = Run(SurfaceImage(mesh, scans), t_r=2.0)
    return SeedCorrelationMap(seeds, brain).fit(run), run


def test_a_run_on_a_surface(browser, explorer, balls, open_page, tmp_path):
    with explore(*balls, open_browser=False) as explored:
        page = open_page(browser, explored.url)
        assert not page.element("planes").is_displayed()
        page.run("state.cortex.show(VIEWS.Left)")
        page.click("stage", 0, 0)
        page.settle()
        seed, _ = seed_of(page)
        assert seed[0] < -50
        r = explored.map(seed)
        np.testing.assert_allclose(shown_map(page), r, atol=1e-6)
        here = r[place_at(explored, seed)]
        assert readout(page)["r"] == pytest.approx(here, abs=1e-4)
        assert sum(page.run("return probes.cortexColoured()")) > 2000
        save_to(page, tmp_path)
        page.element("save-image").click()
        paths = downloaded(tmp_path, "*.func.gii", n=2)
        assert [path.name[-12] for path in paths] == ["L", "R"]
        z = np.concatenate([nib.load(path).darrays[0].data for path in paths])
        np.testing.assert_allclose(
            z[explored._space.cortex.positions], np.arctanh(r), atol=1e-5
        )
        told = r'SurfaceSeeds\(\[\d+\], radius=12, hemisphere="left"\)'
        assert re.search(told, page.run("return pythonText()"))
        explored.save_as_html(tmp_path / "page.html")
        file = open_page(browser, (tmp_path / "page.html").as_uri())
        file.seed_at([f"{x:.3f}" for x in seed])
        np.testing.assert_allclose(shown_map(file), r, atol=5e-3)
        assert file.console() == []


def open_view(page):
    """Return the view in which the cortex is shown, by its name."""
    return page.run(
        "const { view, alone } = state.cortex;"
        "return Object.entries(VIEWS).find(([, [azimuth, elevation, own]]) =>"
        "  view.azimuth === azimuth && view.elevation === elevation"
        "  && alone?.name === own)?.[0]"
    )


@pytest.mark.parametrize(
    ("xyz", "view"),
    [
        ((-60, 0, 0), "Left"),
        ((20, 0, 0), "Left inside"),
        ((-20, 40, 0), "Front"),
        ((-20, -30, 27), "Back"),
        ((-20, 0, 40), "Top"),
    ],
)
def test_the_cortex_opens_where_its_seed_is_seen_best(
    browser, explorer, balls, open_page, xyz, view
):
    sbc, run = balls
    seeds = SurfaceSeeds([xyz], radius=12, hemisphere="left")
    sbc = SeedCorrelationMap(seeds, sbc.brain_masker).fit(run)
    with explore(sbc, run, open_browser=False) as explored:
        page = open_page(browser, explored.url)
        assert open_view(page) == view
        assert page.run("return document.querySelectorAll('#marks circle').length") == 2
        # Only at first: who turns the cortex wants it so.
        page.seed_at((20, 0, 39.9))
        assert open_view(page) == view

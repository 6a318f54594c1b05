"""Pictures: what they show, and that they leave matplotlib as it was."""

import dataclasses
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nibabel as nib
import nilearn.plotting
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.patches import Circle
from nilearn.maskers import (
    NiftiLabelsMasker,
    NiftiMapsMasker,
    NiftiMasker,
    NiftiSpheresMasker,
    SurfaceLabelsMasker,
    SurfaceMasker,
)
from nilearn.masking import apply_mask
from sklearn.exceptions import NotFittedError

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._reporting.used import repetition_time
from sbc_estimators.maskers import GivenSignals, RegionSeeds, SphereSeeds, SurfaceSeeds
from sbc_estimators.plotting import _seed_marks, plot_seed_map, plot_signals

PNG = b"\x89PNG\r\n"
MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def stat_map(monkeypatch):
    """What `plot_stat_map` is called with, and under "display" what it returns."""
    seen, plot_stat_map = {}, nilearn.plotting.plot_stat_map

    def remember(img, **options):
        seen.update(options, img=img)
        seen["display"] = plot_stat_map(img, **options)
        return seen["display"]

    monkeypatch.setattr(nilearn.plotting, "plot_stat_map", remember)
    return seen


def _cuts(display):
    """Return the cuts of a display by direction."""
    return {cut.direction: cut for cut in display.axes.values()}


def _title(figure):
    """Return the title that stands above cuts or views."""
    return [text.get_text() for text in figure.texts if text.get_ha() == "left"]


def _marked(display):
    """Return in mm of the axial cut where crosses are."""
    artists = _strokes(_cuts(display)["z"])
    crosses = [own for own in artists if isinstance(own, PathCollection)]
    return [tuple(place) for cross in crosses for place in cross.get_offsets()]


def _is_unmarked(display):
    """Whether no seed is drawn in any cut."""
    cuts = display.axes.values()
    marks = [own for cut in cuts for own in (*_strokes(cut), *cut.ax.patches)]
    return marks == []


def _strokes(cut, is_thin=False):
    """Return crosses and lines around a seed, or thin ones around what is mapped."""
    artists = cut.ax.collections
    return [own for own in artists if (own.get_linewidth()[0] == 0.6) == is_thin]


def _outlined(display, direction):
    """Return the lines around a region in a cut, `(n_lines, 2, 2)`."""
    lines = [
        collection.get_segments()
        for collection in _strokes(_cuts(display)[direction])
        if isinstance(collection, LineCollection)
    ]
    return np.array(lines[0]) if lines else np.empty((0, 2, 2))


@pytest.mark.parametrize(("seed", "position"), [(0, 0), (2, 2), ("(-17, -38, 33)", 2)])
def test_map_is_fisher_z_of_the_seed_cut_through_it(
    fitted, sample_box, stat_map, seed, position
):
    display = plot_seed_map(fitted, seed=seed, bg_img=None)
    shown = np.ravel(apply_mask(stat_map["img"], sample_box.mask_img))
    z = np.arctanh(fitted.correlations_[position])
    np.testing.assert_allclose(shown, z, rtol=1e-6)
    assert stat_map["cut_coords"] == pytest.approx(sample_box.seeds[position])
    name = fitted.seed_names_[position].replace("-", MINUS)
    assert _title(display.frame_axes.figure) == [f"{name}: Fisher z"]


@pytest.mark.parametrize("width", ["one map", "all maps"])
def test_map_of_other_z(fitted, stat_map, width):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(1, fitted.n_seeds_ * fitted.n_voxels_))
    of_seed = z.reshape(fitted.n_seeds_, -1)[1]
    plot_seed_map(fitted, of_seed if width == "one map" else z, seed=1)
    data = stat_map["img"].get_fdata()
    np.testing.assert_allclose(np.sort(data[data != 0]), np.sort(of_seed))


def test_colours_end_at_a_quantile_and_are_symmetric(fitted, stat_map):
    z = np.zeros(fitted.n_voxels_)
    z[:100], z[0] = 1.43, 8.0
    plot_seed_map(fitted, z)
    assert stat_map["vmax"] == 1.5
    assert stat_map["symmetric_cbar"] is True
    plot_seed_map(fitted, np.zeros(fitted.n_voxels_), threshold=0.6)
    assert stat_map["vmax"] == 1.2
    plot_seed_map(fitted, z / 100, threshold=None)
    assert stat_map["vmax"] == 0.02
    plot_seed_map(fitted, z, threshold="90%", vmax=3)
    assert (stat_map["threshold"], stat_map["vmax"]) == (1.43, 3)


@pytest.mark.parametrize("kind", ["labels", "maps", "mask", "places"])
def test_seeds_without_a_radius_are_outlined_or_crossed(sample_box, draw, kind):
    affine, shape = sample_box.mask_img.affine, sample_box.mask_img.shape
    region = np.zeros(shape, dtype=np.int16)
    region[4:7, 5:8, 3:6] = 7
    region_img = nib.Nifti1Image(region, affine)
    maskers = {
        "labels": NiftiLabelsMasker(region_img),
        "maps": NiftiMapsMasker(nib.Nifti1Image(region[..., None] / 7.0, affine)),
        "mask": NiftiMasker(nib.Nifti1Image((region > 0).astype(np.int8), affine)),
        "places": RegionSeeds(region_img),
    }
    estimator = SeedCorrelationMap(maskers[kind], NiftiMasker(sample_box.mask_img))
    # The middle one of the 27 seeds that the mask's voxels are.
    seed = 13 if kind == "mask" else 0
    display = draw(estimator.fit(sample_box.img), seed=seed)
    x, y, z = nib.affines.apply_affine(affine, (5, 6, 4))
    assert display.cut_coords == pytest.approx((x, y, z))
    lines = _outlined(display, "z")
    if kind == "mask":
        assert _marked(display) == [pytest.approx((x, y))]
        assert not len(lines)
    else:
        assert _marked(display) == []
        assert len(lines) == 12
        low, high = lines.min(axis=(0, 1)), lines.max(axis=(0, 1))
        np.testing.assert_allclose(
            [low, high], [(x - 7.5, y - 7.5), (x + 7.5, y + 7.5)]
        )


@pytest.mark.parametrize(
    ("display_mode", "cut_coords"),
    [("x", [0]), ("yz", [-52, 18]), ("yx", [0, -52]), ("mosaic", None)],
)
def test_cuts_of_other_display_modes(fitted, stat_map, display_mode, cut_coords):
    plot_seed_map(fitted, display_mode=display_mode, bg_img=None)
    assert stat_map["cut_coords"] == cut_coords


def test_title_says_what_is_shown(fitted, draw):
    name = fitted.seed_names_[0].replace("-", MINUS)
    for options, title in (
        ({"label": "t\n29 degrees of freedom"}, [f"{name}: t"]),
        ({"label": ""}, [f"{name}: Fisher z"]),
        ({"title": "PCC, -1"}, [f"PCC, {MINUS}1"]),
        ({"title": ""}, []),
    ):
        display = draw(fitted, **options)
        assert _title(display.frame_axes.figure) == title


def test_kwargs_reach_nilearn(fitted, stat_map):
    plot_seed_map(fitted, bg_img=None, draw_cross=True, cut_coords=(0, -40, 10))
    assert stat_map["bg_img"] is None
    assert stat_map["draw_cross"] is True
    assert stat_map["cut_coords"] == [0, -40, 10]


def _circles(cut):
    """Return centre and radius in mm of each circle in a cut."""
    circles = [patch for patch in cut.ax.patches if isinstance(patch, Circle)]
    return [(tuple(circle.center), circle.radius) for circle in circles]


def test_map_marks_the_seed_in_every_cut(draw, fitted):
    display = draw(fitted)
    assert set(display.axes) == {"x", "y", "z"}
    seen = {direction: _circles(cut) for direction, cut in display.axes.items()}
    assert seen["x"] == [((-52, 18), 6)] * 2
    assert seen["y"] == [((0, 18), 6)] * 2
    assert seen["z"] == [((0, -52), 6)] * 2
    assert plt.get_fignums() == [display.frame_axes.figure.number]


def test_circle_is_the_section_of_the_sphere(draw, fitted):
    display = draw(fitted, display_mode="z", cut_coords=[14, 18, 24, 30])
    radii = [[radius for _, radius in _circles(cut)] for cut in display.axes.values()]
    assert radii == [pytest.approx([20**0.5] * 2), [6, 6], [], []]


def _bar(figure):
    """Return the colour bar of a figure of a map."""
    (bar,) = [axes for axes in figure.axes if axes.axison and axes.name != "3d"]
    return bar


def _texts_of_bar(figure):
    """Return the numbers beside a colour bar, and what stands above it."""
    bar = _bar(figure)
    (above,) = [text.get_text() for text in bar.texts] or [None]
    return [label.get_text() for label in bar.get_yticklabels()], above


def _negative(numbers):
    """Return numbers as text, those farthest from zero first, with minus signs."""
    return [f"{MINUS}{number}" for number in reversed(numbers)]


@pytest.mark.parametrize(
    ("options", "numbers", "above"),
    [
        ({}, ["0.4", "1"], "Fisher z\n|z| > 0.4"),
        ({"threshold": None}, ["0.5", "1"], "Fisher z"),
        ({"threshold": 0.02}, ["0.5", "1"], "Fisher z\n|z| > 0.02"),
        ({"threshold": 0.95}, ["0.5", "1"], "Fisher z\n|z| > 0.95"),
        ({"label": "t"}, ["0.4", "1"], "t"),
        ({"label": ""}, ["0.4", "1"], None),
        ({"display_mode": "mosaic"}, ["0.4", "1"], "Fisher z\n|z| > 0.4"),
    ],
)
def test_colour_bar_says_what_it_shows(draw, fitted, options, numbers, above):
    figure = draw(fitted, vmax=1, **options).frame_axes.figure
    figure.canvas.draw()
    assert _texts_of_bar(figure) == ([*_negative(numbers), "0", *numbers], above)


def test_colour_bar_of_a_surface_says_what_it_shows(fitted_surface):
    figure = plot_seed_map(fitted_surface, vmax=1)
    figure.canvas.draw()
    numbers = ["0.4", "1"]
    expected = [*_negative(numbers), "0", *numbers]
    assert _texts_of_bar(figure) == (expected, "Fisher z\n|z| > 0.4")


def test_colour_bar_left_to_nilearn(draw, fitted):
    figure = draw(fitted, cbar_tick_format="%.3f").frame_axes.figure
    assert "0.400" in _texts_of_bar(figure)[0]
    display = draw(fitted, colorbar=False)
    assert not any(axes.axison for axes in display.frame_axes.figure.axes)


@pytest.mark.parametrize("is_unicode", [True, False])
def test_negative_numbers_have_minus_signs(draw, fitted, sample_box, is_unicode):
    minus = MINUS if is_unicode else "-"
    with mpl.rc_context({"axes.unicode_minus": is_unicode}):
        display = draw(fitted, title="run-2, -0.5")
        figure = plot_signals(fitted, sample_box.run)
    texts = {text.get_text() for cut in display.axes.values() for text in cut.ax.texts}
    assert {f"y={minus}52", "x=0"} <= texts
    assert _title(display.frame_axes.figure) == [f"run-2, {minus}0.5"]
    first = figure.axes[0].get_yticklabels()[0].get_text()
    assert first == f"(0, {minus}52, 18)"


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_output_file_is_written_and_closed(fitted, sample_box, tmp_path, suffix):
    for name, draw in (
        ("map", lambda path: plot_seed_map(fitted, output_file=path)),
        (
            "signals",
            lambda path: plot_signals(fitted, sample_box.run, output_file=path),
        ),
    ):
        path = tmp_path / f"{name}.{suffix}"
        assert draw(path) is not None
        content = path.read_bytes()
        assert content.startswith(PNG if suffix == "png" else b"%PDF")
        assert b"/Type3" not in content
        if suffix == "png":
            assert plt.imread(path).shape[1] == round(300 * 7.3)
        assert plt.get_fignums() == []


@pytest.mark.parametrize("before", [None, b"as it was"])
@pytest.mark.parametrize("kind", ["map", "surface map", "signals"])
def test_output_file_is_written_whole_or_not_at_all(
    draw, fitted, fitted_surface, sample_box, tmp_path, monkeypatch, kind, before
):
    def half(figure, path, **_):
        Path(path).write_bytes(PNG)
        raise OSError("No space left on device")

    monkeypatch.setattr(mpl.figure.Figure, "savefig", half)
    path = tmp_path / "picture.png"
    if before is not None:
        path.write_bytes(before)
    drawing = {
        "map": lambda: draw(fitted, output_file=path),
        "surface map": lambda: plot_seed_map(fitted_surface, output_file=str(path)),
        "signals": lambda: plot_signals(fitted, sample_box.run, output_file=path),
    }
    with pytest.raises(OSError, match="No space left"):
        drawing[kind]()
    assert list(tmp_path.iterdir()) == ([] if before is None else [path])
    assert before is None or path.read_bytes() == before
    assert plt.get_fignums() == []


def test_output_file_in_the_working_directory(draw, fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(fitted, output_file="map.png")
    assert [file.name for file in tmp_path.iterdir()] == ["map.png"]


def test_figure_and_axes_are_used(draw, fitted, sample_box):
    figure = mpl.figure.Figure()
    left, right = figure.subplots(1, 2)
    assert draw(fitted, axes=left).frame_axes is left
    assert plot_signals(fitted, sample_box.run, axes=right) is figure
    assert right.lines
    figure = mpl.figure.Figure()
    assert draw(fitted, figure=figure).frame_axes.figure is figure
    figure = mpl.figure.Figure()
    assert plot_signals(fitted, sample_box.run, figure=figure) is figure
    assert plt.get_fignums() == []


def test_matplotlib_is_left_as_it_was(draw, fitted, sample_box, tmp_path):
    with mpl.rc_context({"lines.linewidth": 7, "savefig.dpi": 50}):
        before = dict(mpl.rcParams)
        draw(fitted, output_file=tmp_path / "map.png")
        plot_signals(fitted, sample_box.run, output_file=tmp_path / "signals.png")
        assert dict(mpl.rcParams) == before


def test_no_figure_is_left_open_by_an_error(draw, fitted):
    with pytest.raises(AttributeError, match="no_such_option"):
        draw(fitted, no_such_option=1)
    assert plt.get_fignums() == []


@pytest.fixture(scope="module")
def both(sample_box, surface):
    """A run on a surface whose seeds are in a volume, and the reverse."""
    volume = sample_box.img.slicer[..., :90]
    return Run(surface.img, seed_img=volume), Run(volume, seed_img=surface.img)


@pytest.mark.parametrize("kind", [NiftiSpheresMasker, SphereSeeds, "labels"])
def test_seeds_of_a_volume_on_a_surface_map(
    sample_box, surface, both, monkeypatch, kind
):
    outlines = []
    monkeypatch.setattr(nilearn.plotting, "plot_surf_contours", outlines.append)
    if kind == "labels":
        masker = NiftiLabelsMasker(sample_box.labels_img)
    else:
        masker = kind(sample_box.seeds, radius=6)
    estimator = SeedCorrelationMap(masker, SurfaceMasker(surface.mask_img))
    figure = mpl.figure.Figure()
    assert plot_seed_map(estimator.fit(both[0]), figure=figure) is figure
    assert outlines == []


@pytest.mark.parametrize("kind", ["vertices", "coordinates", "regions", "labels"])
def test_seeds_of_a_surface_on_a_volume_map(sample_box, surface, both, stat_map, kind):
    point = tuple(surface.img.mesh.parts["left"].coordinates[3])
    maskers = {
        "vertices": SurfaceSeeds([12], hemisphere="left"),
        "coordinates": SurfaceSeeds([point]),
        "regions": RegionSeeds(surface.labels_img, [1]),
        "labels": SurfaceLabelsMasker(surface.labels_img),
    }
    estimator = SeedCorrelationMap(maskers[kind], NiftiMasker(sample_box.mask_img))
    plot_seed_map(estimator.fit(both[1]), bg_img=None)
    assert _is_unmarked(stat_map["display"])
    plot_seed_map(estimator, cut_coords=(0, -52, 18), bg_img=None)
    assert stat_map["cut_coords"] == [0, -52, 18]


def test_given_signals_have_no_place(sample_box, surface, stat_map):
    signals = np.random.default_rng(0).standard_normal((sample_box.n_scans, 1))
    run = Run(sample_box.img, seed_signals=signals)
    estimator = SeedCorrelationMap(GivenSignals(), NiftiMasker(sample_box.mask_img))
    plot_seed_map(estimator.fit(run), bg_img=None)
    assert _is_unmarked(stat_map["display"])
    run = Run(surface.img, seed_signals=signals[: surface.n_scans])
    estimator = SeedCorrelationMap(GivenSignals(), SurfaceMasker(surface.mask_img))
    plot_seed_map(estimator.fit(run))


def test_spheres_of_our_own_are_cut_and_marked(sample_box, draw):
    seeds = SphereSeeds(sample_box.seeds, radius=[6, 5, None])
    estimator = SeedCorrelationMap(seeds, NiftiMasker(sample_box.mask_img))
    display = draw(estimator.fit(sample_box.run), seed=2)
    assert list(display.cut_coords) == pytest.approx(list(sample_box.seeds[2]))
    assert _marked(display) == [pytest.approx(sample_box.seeds[2][:2])]
    x, y, z = sample_box.seeds[1]
    display = draw(estimator, seed=1, cut_coords=(x, y, z + 3))
    assert _marked(display) == []
    expected = (pytest.approx((x, y)), pytest.approx(4))
    assert _circles(_cuts(display)["z"]) == [expected] * 2


def test_a_seed_of_several_spheres_is_outlined(sample_box, draw):
    seeds = SphereSeeds([[(-12, -52, 18), (12, -52, 18)]], radius=6)
    estimator = SeedCorrelationMap(seeds, NiftiMasker(sample_box.mask_img))
    display = draw(estimator.fit(sample_box.run))
    xs = _outlined(display, "z")[..., 0]
    assert xs.min() < -12 < 12 < xs.max()
    # Two separate outlines: none of their lines goes through the middle.
    assert not ((xs > -5) & (xs < 4)).any()


def test_unfitted_estimator(sample_box):
    estimator = SeedCorrelationMap(NiftiSpheresMasker(sample_box.seeds))
    with pytest.raises(NotFittedError):
        plot_seed_map(estimator)
    with pytest.raises(NotFittedError):
        plot_signals(estimator, sample_box.run)


def _drawn(figure):
    """Return the lines of signals in a figure, less those of zero."""
    lines = figure.axes[0].lines
    return [line for line in lines if len(line.get_xdata()) > 2]


def test_signals_are_stacked_over_seconds(fitted, sample_box):
    figure = plot_signals(fitted, sample_box.run, names=["a", "b", "c"], title="Seeds")
    axes = figure.axes[0]
    signals = fitted.seed_signals(sample_box.run)
    for i, line in enumerate(_drawn(figure)):
        np.testing.assert_allclose(line.get_ydata(), signals[:, i] - 6 * i)
        np.testing.assert_allclose(line.get_xdata(), 1.5 * np.arange(len(signals)))
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.get_xlabel() == "time (s)"
    assert axes.get_ylabel() == ""
    assert [text.get_text() for text in axes.texts] == ["2 SD"]
    scale = next(line for line in axes.lines if list(line.get_ydata()) == [-1, 1])
    assert min(scale.get_xdata()) > 1
    assert axes.get_xlim()[0] < 0
    assert axes.get_xlim()[1] > 1.5 * (len(signals) - 1)
    assert axes.get_title(loc="left") == "Seeds"


def test_signals_that_are_given_are_not_computed_again(fitted, sample_box, monkeypatch):
    signals = fitted.seed_signals(sample_box.run)
    monkeypatch.setattr(SeedCorrelationMap, "seed_signals", None)
    lines = _drawn(plot_signals(fitted, sample_box.run, signals=signals))
    np.testing.assert_allclose(lines[0].get_ydata(), signals[:, 0])


def test_one_seed_has_its_own_axis(sample_box):
    masker = NiftiSpheresMasker(sample_box.seeds[:1], radius=6)
    estimator = SeedCorrelationMap(masker, NiftiMasker(sample_box.mask_img))
    figure = plot_signals(estimator.fit(sample_box.img), sample_box.run)
    assert figure.axes[0].get_ylabel() == f"(0, {MINUS}52, 18) signal (SD)"


@pytest.mark.parametrize(
    ("of_run", "of_estimator", "of_maskers", "step", "label"),
    [
        (3.0, 2.0, (1.0, 1.0), 3.0, "time (s)"),
        (None, 2.0, (1.0, 1.0), 2.0, "time (s)"),
        (None, "masker", (4.0, 1.0), 1.0, "time (s)"),
        (None, "masker", (4.0, None), 4.0, "time (s)"),
        (None, "masker", (None, None), 1.0, "scan"),
    ],
)
def test_repetition_time(sample_box, of_run, of_estimator, of_maskers, step, label):
    masker = NiftiSpheresMasker(sample_box.seeds, radius=6, t_r=of_maskers[0])
    brain = NiftiMasker(sample_box.mask_img, t_r=of_maskers[1])
    estimator = SeedCorrelationMap(masker, brain, t_r=of_estimator).fit(sample_box.img)
    estimator.set_params(t_r=9.0)  # which the maps do not have
    run = Run(sample_box.img, t_r=of_run)
    figure = plot_signals(estimator, run)
    assert np.diff(_drawn(figure)[0].get_xdata()[:2]) == step
    assert figure.axes[0].get_xlabel() == label
    assert (repetition_time(estimator, run) or 1.0) == step


def test_a_picture_is_of_one_run(fitted, sample_box):
    runs, signals = [sample_box.run] * 2, fitted.seed_signals(sample_box.run)
    with pytest.raises(ValueError, match="run must be one run, got a sequence of 2"):
        plot_signals(fitted, runs, signals=signals)


@pytest.mark.parametrize("as_boolean", [False, True])
def test_lines_break_where_scans_are_left_out(fitted, sample_box, as_boolean):
    kept = np.r_[5:40, 50:120]
    mask = np.isin(np.arange(sample_box.n_scans), kept) if as_boolean else kept
    run = dataclasses.replace(sample_box.run, sample_mask=mask)
    line = _drawn(plot_signals(fitted, run))[0]
    x, y = line.get_xdata() / 1.5, line.get_ydata()
    np.testing.assert_allclose(x, np.arange(5, 120))
    np.testing.assert_array_equal(x[np.isnan(y)], np.arange(40, 50))
    np.testing.assert_allclose(y[~np.isnan(y)], fitted.seed_signals(run)[:, 0])


def test_a_picture_leaves_the_mesh_where_it_is(fitted_surface):
    mesh = fitted_surface.brain_masker_.mask_img_.mesh
    before = {part: np.array(mesh.parts[part].coordinates) for part in mesh.parts}
    plot_seed_map(fitted_surface, figure=plt.figure())
    for part, coordinates in before.items():
        np.testing.assert_array_equal(mesh.parts[part].coordinates, coordinates)


def test_what_is_not_a_number_is_drawn_as_nothing(fitted, sample_box, stat_map):
    z = np.full(fitted.n_voxels_, 0.9)
    z[:10], z[10:20], z[20:30] = np.nan, np.inf, -np.inf
    for given in (z, np.ma.masked_invalid(z)):
        plot_seed_map(fitted, given, bg_img=None)
        shown = np.ravel(apply_mask(stat_map["img"], sample_box.mask_img))
        np.testing.assert_allclose(shown[:10], 0)
        np.testing.assert_allclose(shown[30:], 0.9)
        assert stat_map["vmax"] == 0.9
    plot_seed_map(fitted, z, bg_img=None)
    shown = np.ravel(apply_mask(stat_map["img"], sample_box.mask_img))
    np.testing.assert_allclose(shown[10:30], np.repeat([0.9, -0.9], 10))
    plot_seed_map(fitted, z * np.nan, bg_img=None)
    assert not stat_map["img"].get_fdata().any()


def test_a_part_of_the_brain_is_outlined(draw, fitted, sample_box, monkeypatch):
    display = draw(fitted)
    mask = np.asarray(sample_box.mask_img.dataobj) != 0
    (thin,) = _strokes(_cuts(display)["z"], is_thin=True)
    ends = np.concatenate(thin.get_segments())
    x, y = np.nonzero(mask[:, :, 3])
    corners = nib.affines.apply_affine(
        sample_box.mask_img.affine,
        [(x.min() - 0.5, y.min() - 0.5, 3), (x.max() + 0.5, y.max() + 0.5, 3)],
    )
    assert [ends[:, 0].min(), ends[:, 0].max()] == sorted(corners[:, 0])
    assert [ends[:, 1].min(), ends[:, 1].max()] == sorted(corners[:, 1])
    monkeypatch.setattr(_seed_marks, "LARGEST_PART", 50_000)  # it has 99 ml
    assert _strokes(_cuts(draw(fitted))["z"], is_thin=True) == []

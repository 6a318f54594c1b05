"""Maps on a surface: what is seen of them, and where it lies."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import nilearn.plotting
import numpy as np
import pytest
from nilearn.maskers import SurfaceMasker
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from scipy.spatial import ConvexHull

from sbc_estimators import SeedCorrelationMap
from sbc_estimators.maskers import SurfaceSeeds
from sbc_estimators.plotting import plot_seed_map

PNG = b"\x89PNG\r\n"


def _ellipsoid(centre, n_vertices=600):
    """Return a mesh of a hemisphere's proportions, 60 x 160 x 100 mm."""
    steps = np.arange(n_vertices) + 0.5
    polar, turn = np.arccos(1 - 2 * steps / n_vertices), np.pi * (1 + 5**0.5) * steps
    ball = np.column_stack(
        [np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)]
    )
    faces = ConvexHull(ball).simplices
    corners = ball[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    inwards = (normals * corners.mean(axis=1)).sum(axis=1) < 0
    faces[inwards] = faces[inwards, ::-1]
    return InMemoryMesh(ball * (30, 80, 50) + centre, faces)


@pytest.fixture(scope="module")
def brain():
    """A run on two ellipsoids, left and right of the middle."""
    mesh = PolyMesh(left=_ellipsoid((-32, 0, 10)), right=_ellipsoid((32, 0, 10)))
    rng = np.random.default_rng(0)
    data = {part: rng.normal(size=(600, 40)) for part in mesh.parts}
    return SurfaceImage(mesh, data)


@pytest.fixture(scope="module")
def mapped(brain):
    """An estimator of a disc, and of a vertex alone, on the left."""
    seeds = SurfaceSeeds([300, 310], radius=[25, None], hemisphere="left")
    mask = {part: np.arange(600) > 99 for part in brain.mesh.parts}
    masker = SurfaceMasker(SurfaceImage(brain.mesh, mask))
    return SeedCorrelationMap(seeds, masker).fit(brain)


def _views(figure):
    """Return the axes of views."""
    return [axes for axes in figure.axes if axes.name == "3d"]


def _colours(figure):
    """Return the colours of all triangles in each view, `(n_triangles, 4)`."""
    figure.canvas.draw()
    return [view.collections[0].get_facecolor() for view in _views(figure)]


def test_both_hemispheres_and_one_colour_bar(fitted_surface, tmp_path):
    path = tmp_path / "map.png"
    figure = plot_seed_map(fitted_surface, seed=1, output_file=path)
    assert len(_views(figure)) == 4
    assert len(figure.axes) == 5  # and one colour bar
    texts = [text.get_text() for text in figure.texts]
    title = f"{fitted_surface.seed_names_[1]}: Fisher z"
    assert sorted(texts) == sorted(["left", "right", "lateral", "medial", title])
    assert path.read_bytes().startswith(PNG)
    assert plt.get_fignums() == []


def test_words_stand_beside_and_above_their_views(mapped):
    figure = plot_seed_map(mapped)
    figure.canvas.draw()
    places = {text.get_text(): text.get_position() for text in figure.texts}
    assert places["left"][1] > 0.5 > places["right"][1]
    assert places["lateral"][0] < places["medial"][0]
    assert min(places["lateral"][1], places["medial"][1]) > places["left"][1]
    assert max(places["left"][0], places["right"][0]) < places["lateral"][0]
    angles = {view.azim % 360 for view in _views(figure)}
    assert [view.azim % 360 for view in _views(figure)] == [180, 0, 0, 180]
    assert angles == {0, 180}


@pytest.mark.parametrize("background", [False, True])
def test_opaque(mapped, brain, background):
    bg_map = SurfaceImage(
        brain.mesh, {part: np.arange(600.0) for part in brain.mesh.parts}
    )
    figure = plot_seed_map(mapped, bg_map=bg_map if background else None)
    for colours in _colours(figure):
        np.testing.assert_allclose(colours[:, 3], 1)


@pytest.mark.parametrize("size", [None, (5, 3), (6, 8)])
def test_no_gaps_and_true_proportions(mapped, pixels, size):
    figure = None if size is None else plt.figure(figsize=size)
    figure = plot_seed_map(mapped, title="", label="", figure=figure, colorbar=False)
    for text in figure.texts:
        text.set_visible(False)
    rows, columns = np.nonzero(pixels(figure))
    tall, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    # Two views beside and below each other, with four hundredths of an inch between.
    gap = 0.04 * figure.dpi
    assert (wide - gap) / (tall - gap) == pytest.approx(160 / 100, rel=0.03)
    room = np.array(figure.get_size_inches()) * figure.dpi - 0.26 * figure.dpi
    assert max(wide / room[0], tall / room[1]) > 0.96


def test_shown_on_another_mesh(mapped, brain, pixels):
    parts = brain.mesh.parts.items()
    mesh = PolyMesh(
        **{p: InMemoryMesh(m.coordinates * (1, 1, 2), m.faces) for p, m in parts}
    )
    before = {part: np.array(own.coordinates) for part, own in mesh.parts.items()}
    heights = []
    for surf_mesh in (None, mesh):
        options = {"title": "", "colorbar": False, "surf_mesh": surf_mesh}
        figure = plot_seed_map(mapped, figure=plt.figure(figsize=(4, 12)), **options)
        rows, _ = np.nonzero(pixels(figure))
        heights.append(np.ptp(rows))
    assert heights[1] > 1.7 * heights[0]
    for part, coordinates in before.items():
        np.testing.assert_array_equal(mesh.parts[part].coordinates, coordinates)


def test_high_values_of_a_background_are_dark_but_not_black(mapped, brain):
    depth = {part: np.repeat([-3.0, 5.0], 300) for part in brain.mesh.parts}
    bg_map = SurfaceImage(brain.mesh, depth)
    figure = plot_seed_map(mapped, threshold=8, bg_map=bg_map, vmax=9)
    for colours in _colours(figure):
        greys = colours[np.ptp(colours[:, :3], axis=1) < 0.01, 0]
        greys = greys[greys < 0.999]  # but for the outline of the seed
        assert 0.3 < greys.min() < 0.5
        assert 0.7 < greys.max() < 0.95


def test_a_mesh_without_a_background_is_lit(mapped):
    figure = plot_seed_map(mapped, threshold=8, vmax=9)
    for colours in _colours(figure):
        assert np.ptp(colours[:, 0]) > 0.3


def test_nothing_is_drawn_where_there_is_no_value(mapped, brain):
    n_voxels = mapped.n_voxels_
    z = np.ones(n_voxels)
    z[: n_voxels // 2] = np.nan  # all of the left
    figure = plot_seed_map(mapped, z, threshold=None, vmax=1.5)
    coloured = [np.ptp(own[:, :3], axis=1) > 0.05 for own in _colours(figure)]
    # But for the outline of the seed, which is white.
    assert coloured[0].sum() == coloured[1].sum() == 0
    # The first hundred vertices, which the mask leaves out, have no colour either.
    assert 0.7 < coloured[2].mean() < 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_seed_is_outlined_however_small(mapped, seed):
    figure = plot_seed_map(mapped, seed=seed, threshold=8, vmax=9)
    white = [(own[:, :3] > 0.999).all(axis=1).sum() for own in _colours(figure)]
    assert min(white[:2]) >= 3
    assert white[2:] == [0, 0]


def test_labelled_region_is_outlined(fitted_surface, monkeypatch):
    outlines = []
    monkeypatch.setattr(
        nilearn.plotting, "plot_surf_contours", lambda **kw: outlines.append(kw)
    )
    figure = mpl.figure.Figure()
    assert plot_seed_map(fitted_surface, seed=1, figure=figure) is figure
    assert [outline["hemi"] for outline in outlines] == ["left"] * 2 + ["right"] * 2
    np.testing.assert_array_equal(
        np.flatnonzero(outlines[0]["roi_map"]), np.arange(40, 60)
    )


def test_a_pdf_holds_pixels_of_views_and_letters_of_words(mapped, tmp_path):
    path = tmp_path / "map.pdf"
    plot_seed_map(mapped, output_file=path)
    content = path.read_bytes()
    assert content.count(b"/Subtype /Image") >= 4
    assert b"/Font" in content


def test_a_figure_that_is_given_keeps_its_size(mapped):
    figure = plt.figure(figsize=(4, 7))
    plot_seed_map(mapped, figure=figure)
    assert tuple(figure.get_size_inches()) == (4, 7)

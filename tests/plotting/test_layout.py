"""Where the parts of a picture lie: nothing blank, nothing cut off."""

from itertools import pairwise

import matplotlib.pyplot as plt
import nibabel as nib
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.patches import Circle
from nilearn.maskers import NiftiMasker

from sbc_estimators import SeedCorrelationMap
from sbc_estimators.maskers import RegionSeeds, SphereSeeds
from sbc_estimators.plotting._layout import in_rows, lay_out, union
from sbc_estimators.plotting._seed_marks import edges

MODES = ["ortho", "tiled", "mosaic", "x", "y", "z", "xz", "yx", "yz"]


@pytest.fixture(scope="module")
def at_edges(sample_box):
    """An estimator of a sphere and a region that reach beyond the image's edge."""
    labels = np.zeros(sample_box.mask_img.shape, np.int16)
    labels[:2, 2:6, 2:5] = 1
    spheres = SphereSeeds([sample_box.seeds[0], (-25, -70, 5)], radius=[8, 12])
    regions = RegionSeeds(nib.Nifti1Image(labels, sample_box.mask_img.affine))
    brain = NiftiMasker(sample_box.mask_img)
    return {
        "sphere": SeedCorrelationMap(spheres, brain).fit(sample_box.run),
        "region": SeedCorrelationMap(regions, brain).fit(sample_box.run),
    }


@pytest.mark.parametrize("display_mode", MODES)
def test_nothing_blank_and_no_words_over_cuts(draw, fitted, pixels, display_mode):
    display = draw(fitted, display_mode=display_mode, label="Fisher z")
    figure = display.frame_axes.figure
    drawn = pixels(figure)
    rows, columns = (np.flatnonzero(drawn.any(axis=axis)) for axis in (1, 0))
    assert rows[0] < 0.12 * figure.dpi
    assert len(drawn) - rows[-1] < 0.12 * figure.dpi
    assert columns[0] < 0.12 * figure.dpi
    assert drawn.shape[1] - columns[-1] < 0.15 * figure.dpi
    assert _longest_gap(columns) < 0.16 * drawn.shape[1]
    title = figure.texts[0].get_window_extent()
    cuts = [cut.ax.get_window_extent() for cut in display.axes.values()]
    assert not any(title.overlaps(cut) for cut in cuts)
    (bar,) = [axes for axes in figure.axes if axes.axison]
    words = [*bar.texts, *bar.get_yticklabels()]
    for extent in [word.get_window_extent() for word in words if word.get_text()]:
        assert not any(extent.overlaps(cut) for cut in cuts)
        assert figure.bbox.x0 <= extent.x0 <= extent.x1 <= figure.bbox.x1 + 1


def _longest_gap(drawn):
    """Return the largest step between numbers of columns in which something is."""
    return np.diff(drawn).max()


@pytest.mark.parametrize("display_mode", MODES)
def test_cuts_do_not_overlap_and_have_one_scale(draw, fitted, display_mode):
    display = draw(fitted, display_mode=display_mode)
    display.frame_axes.figure.canvas.draw()
    boxes, scales = [], []
    for cut in display.axes.values():
        box = cut.ax.get_window_extent()
        assert not any(box.shrunk(0.98, 0.98).overlaps(other) for other in boxes)
        boxes.append(box)
        scales.append(box.width / np.ptp(cut.ax.get_xlim()))
        scales.append(box.height / np.ptp(cut.ax.get_ylim()))
    np.testing.assert_allclose(scales, scales[0], rtol=0.01)


@pytest.mark.parametrize("kind", ["sphere", "region"])
@pytest.mark.parametrize("display_mode", ["ortho", "tiled", "x", "y", "z"])
def test_seeds_at_the_edge_are_whole(draw, at_edges, kind, display_mode):
    estimator = at_edges[kind]
    display = draw(estimator, seed=-1 % estimator.n_seeds_, display_mode=display_mode)
    n_marks = 0
    for cut in display.axes.values():
        (left, right), (bottom, top) = cut.ax.get_xlim(), cut.ax.get_ylim()
        for x0, x1, y0, y1 in _marks(cut.ax):
            n_marks += 1
            assert left < x0 < x1 < right
            assert bottom < y0 < y1 < top
    assert n_marks >= 2 * len(display.axes)


def _marks(axes):
    """Yield the boxes of circles and outlines in mm."""
    for patch in axes.patches:
        if isinstance(patch, Circle):
            (x, y), radius = patch.center, patch.radius
            yield x - radius, x + radius, y - radius, y + radius
    for lines in axes.collections:
        # Thin ones are around what is mapped.
        if isinstance(lines, LineCollection) and lines.get_linewidth()[0] > 1:
            ends = np.concatenate(lines.get_segments())
            low, high = ends.min(axis=0), ends.max(axis=0)
            yield low[0], high[0], low[1], high[1]


def test_a_figure_that_is_given_keeps_its_size(draw, fitted):
    for size in ((2.5, 1.2), (12, 8)):
        figure = plt.figure(figsize=size)
        draw(fitted, figure=figure)
        assert tuple(figure.get_size_inches()) == size


def test_a_part_of_a_figure_is_not_left(draw, fitted):
    figure = plt.figure(figsize=(8, 6))
    axes = figure.subplots(2, 2)[1, 1]
    place = axes.get_window_extent()
    display = draw(fitted, axes=axes, title="PCC")
    figure.canvas.draw()
    for own in (*[cut.ax for cut in display.axes.values()], *figure.texts):
        box = own.get_window_extent()
        assert place.x0 - 1 <= box.x0
        assert box.x1 <= place.x1 + 1
        assert place.y0 - 1 <= box.y0
        assert box.y1 <= place.y1 + 1


def test_a_long_title_is_written_smaller(draw, fitted):
    display = draw(fitted, title="posterior cingulate " * 8)
    figure = display.frame_axes.figure
    extent = figure.texts[0].get_window_extent()
    assert extent.x1 <= figure.bbox.x1
    assert figure.texts[0].get_size() < 11


def test_numbers_beside_a_low_bar_do_not_touch(draw, fitted):
    display = draw(fitted, display_mode="z", cut_coords=7)
    figure = display.frame_axes.figure
    figure.canvas.draw()
    (bar,) = [axes for axes in figure.axes if axes.axison]
    extents = [label.get_window_extent() for label in bar.get_yticklabels()]
    extents.sort(key=lambda extent: extent.y0)
    for lower, upper in pairwise(extents):
        assert lower.y1 < upper.y0


def test_cuts_go_to_where_there_is_a_map(draw, sample_box):
    data = np.zeros(sample_box.mask_img.shape, np.uint8)
    data[:3] = np.asarray(sample_box.mask_img.dataobj)[:3]
    brain = NiftiMasker(nib.Nifti1Image(data, sample_box.mask_img.affine))
    seeds = SphereSeeds([sample_box.seeds[0]], radius=6)
    display = draw(SeedCorrelationMap(seeds, brain).fit(sample_box.run))
    x, y, z = display.cut_coords
    assert x < -15
    assert (y, z) == (-52, 18)


# Arithmetic


def test_panels_fill_what_there_is():
    block = lay_out([[(10, 10), (30, 20)], [(20, 10)]], 4.04, 99)
    assert block.scale == pytest.approx(0.1)
    assert block.width == pytest.approx(4.04)
    assert block.height == pytest.approx(3.04)
    (first, second), (third,) = block.boxes
    assert first == pytest.approx((0, 1.54, 1, 1))
    assert second == pytest.approx((1.04, 1.04, 3, 2))
    assert third == pytest.approx((0, 0, 2, 1))
    assert lay_out([[(10, 10)]], 99, 2).scale == pytest.approx(0.2)


def test_many_panels_are_put_in_rows_of_about_as_many():
    assert [len(row) for row in in_rows(range(7))] == [7]
    assert [len(row) for row in in_rows(range(12))] == [6, 6]
    assert [len(row) for row in in_rows(range(17))] == [6, 6, 5]


def test_union():
    assert union([(0, 1, 2, 3), (-1, 0.5, 2.5, 9)]) == (-1, 1, 2, 9)


def test_edges_of_a_mask_are_closed():
    mask = np.zeros((3, 4), bool)
    mask[0, 0] = mask[2, 1:3] = True
    lines = edges(mask)
    assert len(lines) == 4 + 6
    assert sorted(map(tuple, lines[lines.max(axis=(1, 2)) < 1].reshape(-1, 4))) == [
        (-0.5, -0.5, -0.5, 0.5),
        (-0.5, -0.5, 0.5, -0.5),
        (-0.5, 0.5, 0.5, 0.5),
        (0.5, -0.5, 0.5, 0.5),
    ]
    # Each corner joins two lines, or four.
    _, counts = np.unique(lines.reshape(-1, 2), axis=0, return_counts=True)
    assert set(counts % 2) == {0}

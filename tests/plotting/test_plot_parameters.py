"""Each parameter is checked, and said to be wrong, before anything is drawn."""

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import nilearn.plotting
import numpy as np
import pytest
from nilearn.surface import PolyMesh, SurfaceImage

from sbc_estimators.plotting import plot_seed_map, plot_signals


@pytest.fixture(autouse=True)
def _nothing_is_drawn(monkeypatch):
    """Fail where nilearn is asked to draw, or a figure is made."""

    def fail(*_, **__):
        raise AssertionError("something was drawn")

    for name in ("plot_stat_map", "plot_surf_stat_map"):
        monkeypatch.setattr(nilearn.plotting, name, fail)
    monkeypatch.setattr(plt, "figure", fail)


COMPLEX = np.ones(3, dtype=complex)
FLAT = mpl.figure.Figure().subplots()
DEEP = mpl.figure.Figure().add_subplot(projection="3d")

OF_VOLUMES = [
    ({"seed": 3}, "seed must be a position from 0 to 2 or a name.*got 3"),
    ({"seed": True}, "seed must be a position .*got True"),
    ({"seed": "PCC"}, r"got 'PCC'\. The names are \(0, -52, 18\)"),
    ({"z": np.zeros((2, 5))}, r"z must hold .* got shape \(2, 5\)\. Pass one row"),
    ({"z": COMPLEX}, "z must hold real numbers, got dtype complex128"),
    ({"z": ["a"]}, "z must hold real numbers, got dtype <U1"),
    ({"threshold": -0.1}, r"threshold must be a number of at least 0, .*got -0\.1"),
    ({"threshold": np.nan}, "threshold must be a number of at least 0, .*got nan"),
    ({"threshold": True}, "threshold must be .*got True"),
    ({"threshold": "high"}, "threshold must be .*such as \"90%\".*got 'high'"),
    ({"threshold": "190%"}, "threshold must be .*got '190%'"),
    ({"vmax": 0}, r"vmax must be larger than the threshold, 0\.4, got 0"),
    ({"vmax": 0.3}, r"vmax must be larger than the threshold, 0\.4, got 0\.3"),
    ({"vmax": np.inf}, "vmax must be a finite number of at least 0 or None, got inf"),
    ({"vmax": "1"}, "vmax must be a finite number .*got '1'"),
    ({"title": 3}, "title must be a text or None, got 3"),
    ({"label": 3.0}, r"label must be a text or None, got 3\.0"),
    ({"label": ["z"]}, r"label must be a text or None, got \['z'\]"),
    ({"bg_img": 3}, "bg_img: img must be a path.*got int"),
    ({"bg_img": "absent.nii"}, r"bg_img \('absent\.nii'\): there is no file"),
    ({"display_mode": "xyz"}, "display_mode must be 'ortho', .*got 'xyz'"),
    ({"cut_coords": 3}, r"cut_coords must be three coordinates .*got 3\. None is"),
    ({"cut_coords": (0, 1)}, r"cut_coords must be three coordinates .*got \(0, 1\)"),
    ({"cut_coords": (0, 1, np.nan)}, "cut_coords must be three coordinates .*nan"),
    ({"cut_coords": "abc"}, "cut_coords must be three coordinates .*'abc'"),
    ({"cut_coords": (999, 999, 999)}, "cut_coords must go through the map, .*spans"),
    ({"cut_coords": 0, "display_mode": "z"}, "cut_coords must be .*a number of cuts"),
    ({"cut_coords": [], "display_mode": "z"}, "cut_coords must be coordinates in mm"),
    ({"cut_coords": [500], "display_mode": "y"}, "cut_coords must go through .*y=500"),
    ({"cut_coords": {"x": [1]}, "display_mode": "mosaic"}, "cut_coords must be .*dict"),
    ({"figure": 1}, "figure must be a matplotlib Figure or None, got 1"),
    ({"axes": "left"}, "axes must be flat matplotlib Axes or None, got 'left'"),
    ({"axes": DEEP}, "axes must be flat matplotlib Axes or None"),
    ({"axes": FLAT, "figure": DEEP.figure}, "axes must lie in figure"),
    ({"surf_mesh": 1}, "surf_mesh is for maps on a surface, .*Leave it out"),
    ({"bg_map": 1}, "bg_map is for maps on a surface, .*or pass bg_img"),
]


@pytest.mark.parametrize(("options", "words"), OF_VOLUMES, ids=lambda v: str(v)[:40])
def test_parameters_of_a_map_in_a_volume(fitted, options, words):
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=words):
        plot_seed_map(fitted, **options)


OF_SURFACES = [
    ({"bg_img": "MNI152"}, "bg_img is for maps in a volume, .*Pass bg_map"),
    ({"axes": FLAT}, r"axes must be left out for a map on a surface.*Pass figure"),
    ({"cut_coords": (0, 0, 0)}, "cut_coords must be left out"),
    ({"display_mode": "z"}, "display_mode must be left out .*got 'z'"),
    ({"bg_map": "sulc.gii"}, r"bg_map must be a SurfaceImage or None, got 'sulc\.gii'"),
    ({"bg_map": 3}, "bg_map must be a SurfaceImage or None.*Pass SurfaceImage"),
    ({"surf_mesh": "inflated"}, "surf_mesh must be a PolyMesh or None.*Pass PolyMesh"),
]


@pytest.mark.parametrize(("options", "words"), OF_SURFACES, ids=lambda v: str(v)[:40])
def test_parameters_of_a_map_on_a_surface(fitted_surface, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        plot_seed_map(fitted_surface, **options)


def test_meshes_that_are_not_the_maps(fitted_surface, surface):
    mesh = PolyMesh(left=surface.img.mesh.parts["left"])
    left = {"left": surface.mask_img.data.parts["left"]}
    with pytest.raises(ValueError, match=r"but bg_map has 60 left vertices.*same mesh"):
        plot_seed_map(fitted_surface, bg_map=SurfaceImage(mesh, left))
    with pytest.raises(ValueError, match="surf_mesh must have the vertices and faces"):
        plot_seed_map(fitted_surface, surf_mesh=mesh)
    with pytest.raises(ValueError, match=r"bg_map must hold one value .*\(120, 90\)"):
        plot_seed_map(fitted_surface, bg_map=surface.img)


def test_a_map_that_is_no_image(fitted, monkeypatch):
    monkeypatch.setattr(fitted.brain_masker_, "inverse_transform", np.asarray)
    with pytest.raises(TypeError, match=r"must map a volume or .* is ndarray"):
        plot_seed_map(fitted)


def test_a_background_elsewhere_or_on_a_surface(fitted, sample_box, surface):
    affine = sample_box.mask_img.affine.copy()
    affine[:3, 3] += 500
    far = type(sample_box.mask_img)(sample_box.mask_img.dataobj, affine)
    with pytest.raises(ValueError, match="bg_img: nothing of it lies where the map is"):
        plot_seed_map(fitted, bg_img=far)
    with pytest.raises(TypeError, match="bg_img: it must be a volume as the map is"):
        plot_seed_map(fitted, bg_img=surface.img)


OF_SIGNALS = [
    ({"names": ["PCC"]}, "names must have one name a seed, 3, got 1"),
    ({"names": "abc"}, "names must be a sequence of texts, one a seed.*got 'abc'"),
    ({"names": [1, 2, 3]}, r"names must be a sequence of texts.*got \[1, 2, 3\]"),
    ({"signals": np.zeros((9, 2))}, r"signals must be .*\(n_kept_scans, 3\), got"),
    ({"signals": [["a", "b", "c"]]}, "signals must be real numbers .*dtype <U1"),
    ({"title": 3}, "title must be a text or None, got 3"),
    ({"figure": 1}, "figure must be a matplotlib Figure or None, got 1"),
    ({"axes": 1}, "axes must be flat matplotlib Axes or None, got 1"),
]


@pytest.mark.parametrize(("options", "words"), OF_SIGNALS, ids=lambda v: str(v)[:40])
def test_parameters_of_signals(fitted, sample_box, options, words):
    with pytest.raises((TypeError, ValueError), match=words):
        plot_signals(fitted, sample_box.run, **options)


def test_signals_of_other_scans_than_the_run_keeps(fitted, sample_box):
    run = type(sample_box.run)(sample_box.img, sample_mask=np.arange(50))
    with pytest.raises(ValueError, match="signals must have a row for each of 50 kept"):
        plot_signals(fitted, run, signals=np.zeros((60, 3)))


@pytest.mark.parametrize("kind", ["map", "signals"])
@pytest.mark.parametrize(
    ("output_file", "error", "words"),
    [
        ("", ValueError, "output_file must be the path of a file, got ''. Name a file"),
        (".", ValueError, r"output_file must be the path of a file, got '\.'"),
        ("folder", IsADirectoryError, "output_file must be a file, got the folder"),
        ("absent/map.png", FileNotFoundError, "output_file .* there is no folder"),
        ("map.nope", ValueError, r"output_file must end in one of .*got 'map\.nope'"),
        (3, TypeError, "output_file must be the path of a file, got 3"),
        (True, TypeError, "output_file must be the path of a file, got True"),
    ],
)
def test_output_file(
    fitted, sample_box, tmp_path, monkeypatch, kind, output_file, error, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    arguments = {"map": (plot_seed_map,), "signals": (plot_signals, sample_box.run)}
    plot, *rest = arguments[kind]
    with pytest.raises(error, match=words):
        plot(fitted, *rest, output_file=output_file)
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_each_word_of_an_error_names_its_parameter():
    for options, words in OF_VOLUMES + OF_SURFACES + OF_SIGNALS:
        assert re.search("|".join([*options, "got"]), words)

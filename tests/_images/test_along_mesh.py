"""Gaussian weights along a mesh."""

import numpy as np
import pytest
from scipy.sparse.csgraph import dijkstra

from sbc_estimators._images import along_mesh
from sbc_estimators._images.along_mesh import gaussian_along, vertex_areas
from sbc_estimators._images.meshes import edge_lengths
from sbc_estimators.datasets._grayordinates import make_grayordinates


@pytest.fixture(scope="module")
def mesh():
    return make_grayordinates(300, 8).mesh.parts["left"]


@pytest.mark.parametrize("at_a_time", [7, 1000])
@pytest.mark.parametrize("fwhm", [6.0, 25.0])
def test_weights_of_all_pairs(mesh, monkeypatch, fwhm, at_a_time):
    monkeypatch.setattr(along_mesh, "VERTICES_AT_A_TIME", at_a_time)
    held = np.setdiff1d(np.arange(300), [3, 50, 51, 299])
    graph = edge_lengths(mesh.coordinates, mesh.faces)
    apart = dijkstra(graph, directed=False)[np.ix_(held, held)]
    sigma = fwhm / np.sqrt(8 * np.log(2))
    areas = vertex_areas(mesh.coordinates, mesh.faces)[held]
    weights = np.where(apart <= 4 * sigma, np.exp(-0.5 * (apart / sigma) ** 2), 0)
    weights = weights * areas
    weights /= weights.sum(axis=1, keepdims=True)
    found = gaussian_along(mesh.coordinates, mesh.faces, held, fwhm)
    np.testing.assert_allclose(found.toarray(), weights, atol=1e-12)


def test_areas_are_those_of_the_mesh():
    coordinates = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [9, 9, 9]])
    areas = vertex_areas(coordinates, np.array([[0, 1, 2]]))
    np.testing.assert_allclose(areas, [2, 2, 2, 0], atol=1e-300)


def test_a_vertex_without_faces_keeps_its_value():
    coordinates = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [9, 9, 9]])
    found = gaussian_along(coordinates, np.array([[0, 1, 2]]), np.arange(4), 5.0)
    assert found.toarray()[3].tolist() == [0, 0, 0, 1]

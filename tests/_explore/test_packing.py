"""Signals in few bytes: what a page reads back is what was packed, nearly."""

import base64
import gzip
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sbc_estimators._arrays.dimensions import Bands
from sbc_estimators._explore.packing import (
    ALPHABET,
    LARGE,
    STEP,
    UNIT,
    Signals,
    as_text,
    packed,
    places_before,
)
from sbc_estimators._explore.spaces import Space, VolumeSpace
from sbc_estimators._images.opening import read_still


@pytest.fixture(scope="module")
def space(simulated):
    still = read_still(simulated.mask_img, "mask")
    inside = still.values != 0
    places = np.where(inside, np.cumsum(inside) - 1, -1)
    return Space(still.grid, VolumeSpace(still.grid, places), None)


@pytest.fixture(scope="module")
def before(space):
    return places_before(space)


def make_signals(space, rank=30, n_scans=80):
    """Return signals that are alike in neighbouring places, and fade over the axes."""
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.standard_normal((n_scans, rank)))
    noise = rng.standard_normal((rank, *space.grid.shape))
    noise *= np.geomspace(9, 1, rank).reshape(-1, 1, 1, 1)
    sides = []
    for sigma in (1.2, 0.6):
        side = gaussian_filter(noise, (0, sigma, sigma, sigma))[:, space.volume.mask]
        side[:, 7] = 0  # a voxel without a signal
        sides.append(side.astype(np.float32))
    ends = np.array([rank // 2, rank])
    bands = Bands(ends, np.full(rank, 2 / rank), np.full(2, rank / 2))
    return Signals(basis, *sides, bands)


def unpacked(parts, config, side, before):
    """Return numbers read back as the page does: one place after the other."""
    small, large = parts[side].astype(int), iter(parts[f"{side}_large"].tolist())
    coefficients, numbers = config["coefficients"][side], np.zeros(small.shape, int)
    for axis in range(len(small)):
        for place in range(small.shape[1]):
            told = [
                coefficient * numbers[axis, places[place]]
                for coefficient, places in zip(coefficients, before, strict=True)
                if places[place] >= 0
            ]
            folded = small[axis, place]
            folded = next(large) if folded == LARGE else folded
            difference = -(folded + 1) // 2 if folded % 2 else folded // 2
            numbers[axis, place] = (sum(told) + UNIT // 2) // UNIT + difference
    assert next(large, None) is None
    return numbers * config["step"]


def correlations(seed, voxels):
    """Return r of one signal with others, 0 where there is none."""
    norms = np.linalg.norm(voxels, axis=0) * np.linalg.norm(seed)
    return np.divide(seed @ voxels, norms, out=np.zeros(len(norms)), where=norms > 0)


@pytest.mark.parametrize("is_smoothed", [False, True])
def test_r_of_what_is_read_back(space, before, is_smoothed):
    signals = make_signals(space)
    if not is_smoothed:
        signals = replace(signals, plain=None)
    parts, config = packed(signals, before)
    assert ("plain" in parts) == is_smoothed
    mapped = unpacked(parts, config, "mapped", before)
    plain = unpacked(parts, config, "plain", before) if is_smoothed else mapped
    for places in ([0], [100], list(range(200, 220))):
        seed = (signals.plain if is_smoothed else signals.mapped)[:, places].sum(axis=1)
        expected = correlations(seed, signals.mapped)
        seed = (plain * parts["norms"])[:, places].sum(axis=1)
        r = seed @ mapped / np.linalg.norm(seed)
        np.testing.assert_allclose(r, expected, atol=5e-3)
        assert r[7] == 0


def test_time_series_of_what_is_read_back(space, before):
    signals = make_signals(space)
    parts, config = packed(signals, before)
    mapped = unpacked(parts, config, "mapped", before)
    series = parts["basis"] @ mapped[:, 3]
    expected = signals.basis @ signals.mapped[:, 3]
    assert np.corrcoef(series, expected)[0, 1] > 0.999


def test_numbers_that_do_not_fit_a_byte_are_told_apart(space):
    before = np.full((7, space.n_places), -1)
    parts, config = packed(make_signals(space), before)
    assert len(parts["plain_large"]) > 0
    numbers = unpacked(parts, config, "plain", before)
    assert np.abs(numbers).max() > LARGE / 2 * STEP


def test_neighbours_make_it_smaller(space, before):
    signals = make_signals(space)
    for side, part in (("mapped", 0.8), ("plain", 0.95)):
        alone, told = (
            sum(len(as_text(parts[name])) for name in (side, f"{side}_large"))
            for parts in (packed(signals, known)[0] for known in (before[:0], before))
        )
        assert told < part * alone


def test_places_before_are_neighbours_that_come_first(space, before):
    assert before.shape == (7, space.n_places)
    voxels = np.argwhere(space.volume.mask)
    for places in before:
        known = np.flatnonzero(places >= 0)
        assert (places[known] < known).all()
        steps = voxels[known] - voxels[places[known]]
        assert set(np.unique(steps)) <= {0, 1}
        assert len(np.unique(steps, axis=0)) == 1


def test_a_place_is_told_after_those_before_it_in_any_order(space):
    order = np.random.default_rng(0).permutation(space.n_places)
    places = np.append(order, -1)[space.volume.places]
    shuffled = Space(space.grid, VolumeSpace(space.grid, places), None)
    before = places_before(shuffled)
    assert (before < np.arange(space.n_places)).all()
    assert (before >= 0).any()
    signals = replace(make_signals(space), plain=None)
    mapped = signals.mapped[:, np.argsort(order)]
    parts, config = packed(replace(signals, mapped=mapped), before)
    found = unpacked(parts, config, "mapped", before)
    parts, config = packed(signals, before := places_before(space))
    expected = unpacked(parts, config, "mapped", before)
    np.testing.assert_allclose(found[:, order], expected, atol=STEP)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 1000])
def test_bytes_as_text(n):
    data = np.random.default_rng(n).integers(0, 256, n, np.uint8)
    text = as_text(data)
    assert set(text) <= set(ALPHABET)
    # The same code as Python's own, in other characters.
    theirs = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    theirs += b"!#$%&()*+-;<=>?@^_`{|}~"
    table = bytes.maketrans(ALPHABET.encode(), theirs)
    whole = base64.b85decode(text[1:].encode().translate(table))
    assert gzip.decompress(whole[: len(whole) - int(text[0])]) == data.tobytes()


def test_text_ends_no_script():
    assert not set(ALPHABET) & set("<>&\"'`\\\n")
    assert len(set(ALPHABET)) == 85

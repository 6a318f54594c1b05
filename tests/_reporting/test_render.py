"""Pages: text stays text, nothing is loaded, colours can be read, files stay small."""

import base64
import hashlib
import os
import re
import stat
import webbrowser
from html import unescape
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiMasker

from sbc_estimators import Run, SeedCorrelationMap
from sbc_estimators._reporting import summary as summaries
from sbc_estimators._reporting.formats import MINUS, place
from sbc_estimators._reporting.lines import drawn, histogram_path, series_path
from sbc_estimators._reporting.niivue import niivue_script
from sbc_estimators._reporting.render import render
from sbc_estimators._reporting.report import Entry, Report, index_of_reports
from sbc_estimators._reporting.summary import _where, summarise
from sbc_estimators.maskers import GivenSignals

EVIL = "</title><script>alert('$x$ &amp;')</script>"


@pytest.fixture
def page(html):
    return html


@pytest.fixture(scope="module")
def evil(sample_box):
    """The page of seeds with a dangerous name."""
    table = pd.DataFrame({EVIL: np.sin(np.arange(200)), "b": np.cos(np.arange(200))})
    confounds = pd.DataFrame({EVIL: np.arange(200) % 7})
    run = Run(sample_box.img, confounds, t_r=1.5, seed_signals=table)
    sbc = SeedCorrelationMap(GivenSignals(), NiftiMasker(sample_box.mask_img))
    return render(summarise(sbc.fit(run), run))


def without_niivue(page):
    """Return a page less NiiVue's script."""
    return page.replace(niivue_script() or "\0", "")


def test_a_name_with_a_script_is_text(evil):
    page = without_niivue(evil)
    assert "<script>alert" not in page
    assert "</title><script" not in page
    assert page.count("<script>") == page.count("<script>", page.index("</footer>"))
    # In the table of seeds, in the title of its card, in the confounds of the methods.
    shown = unescape(page)
    assert shown.count(EVIL) >= 5


def test_only_scripts_and_styles_of_the_page_may_run(page):
    rules = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    rules = unescape(rules)
    assert rules.startswith("default-src 'none'; ")
    assert "unsafe" not in rules
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", without_niivue(page), re.DOTALL)
    assert len(scripts) == 1 + (niivue_script() is not None)
    assert len(styles) == 1
    for text in scripts + styles:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in rules


def test_nothing_is_loaded_from_elsewhere(page):
    page = without_niivue(page)
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', page):
        assert address.startswith(("#", "data:"))
    assert "@import" not in page
    assert "url(" not in page
    assert " style=" not in page


def test_the_same_gives_the_same_page(fitted, two_runs, page):
    assert render(summarise(fitted, two_runs)) == page


def test_sizes(page):
    assert len(without_niivue(page)) < 500_000
    assert len(page) < 4_000_000


def test_niivue_comes_with_its_licence(page):
    has_niivue = niivue_script() is not None
    assert ("BSD 2-Clause License" in without_niivue(page)) == has_niivue
    assert ("THIS SOFTWARE IS PROVIDED" in without_niivue(page)) == has_niivue


def test_every_picture_says_what_it_shows(page):
    images = re.findall(r"<img [^>]*>", page)
    assert images
    assert all(re.search(r'alt="[^"]{10,}"', image) for image in images)
    drawings = re.findall(r'<svg [^>]*role="img"[^>]*>', page)
    assert all("aria-label" in drawing for drawing in drawings)


def test_ids_are_unique_and_links_lead_somewhere(page):
    page = without_niivue(page)
    ids = re.findall(r' id="([^"]*)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert set(re.findall(r'aria-labelledby="([^"]*)"', page)) <= set(ids)


# Colours


def luminance(colour):
    """Return the relative luminance of a colour as WCAG defines it."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    """Return the contrast of two colours as WCAG defines it."""
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        *(("ink", "paper"), ("ink", "soft"), ("dim", "paper"), ("dim", "soft")),
        *(("link", "paper"), ("accent", "paper"), ("paper", "ink")),
        *(("warn-ink", "warn-paper"), ("good-ink", "good-paper")),
    ],
)
def test_words_can_be_read(ink, paper):
    style = files("sbc_estimators._reporting").joinpath("templates/report.css")
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", style.read_text("utf-8")))
    assert contrast(colours[ink], colours[paper]) >= 4.5


# Lines


def test_a_series_breaks_where_scans_are_missing():
    path = series_path([0, 1, 2, 3, 4], [0, 3.5, None, -7, -3.5], 4)
    assert path == "M0,50L250,0M750,100L1000,100"


def test_a_histogram_reaches_the_top_where_it_is_highest():
    assert histogram_path([0, 4, 0], 1.0) == "M0,100V100H333.3V0H666.7V100H1000V100"


def test_nothing_in_a_histogram_is_no_division_by_zero():
    assert drawn(None, [[0, 0]])["histogram"] == ["M0,100V100H500V100H1000V100"]


# The page as an object


def test_a_report_is_saved_whole(fitted, tmp_path, page, monkeypatch):
    monkeypatch.setattr(summaries, "map_picture", lambda *_: "data:,")
    report = fitted.generate_report()
    report.save_as_html(tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text("utf-8") == str(report) == report.html
    with pytest.raises(FileNotFoundError, match="path"):
        report.save_as_html(tmp_path / "no" / "report.html")


def test_a_report_opens_in_the_browser(monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    path = Report("<p>ö</p>").open_in_browser()
    try:
        assert opened[0].startswith("file://")
        with open(path, encoding="utf-8") as file:
            assert file.read() == "<p>ö</p>"
        if os.name == "posix":
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    finally:
        os.remove(path)


def test_a_report_shows_itself_in_a_notebook():
    frame = Report('<p class="a">&amp;</p>')._repr_html_()
    inside = re.search(r'srcdoc="([^"]*)"', frame)[1]
    assert unescape(inside) == '<p class="a">&amp;</p>'


# The index of a study


def test_an_index_lists_reports_and_errors():
    entries = [
        Entry("sub-01", "sub-01/report 1.html", facts={"runs": 2}),
        Entry("sub-02", error="3 scans kept <b>"),
        Entry(EVIL, "javascript:alert(1)", facts={"warnings": 1}),
    ]
    page = index_of_reports(entries).html
    assert '<a href="sub-01/report%201.html">sub-01</a>' in page
    assert "<b>sub-02</b>: 3 scans kept &lt;b&gt;" in page
    assert "javascript:" not in page
    assert "<script" not in page
    for word in ("runs", "warnings"):
        assert f'<th scope="col">{word}</th>' in page
    assert re.search(r"<strong>2</strong> mapped", page)
    assert re.search(r"<strong>1</strong> failed", page)


def test_coordinates_next_to_0_are_0():
    assert place((-0.04, 1e-7, -52)) == f"0, 0, {MINUS}52"
    assert _where("PCC", (-0.04, 0, 9), 0) == ["0, 0, 9 mm"]
    assert _where("(0, 0, -9)", (1e-9, -1e-9, -9), 8) == ["radius 8 mm"]

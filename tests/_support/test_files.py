"""Files that appear whole or not at all."""

import os

import pytest

from sbc_estimators._support.files import replacing, staged


def test_a_folder_in_the_place_of_a_file_is_seen_before_any_is_moved(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("of before")

    def write():
        with staged(tmp_path) as stage:
            for name in "abc":
                (stage / name).write_text("new")

    with pytest.raises(IsADirectoryError, match=r"'.*b' is a folder"):
        write()
    assert (tmp_path / "a").read_text() == "of before"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_file_that_is_not_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "file"):
        pass

"""What is no plain file, or too large a one, is never opened."""

import os

import pytest

from nearnd.files.regular import regular


def test_files_and_links_to_files_are_regular_up_to_their_bound(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert regular(tmp_path / "a") == tmp_path / "a"
    assert regular(str(tmp_path / "link"), 10) == tmp_path / "link"
    with pytest.raises(ValueError, match=r"link has 0\.0 MB, at most"):
        regular(tmp_path / "link", 9)


def test_pipes_devices_folders_and_nothing_are_refused_by_name(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, words in {
        "pipe": "a pipe", "zero": "a device", "loop": "cannot be read", "none": "cannot be read",
        ".": "is a folder", "x" * 300: "cannot be read", "a\0b": "cannot be read",
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=words):
            regular(tmp_path / name)

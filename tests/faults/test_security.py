"""Nothing from outside is run, no name leads elsewhere, no config value is a command."""

import ast
import builtins
import io
import os
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from nearnd import catalog, config
from nearnd.files import arrays, fetch

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*(ROOT / "nearnd").rglob("*.py"), *(ROOT / "workflow/scripts").glob("*.py")])
RULES = sorted([ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")])

# ---- what a source file may not do: `make lint` has ruff's S rules, which do not know these ----

LOADS = {"torch.load": "weights_only=True"} | dict.fromkeys(
    ["np.load", "np.lib.format.read_array"], "allow_pickle=False"
)


def test_files_are_loaded_without_pickles_and_archives_not_unpacked():
    seen = set()
    for file in SOURCES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                seen.add(name)
                said = {LOADS.get(name)} <= {None, *map(ast.unparse, node.keywords)}
                assert said, f"{file}:{node.lineno}: {name} without {LOADS[name]}"
                unpacks = re.search(r"(?<!\.str)\.extract(all)?$", name)
                assert not unpacks, f"{file}:{node.lineno}: {name} writes where the archive says"
    assert seen >= LOADS.keys()


# ---- the restricted unpickler ----


class Hostile:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(mark: Path) -> dict:
    """Objects that make the file `mark` when a plain unpickler meets them."""
    command = f"touch {mark}"
    code = f"open({str(mark)!r}, 'w').close()"
    return {
        "os.system": Hostile(os.system, command),
        "exec": Hostile(builtins.exec, code),
        "eval": Hostile(builtins.eval, f"open({str(mark)!r}, 'w')"),
        "open": Hostile(builtins.open, str(mark), "w"),
        "getattr": Hostile(getattr, Hostile(__import__, "os"), "system"),
        "path.touch": Hostile(Path.touch, mark),
        "inside a list": [1, {"x": (Hostile(builtins.exec, code),)}],
        "as a key": {Hostile(builtins.open, str(mark), "w"): 1},
        "in an ordered dict": torch.nn.Module,
        "a pickle in numpy": np.array([Hostile(builtins.exec, code)], dtype=object),
    }


KINDS = list(hostile(Path("x")))


def raw(thing) -> bytes:
    return pickle.dumps(thing)


def zipped(thing) -> bytes:
    out = io.BytesIO()
    torch.save(thing, out)
    return out.getvalue()


def old(thing) -> bytes:
    out = io.BytesIO()
    torch.save(thing, out, _use_new_zipfile_serialization=False)
    return out.getvalue()


@pytest.mark.parametrize("form", [raw, zipped, old])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_checkpoint_is_refused_in_a_sentence_and_runs_nothing(tmp_path, kind, form):
    from nearnd.generators._official import read_official
    from nearnd.networks.inception import _model as read_weights

    mark = tmp_path / "was run"
    thing = hostile(mark)[kind]
    file = tmp_path / "net.pth"
    file.write_bytes(form({"model": thing, "ema": {}, "step": 1, "optimizer": thing}))
    for read in (lambda: read_official(file, "ema"), lambda: read_weights(file)):
        with pytest.raises(ValueError, match=r"net\.pth"):
            read()
    assert not mark.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_hostile_array_is_refused_in_a_sentence_and_runs_nothing(tmp_path, kind):
    from nearnd.datasets._members import array

    mark = tmp_path / "was run"
    file = tmp_path / "a.npy"
    np.save(file, np.array([hostile(mark)[kind]], dtype=object), allow_pickle=True)
    plain = tmp_path / "plain.npy"
    plain.write_bytes(raw(hostile(mark)[kind]))
    for path in (file, plain):
        with pytest.raises(ValueError, match=re.escape(path.name)):
            arrays.load_array(path)
        with pytest.raises(ValueError, match=re.escape(path.name)):
            array(path.read_bytes(), path.name, (None,), ["uint8"])
        with pytest.raises(ValueError, match=re.escape(path.name)):
            arrays.load_tensors(path)
    assert not mark.exists()


def test_a_hostile_pickle_would_have_run(tmp_path):
    """Else the tests above would show nothing."""
    pickle.loads(raw(hostile(tmp_path / "was run")["exec"]))
    assert (tmp_path / "was run").exists()


def test_a_config_file_makes_no_objects(tmp_path):
    mark = tmp_path / "was run"
    text = f"scores: {{x: !!python/object/apply:os.system ['touch {mark}']}}"
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"a\.yaml"):
        catalog.read_catalog(tmp_path)
    assert not mark.exists()


# ---- shells ----


def test_no_rule_has_a_command_line():
    """Rules run scripts only: there is no shell that a config value could reach."""
    for file in RULES:
        text = re.sub(r"#.*", "", file.read_text())
        words = r"^\s*(shell|run|notebook|wrapper|cwl|template_engine|envmodules)\s*:"
        calls = r"\b(shell|os\.system|os\.popen|subprocess|eval|exec)\b\s*[(.]"
        assert not re.search(words, text, re.M), file
        assert not re.search(calls, text), file


# ---- names that lead elsewhere ----

EVIL = ["../out", "/tmp/out", "a/../../out", "..", ".", "", "a\0b", "-rf", "~root", "a\nb", "a;b"]


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "..", "all", "any", "not-a", "a\nb",
                                  "", "a\0b", "a\x1b[2Jb", "{x}", "a}"])  # fmt: skip
def test_a_class_whose_name_is_no_plain_folder_is_refused(tmp_path, monkeypatch, name):
    whole = {"datasets": {"own": {"kind": "image_folder"}}}
    monkeypatch.setattr(config.plugins, "call", lambda *_: [name, "good"])
    with pytest.raises(ValueError, match="datasets: own: a class is called"):
        config.classes(whole, "own")


GOOD = ["a;rm -rf x", "$(x)", "`x`", "with space", "it's", 'say "x"', "ümlaut 数", "-rf", "a&b|c",
        "100%", "*", "a\\b", "~", "#1"]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_class_with_an_odd_name_is_a_class(monkeypatch, name):
    whole = {"datasets": {"own": {"kind": "image_folder"}}}
    monkeypatch.setattr(config.plugins, "call", lambda *_: [name, "good"])
    assert config.classes(whole, "own") == [name, "good"]


@pytest.mark.parametrize("name", EVIL)
def test_what_an_archive_calls_its_files_is_written_nowhere(tmp_path, monkeypatch, name):
    """Members are read in memory and copied into a file without a name."""
    from nearnd.datasets._archive import Archive

    place = tmp_path / "in" / "there"
    place.mkdir(parents=True)
    monkeypatch.chdir(place)
    with zipfile.ZipFile("a.zip", "w") as file:
        file.writestr("good.txt", b"good")
        file.writestr(zipfile.ZipInfo(name or "x"), b"evil")
    monkeypatch.setattr("tempfile.tempdir", str(place))
    archive = Archive(Path("a.zip"), r"(?s).+")
    assert archive["good.txt"].read_bytes() == b"good"
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == [
        "in", "in/there", "in/there/a.zip"]  # fmt: skip


def test_a_fetched_file_lies_where_it_was_asked_for(tmp_path):
    """What a mirror's file is called, or a server says, does not matter."""
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "x.bin").write_bytes(b"content")
    archive = {"name": "x.bin", "urls": [], "sha256": None}
    fetch.fetch(archive, tmp_path / "here" / "y.bin", [str(tmp_path / "mirror")])
    assert sorted(p.name for p in (tmp_path / "here").iterdir()) == ["y.bin", "y.bin.sha256"]

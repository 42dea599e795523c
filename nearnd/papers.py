"""Tables and figures of the papers by their names: each entry of `papers` becomes an experiment
that unites those whose numbers it shows (`of`), and a drawing of the same name. One that says what
is `missing` for it becomes nothing.

An entry says what stands where and no more: the paper and its number are read off the name
(fitymi_table_1a), the experiments off its columns.
"""

import fnmatch
from typing import Any

from nearnd import plugins

OWN = ("drawing", "of", "note", "label")  # keys that are no arguments of the drawing
TABLE = "paper_table"  # the entry of `drawings` that is meant where none is named
PAIRS = ("columns", "words", "rows", "lines")  # whose order is that of the paper
Pairs = list[list[Any]]


def names(config: dict[str, Any], target: str) -> list[str]:
    """The tables and figures that a target stands for: itself, all of a paper, all of all papers
    (""). Those that cannot be made yet are none."""
    papers = [name for name, entry in config.get("papers", {}).items() if "missing" not in entry]
    return [target] if target in papers else [n for n in papers if target in (parts_of(n)[0], "")]


def parts_of(name: str) -> tuple[str, str]:
    """The paper and the number: (fitymi, 1a) of fitymi_table_1a."""
    paper, _, rest = name.partition("_")
    return paper, rest.rpartition("_")[2]


def write_out(config: dict[str, Any]) -> None:
    """Adds the experiment and the drawing of each entry of `papers` to a config. ValueError in one
    sentence for what does not fit; what is no entry at all is left to the schema."""
    papers = config.get("papers")
    if not isinstance(papers, dict):
        return
    config["papers"] = {n: _ordered(e) if isinstance(e, dict) else e for n, e in papers.items()}
    try:
        for name, entry in config["papers"].items():
            if isinstance(entry, dict) and "missing" not in entry:
                _write_out(config, name, entry)
    except (AttributeError, KeyError, TypeError):
        return  # an entry that has not the schema's types; checked next, it says which


def _ordered(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with lists of pairs in place of the dicts whose order matters."""
    found = dict(entry)
    for key in PAIRS:
        if isinstance(given := entry.get(key), dict):  # once; a list of pairs stays what it is
            found[key] = [[word, facts] for word, facts in given.items()]
        elif isinstance(given, list):  # of words
            found[key] = [
                pair if isinstance(pair, list) else [pair, row_of(pair)] for pair in given
            ]
    return found


def row_of(word: Any) -> str:
    """The row of a method that is called like this in a paper."""
    return "".join(c if c.isalnum() else "_" for c in str(word).lower()).strip("_")


def _write_out(config: dict[str, Any], name: str, entry: dict[str, Any]) -> None:
    where = f"papers: {name}"
    known = {n: e for n, e in config["experiments"].items() if n not in config["papers"]}
    args = {key: value for key, value in entry.items() if key not in OWN}
    args = {key: value for key, value in args.items() if value is not None}
    for key in PAIRS if entry.get("drawing", TABLE) == TABLE else ():  # of others a number, say
        pairs = args.get(key, [])
        if not isinstance(pairs, list) or not all(len(pair) == 2 for pair in pairs):
            raise ValueError(
                f"{where}: {key} is {entry[key]!r}; it may be a list of words, or {{word: facts}}"
            )
    asked: list[str] = []
    for key in ("columns", "rows", "lines"):
        if isinstance(args.get(key), list):
            args[key] = [[word, _facts(known, given, asked, where)] for word, given in args[key]]
    of = matching(known, entry["of"], where) if "of" in entry else list(dict.fromkeys(asked))
    if "words" in args:
        row = {n: m.get("row", n) for n, m in config["methods"].items()}
        args["words"] = [_word(word, given, set(row.values())) for word, given in args["words"]]
        if "of" not in entry and args.get("more") is False:  # those that have one of its rows
            rows = {one for word in args["words"] for one in word[1:3]}
            of = [n for n in of if rows & {row.get(m) for m in known[n]["methods"]}]
    base = config["drawings"].get(entry.get("drawing", TABLE))
    if not isinstance(base, dict):
        raise plugins.unknown(
            "entry of drawings", entry.get("drawing", TABLE), config["drawings"], where
        )
    if base.get("kind") in plugins.available("tables_figures"):
        takes = plugins.arguments("tables_figures", base["kind"])
        paper, number = parts_of(name)
        args = {k: v for k, v in {"source": paper, "table": number}.items() if k in takes} | args
    config["drawings"][name] = base | args | {"label": _label(name, entry)}
    note = " ".join(_notes(config, known, entry, of, asked))
    config["experiments"][name] = {"of": of, "drawings": [name]} | ({"note": note} if note else {})


def _word(word: str, given: str | list[str], rows: set[str]) -> list[Any]:
    """The paper's word, the row that it has here, the one that this is held against ("": none), and
    whether the catalog has them."""
    own = [given] if isinstance(given, str) else given
    return [word, own[0], own[1] if len(own) > 1 else "", set(own) <= rows]


def _label(name: str, entry: dict[str, Any]) -> str:
    paper, _, rest = name.partition("_")
    title = f"{paper.upper()}, {rest.replace('_', ' ')}"
    return f"{title}: {entry['label']}" if "label" in entry else title


def _facts(known: dict[str, Any], given: Any, asked: list[str], where: str) -> dict[str, Any]:
    """What is said of a column or a row, with the datasets of its experiments in the place of
    these, which are put into `asked`."""
    facts = {"of": given} if isinstance(given, str | list) else dict(given or {})
    if "of" in facts:
        found = matching(known, facts.pop("of"), where)
        asked += found
        facts = {"dataset": list(dict.fromkeys(known[n]["dataset"] for n in found))} | facts
    return facts


def matching(known: dict[str, Any], given: Any, where: str) -> list[str]:
    """The experiments that are named, one by one or by a pattern such as mvtec_*."""
    found: list[str] = []
    for pattern in [given] if isinstance(given, str) else given:
        there = fnmatch.filter(map(str, known), str(pattern)) if "*" in str(pattern) else [pattern]
        hits = [n for n in there if "of" not in known.get(n, {"of": []})]
        if not hits:
            raise plugins.unknown("entry of experiments", pattern, known, where)
        found += sorted(hits)  # twice derived is once derived, whatever the order of a config
    return list(dict.fromkeys(found))


def _notes(config, known: dict[str, Any], entry: dict[str, Any], of: list[str], asked: list[str]):
    """What is different from the paper: said by the table, and by the experiments that fill it."""
    if "note" in entry:
        yield entry["note"]
    if asked and set(of) - set(asked):
        yield f"Filled by {', '.join(of)} in place of {', '.join(dict.fromkeys(asked))}."
    said = {}
    for name in of:
        if note := known[name].get("note"):
            said.setdefault(note, []).append(name)
    for note, whose in said.items():
        yield f"{', '.join(whose)}: {note}"
    for name in of:
        normals, every = known[name]["normals"], _classes(config, known[name]["dataset"])
        if isinstance(normals, dict):
            draws, k = normals["trials"], normals["known"]
            yield f"{name}: means over {draws} draws of {k} known classes."
        if isinstance(normals, list) and 0 < len(normals) < every:
            yield f"{name}: means over {len(normals)} of {every} classes ({', '.join(normals)})."


def _classes(config: dict[str, Any], dataset: str) -> int:
    """How many classes a dataset has, where its kind lists them; else 0."""
    kind = config["datasets"].get(dataset, {}).get("kind")
    known = kind in plugins.available("datasets")
    return len(plugins.constant("datasets", kind, "CLASSES") or []) if known else 0

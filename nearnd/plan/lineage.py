"""Which entries of a config are behind a method's scores: so that an export finds out whether they
are still those that the scores were made with."""

import hashlib
import json
from functools import cache

from nearnd import config as settings
from nearnd.plan.run import Run

WORDS = ("label", "row")  # of tables and figures alone


@cache
def parts(run: Run, dataset: str, method: str) -> dict[str, str]:
    """{"section: name": a hash of the entry} of the dataset, the method, and all that they name."""
    found: dict[str, str] = {}
    todo = [("datasets", dataset), ("methods", method)]
    while todo:
        section, name = todo.pop()
        key = f"{section}: {name}"
        if key in found:
            continue
        entry = settings.lookup(run.config, section, name, "lineage")
        plain = {key: value for key, value in entry.items() if key not in WORDS}
        text = json.dumps(plain, sort_keys=True, default=str)
        found[key] = hashlib.sha256(text.encode()).hexdigest()[:12]
        # methods and monitors name a detector, others what KEYS and ENTRIES say
        keys = settings.KEYS.get(section, settings.METHOD)
        named = [(target, plain[key]) for key, target in keys.items() if target and key in plain]
        named += [(target, one) for _, target, one in settings.inner(section, plain)]
        todo += [(to, one) for to, one in named if isinstance(one, str) and one != "none"]
    return found

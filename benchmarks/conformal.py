"""Do the promises of p-values hold on real images? From score files of a run, over random splits.

    python benchmarks/conformal.py results/scores/cifar10/dog/lite0_gaussian/test/seed0.csv ...

    python benchmarks/conformal.py --nonconform     # where that package is installed (Python 3.12)

Of each file's normal images `HELD` are held out and the others are new, 1,000 times over;
anomalies are mixed in for the list of discoveries. Prints what was promised and what happened.
With --nonconform: our p-values beside those of the package nonconform, on the same scores.
"""

import sys

import numpy as np
import pandas as pd
from scipy.stats import binom

from nearnd.report.conformal import Decision, anomalous, p_values

SPLITS, HELD, DELTA, MIXED = 1000, 200, 0.1, 0.1


def beside_nonconform() -> None:
    """In how many cases, over sizes, ties and deltas, they are equal. Its conditional p-values take
    a whole number from (n + 1)(1 - p), which rounding can put below it: so also of p less 1e-9."""
    from nonconform._internal.conditional_calibration import calibrate_conditional_p_values
    from nonconform.scoring import ConditionalEmpirical, Empirical

    rng, rows = np.random.default_rng(0), []
    for n in (1, 2, 3, 4, 5, 10, 29, 50, 100, 199, 200, 500, 1000):
        few = "n of 1 to 3" if n < 4 else "n of 4 to 1000"
        for digits in (1, 12):  # with many ties, and without
            held, new = (np.round(rng.normal(size=m), digits) for m in (n, 2000))
            p = Empirical().compute_p_values(new, held)
            rows.append(("p-values", few, np.abs(p_values(held, new) - p)))
            for delta in (0.01, 0.1, 0.5):
                ours, how = p_values(held, new, delta), {"delta": delta, "method": "simes"}
                theirs = ConditionalEmpirical(**how).compute_p_values(new, held)
                rows.append(("conditional", few, np.abs(ours - theirs)))
                theirs, _ = calibrate_conditional_p_values(p - 1e-9, n_calibration=n, **how)
                rows.append(("conditional, p less 1e-9", few, np.abs(ours - theirs)))
    table = pd.DataFrame([
        {"what": what, "held out": n, "cases": len(away), "equal to 1e-12": (away <= 1e-12).sum(),
         "largest difference": away.max()}
        for what, n, away in rows
    ]).groupby(["what", "held out"])  # fmt: skip
    found = table.agg({"cases": "sum", "equal to 1e-12": "sum", "largest difference": "max"})
    print(found.reset_index().to_markdown(index=False, floatfmt=".2g", intfmt=","))


def main(files: list[str]) -> None:
    if files == ["--nonconform"]:
        return beside_nonconform()
    rng, rows = np.random.default_rng(0), []
    for file in files:
        table = pd.read_csv(file)
        normal = table["score"][~table["is_anomaly"]].to_numpy()
        odd = table["score"][table["is_anomaly"]].to_numpy()
        if len(normal) < 2 * HELD:
            sys.exit(f"{file} has {len(normal)} normal images, at least {2 * HELD} are needed")
        for alpha in (0.01, 0.05, 0.1):
            how, alarms, broken, false = Decision(1000 * alpha), [], 0, []
            for _ in range(SPLITS):
                order = rng.permutation(normal)
                held, new = order[:HELD], order[HELD:]
                alarms.append(anomalous(p_values(held, new), how)[0])  # one image: independent
                sure = anomalous(p_values(held, new, DELTA), how).sum()
                broken += sure > binom.ppf(
                    0.99, len(new), alpha
                )  # more than chance of the new ones
                some = rng.choice(odd, min(len(odd), max(1, int(MIXED * len(new)))), replace=False)
                p = p_values(held, np.concatenate([new, some]))
                called = anomalous(p, Decision(fdr=alpha))
                false.append(called[: len(new)].sum() / max(1, called.sum()))
            low, high = binom.ppf([0.005, 0.995], SPLITS, alpha) / SPLITS
            rows.append({
                "file": "/".join(file.split("/")[-5:-2]), "promised": alpha,
                "false alarms": np.mean(alarms), "99 % of chance": f"{low:.3f} to {high:.3f}",
                "conditional broken (10 %)": broken / SPLITS, "false among called": np.mean(false),
            })  # fmt: skip
    print(pd.DataFrame(rows).to_markdown(index=False, floatfmt=".3f"))


if __name__ == "__main__":
    main(sys.argv[1:])

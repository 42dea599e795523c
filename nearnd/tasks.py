"""What is normal in a task, and what a test set is: their names are taken apart here and nowhere
else."""

from dataclasses import dataclass

NOT, SOME, TEST = "not-", "one-of-", ".test"
AND = "+"  # between the classes of several


@dataclass(frozen=True)
class Normal:
    """What counts as normal: one class (`cat`), several (`one-of-cat+dog`), all but one
    (`not-cat`), or all (`all`)."""

    names: tuple[str, ...] | None  # of the classes; None: all classes
    inverted: bool = False

    @staticmethod
    def parse(text: str) -> "Normal":
        """`any`, of what no task trains, is all classes too."""
        if text in ("all", "any"):
            return Normal(None)
        if text.startswith(SOME):
            return Normal(tuple(text.removeprefix(SOME).split(AND)))
        return Normal((text.removeprefix(NOT),), text.startswith(NOT))

    def holds(self, name: str) -> bool:
        """Whether the images of a class are normal."""
        return self.names is None or (name in self.names) != self.inverted

    def of(self, names):
        """Which images are normal, bool (N,), from their class names str (N,)."""
        import numpy as np  # planning asks about names alone

        names = np.asarray(names)
        if self.names is None:
            return np.ones(len(names), bool)
        return np.isin(names, self.names) != self.inverted  # (N,)

    def count(self, classes: int) -> int:
        """How many of so many classes are normal."""
        if self.names is None:
            return classes
        return classes - 1 if self.inverted else len(self.names)

    @property
    def alike(self) -> str:
        """A word for normals whose jobs cost the same but for chance."""
        if self.names is None:
            return "all"
        if len(self.names) > 1:
            return SOME + AND.join(map(str, range(len(self.names))))
        return f"{NOT}one" if self.inverted else "one"


@dataclass(frozen=True)
class TestSet:
    """Images to score: the dataset's own test split (`test`), or another's (`svhn.test`)."""

    __test__ = False  # to pytest: this is no test
    other: str | None  # the name of the other dataset; None: the own one

    @staticmethod
    def parse(text: str) -> "TestSet":
        """ValueError if it is neither."""
        if text == "test":
            return TestSet(None)
        if not text.endswith(TEST) or text == TEST:
            raise ValueError(f"{text!r} may be test or <dataset>.test")
        return TestSet(text.removesuffix(TEST))

    def dataset(self, own: str) -> str:
        """Whose images they are, in a task of the dataset `own`."""
        return self.other or own

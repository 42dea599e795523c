"""A bank of fewer rows that cover the whole one: greedy k-centre (PatchCore's coreset)."""

from nearnd.contracts import Bank, Embedding


def work(about, *, share: float, rows: int | None, **rest) -> dict:
    """See contracts.py."""
    return {"rows": share * about.images if rows is None else min(rows, about.images)}


def build(
    share: float = 0.1,  # PatchCore with WideResNet-50 at 224 pixels
    rows: int | None = None,
    feature: str = "features",
    projection: int | None = 128,  # null: distances of the features themselves
    anchors: int = 10,
) -> Bank:
    """Keeps a `share` of the images, or a number of `rows` (all, if there are fewer), chosen by
    their array `feature`; arrays with more axes are flattened. See nearnd/networks/coreset.py for
    `projection` and `anchors`. All arrays of a kept image are kept."""

    def thinned(embedding: Embedding, *, seed: int) -> Embedding:
        from nearnd.networks.coreset import coreset, share_of

        if feature not in embedding:
            raise ValueError(f"the embedding has no {feature!r}; it has {sorted(embedding)}")
        array = embedding[feature]
        n = share_of(len(array), share) if rows is None else min(rows, len(array))
        flat = array.reshape(len(array), -1)  # (N, D)
        keep = coreset(flat, n, seed=seed, projection=projection, anchors=anchors)  # (n,)
        return {name: values[keep] for name, values in embedding.items()}

    return thinned

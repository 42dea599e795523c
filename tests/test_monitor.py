"""The watcher of a generator: the same seeds at every snapshot, and nothing measured twice."""

import numpy as np

from nearnd.monitor import Monitor, publish
from nearnd.seeds import image_seeds


def watch(folder, calls):
    real = np.zeros((5, 2, 2, 1), np.uint8)

    def sample(file, seeds):
        calls.append((file, tuple(seeds)))
        return np.full((len(seeds), 2, 2, 1), int(file), np.uint8)

    def embed(pixels):
        return {"features": pixels.reshape(len(pixels), -1).astype(np.float32)}

    def distance(real, fake):
        return abs(float(real.mean() - fake.mean()))

    return Monitor(real, sample, embed, {"frechet": distance}, 7, folder)


def test_rows_previews_and_what_a_kill_leaves(tmp_path):
    calls = []
    first = watch(tmp_path, calls)
    first(10, "90")
    first(20, "40")
    again = watch(tmp_path, calls)  # the job was killed and started again
    again(20, "40")
    again(30, "8")
    table = again.table()
    assert list(table["step"]) == [10, 20, 30]
    assert list(table["frechet"]) == [90.0, 40.0, 8.0]
    assert set(table["n_real"]) == set(table["n_fake"]) == {5}
    assert again.previews().shape == (3, 5, 2, 2, 1)
    assert [file for file, _ in calls] == ["90", "40", "8"]
    assert {seeds for _, seeds in calls} == {tuple(image_seeds(7, 5))}


def test_more_seeds_are_more_and_not_others():
    assert (image_seeds(3, 100)[:10] == image_seeds(3, 10)).all()
    assert len(set(image_seeds(3, 1000)) | set(image_seeds(4, 1000))) == 2000


def test_published_snapshots_stay_when_the_state_goes(tmp_path):
    state, target = tmp_path / "state", tmp_path / "out"
    state.mkdir()
    (state / "step0000010.safetensors").write_bytes(b"weights")
    (state / "last.safetensors").write_bytes(b"state")
    publish(state, target)
    (state / "step0000010.safetensors").unlink()
    assert [f.name for f in target.iterdir()] == ["step0000010.safetensors"]
    assert (target / "step0000010.safetensors").read_bytes() == b"weights"

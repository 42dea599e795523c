"""The watcher of a generator: the same seeds at every snapshot, nothing measured twice, its cost
bounded, and the word that ends the training."""

import logging

import numpy as np
import pytest

from nearnd.contracts import Plan
from nearnd.fidelity import frechet
from nearnd.jobs.feature_cache import features_of
from nearnd.jobs.monitor import LEAST, SHARE, Monitor, facts_of, images_within, publish
from nearnd.jobs.seeds import image_seeds
from nearnd.report.words import distances, measures, stated, word


def embed(pixels):
    return {"features": pixels.reshape(len(pixels), -1).astype(np.float32)}


def watch(folder, calls, **options):
    real = np.zeros((5, 4), np.float32)

    def sample(file, seeds):
        calls.append((file, tuple(seeds)))
        return np.full((len(seeds), 2, 2, 1), int(file), np.uint8)

    def distance(real, fake):
        return abs(float(real.mean() - fake.mean()))

    measures = options.pop("measures", {"frechet": distance})
    return Monitor(real, sample, embed, measures, 7, folder, images=3, **options)


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
    assert set(table["n_real"]) == {5}
    assert set(table["n_fake"]) == {3}
    assert again.previews().shape == (3, 3, 2, 2, 1)
    assert [file for file, _ in calls] == ["90", "40", "8"]
    assert {seeds for _, seeds in calls} == {tuple(image_seeds(7, 3))}


def test_facts_of_a_generator_stand_beside_the_measures(tmp_path):
    class Likely:
        def facts(self, snapshot, images):
            return {"bits_per_dim": float(snapshot) / len(images)}

    images = np.zeros((5, 2, 2, 1), np.uint8)
    table = watch(tmp_path / "a", [], facts=facts_of(Likely(), images))
    table(10, "90")  # of as many training images as are drawn: 3
    assert list(table.table()["bits_per_dim"]) == [30.0]
    assert measures(table.table()) == ["frechet", "bits_per_dim"]
    assert word("bits_per_dim") == "bits per dimension"
    assert stated("bits_per_dim", "DISTANCE") is None
    assert distances(table.table()) == ["frechet"]  # what a stop may read
    mute = watch(tmp_path / "b", [], facts=facts_of(object(), images))
    mute(10, "90")
    assert "bits_per_dim" not in mute.table()


def test_training_ends_where_until_says_before_and_after_a_kill(tmp_path):
    until = {"fid": 40, "measure": "frechet"}
    first = watch(tmp_path, [], until=until)
    assert [first(10, "90"), first(20, "41"), first(30, "8")] == [False, False, True]
    assert watch(tmp_path, [], until=until)(30, "8") is True
    assert watch(tmp_path, [], until=until | {"fid": 7})(30, "8") is False
    assert watch(tmp_path, [])(30, "8") is False  # to the end


@pytest.mark.parametrize(
    ("until", "level"),
    [({"fid": 1, "measure": "frechet"}, logging.WARNING), ({"step": 40}, logging.INFO)],
)
def test_too_few_images_are_said_beside_the_distance_and_once_in_the_log(
    tmp_path, caplog, until, level
):
    """Aloud only where the distance is read."""
    monitor = watch(tmp_path, [], measures={"frechet": frechet.build()}, until=until)
    with caplog.at_level(logging.INFO):
        monitor(10, "90")
        monitor(20, "40")
    remarks = [row["remark"] for row in monitor.rows()]
    assert all(r.startswith("frechet: 5 real and 3 fake images for 4 features") for r in remarks)
    assert [one.levelno for one in caplog.records if "5 real and 3" in one.message] == [level]


PLAN = Plan(steps=600, snapshots=[50, 100, 150, 200, 300, 400, 600], batch=64, calls=35)


@pytest.mark.parametrize("calls", [5, 18, 35])
def test_sampling_is_within_its_share_wherever_training_ends(calls):
    plan = PLAN._replace(calls=calls)
    n = images_within(plan, 5000)
    assert n >= LEAST
    for count, step in enumerate(plan.snapshots, 1):
        assert count * n * calls <= SHARE * 3 * plan.batch * step
    more = n + 1
    assert any(c * more * calls > SHARE * 3 * 64 * s for c, s in enumerate(plan.snapshots, 1))


def test_the_number_of_images_has_bounds_and_breaking_the_share_is_said(caplog):
    with caplog.at_level(logging.WARNING):
        assert images_within(PLAN, 20) == 20  # no more than there are real ones
        assert images_within(PLAN, 5000, images=25) == 25
        assert images_within(PLAN._replace(batch=0), 300) == 300  # nothing is trained
        assert not caplog.records
        assert images_within(PLAN._replace(calls=2000), 5000) == LEAST
    # 32 x 2000 passes for 50 steps of 3 x 64
    assert "667% of the training" in caplog.text


def test_the_cost_is_what_was_spent_in_all_processes(tmp_path, monkeypatch):
    clock = iter([0.0, 10.0, 12.0, 100.0, 130.0, 131.0])
    monkeypatch.setattr("nearnd.jobs.monitor.time.monotonic", lambda: next(clock))
    first = watch(tmp_path, [])  # at 0
    for step in range(1, 51):
        first.progress(step, 600)
    first(50, "90")  # from 10 to 12
    again = watch(tmp_path, [])  # at 100
    for step in range(51, 101):
        again.progress(step, 600)
    again(100, "40")  # from 130 to 131
    (row,) = again.cost(PLAN, peak_mb=5.0).to_dict("records")
    assert row["stopped_at"] == row["steps_trained"] == 100
    assert (row["training_s"], row["monitoring_s"]) == (40, 3)
    assert row["share"] == pytest.approx(3 / 40)
    assert row["images_per_s"] == 100 * 64 / 40
    assert row["peak_mb"] == 5.0


def test_features_of_the_same_images_are_computed_once(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 2, 2, 1)).astype(np.uint8)
    model, folder, calls = tmp_path / "model", tmp_path / "cache", []
    model.write_bytes(b"weights")

    def counted(pixels):
        calls.append(len(pixels))
        return embed(pixels)

    def get(pixels=pixels, code="a"):
        return features_of(pixels, counted, model, code, folder)

    first = get()
    assert (get() == first).all()
    assert (first == embed(pixels)["features"]).all()
    assert calls == [6]
    get(255 - pixels)  # other images
    get(pixels.reshape(6, 1, 4, 1))  # the same bytes in another shape
    get(code="b")
    model.write_bytes(b"other weights")
    get()
    assert calls == [6] * 5
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:-3])  # a damaged file is made again
    assert (get() == first).all()
    assert calls == [6] * 6


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

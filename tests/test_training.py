"""The optimisation loop: what it averages, schedules and clips, and that a kill changes nothing."""

import itertools
import os
import resource
import signal
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from nearnd.jobs.training_loop import STATE, ema_rate, snapshot_steps, train


class Killed(Exception):
    pass


def small_model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.SiLU(), nn.Dropout(0.2))
    return net.to(memory_format=torch.channels_last)


def run(folder, *, kill_at=None, optimizer=torch.optim.Adam, steps=25, on_snapshot=None, **options):
    net = small_model()
    settings = {"ema": 0.9, "clip": 1.0, "save_every": 0.0, "snapshots": [10, 25]} | options

    def progress(step, total, **_):
        if step == kill_at:
            raise Killed

    train(
        net,
        optimizer(net.parameters(), lr=1e-2),
        lambda step: (net(torch.randn(4, 2, 5, 5)) - 1).square().mean(),
        steps=steps,
        seed=7,
        folder=folder,
        schedule=lambda step: min(step / 5, 1.0),
        on_snapshot=on_snapshot,
        progress=progress,
        **settings,
    )
    return net.state_dict()


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def adam(params, lr):
    return torch.optim.Adam(params, lr, fused=True)


def sgd(params, lr):
    return torch.optim.SGD(params, lr, momentum=0.9)


@pytest.mark.parametrize("optimizer", [adam, sgd])
@pytest.mark.parametrize("kill_at", [1, 10, 17])
def test_a_killed_run_ends_with_the_same_bytes(tmp_path, kill_at, optimizer):
    seen, whole = {}, {}
    expected = run(None, optimizer=optimizer, on_snapshot=lambda s, w: whole.update({s: _copy(w)}))
    with pytest.raises(Killed):
        run(
            tmp_path,
            kill_at=kill_at,
            optimizer=optimizer,
            on_snapshot=lambda s, w: seen.update({s: _copy(w)}),
        )
    torch.manual_seed(99)  # whatever the state of the generator
    got = run(tmp_path, optimizer=optimizer, on_snapshot=lambda s, w: seen.update({s: _copy(w)}))
    assert same(got, expected)
    assert all(same(seen[s], whole[s]) for s in (10, 25))


def _copy(weights):
    return {name: w.clone() for name, w in weights.items()}


def test_seldom_saved_runs_go_on_from_further_back(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path, kill_at=17, save_every=1e9, on_snapshot=lambda s, w: None)  # saved at 10
    assert same(run(tmp_path), run(None))


def test_a_kill_during_a_snapshot_repeats_it(tmp_path):
    calls = []

    def crash(step, weights):
        calls.append(step)
        if len(calls) == 1:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, on_snapshot=crash)
    run(tmp_path, on_snapshot=crash)
    assert calls == [10, 10, 25]


def test_training_ends_where_a_snapshot_is_enough_and_goes_on_later_to_the_same_bytes(tmp_path):
    whole, seen = {}, []
    run(None, snapshots=[10, 20, 25], on_snapshot=lambda s, w: whole.update({s: _copy(w)}))
    early = run(tmp_path, snapshots=[10, 20, 25], on_snapshot=lambda s, w: s >= 10)
    assert same(early, whole[10])

    def further(step, weights):
        seen.append(step)
        assert same(weights, whole[step])

    late = run(tmp_path, snapshots=[10, 20, 25], on_snapshot=further)
    assert seen == [10, 20, 25]  # asked again where it ended
    assert same(late, whole[25])


def test_a_kill_after_the_last_word_changes_nothing(tmp_path):
    early = run(tmp_path, on_snapshot=lambda s, w: True)  # killed when all but publishing was done
    again = run(tmp_path, on_snapshot=lambda s, w: True)
    assert same(early, again)
    assert same(again, run(None, steps=10))


def test_sigterm_saves_and_ends_with_143(tmp_path):
    def loss_and_term(step, total, **_):
        if step == 12:
            os.kill(os.getpid(), signal.SIGTERM)

    net = small_model()
    with pytest.raises(SystemExit) as end:
        train(
            net,
            adam(net.parameters(), 1e-2),
            lambda step: net(torch.randn(4, 2, 5, 5)).square().mean(),
            steps=25,
            seed=7,
            folder=tmp_path,
            save_every=1e9,
            progress=loss_and_term,
        )
    assert end.value.code == 143
    from safetensors import safe_open

    with safe_open(tmp_path / STATE, "pt") as file:
        assert file.metadata()["nearnd"] == '{"step": 13}'  # the step under way was finished
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_average_ramp():
    assert ema_rate(0.999, 1) == 2 / 11
    assert ema_rate(0.999, 100) == 101 / 110
    assert ema_rate(0.999, 8989) < 0.999
    assert ema_rate(0.999, 8990) == pytest.approx(0.999)
    assert ema_rate(0.9, 100) == 0.9


def line(step=lambda s: 1.0, grow=lambda s: 0.0, **options):
    """The parameter after gradient steps of 1 from 0: minus the sum of the rates."""
    p = nn.Parameter(torch.zeros(()))
    net = nn.Module()
    net.p = p
    loss = lambda s: step(s) * net.p + grow(s)  # noqa: E731
    train(net, torch.optim.SGD([p], 0.5), loss, seed=0, folder=None, **options)
    return net.p.item()


def test_average_of_a_straight_line():
    # p_n = -n / 2; after two updates the average is d2 (d1 0 + (1-d1) p1) + (1-d2) p2.
    d1, d2 = 2 / 11, 3 / 12
    assert line(steps=2, ema=0.999) == pytest.approx(d2 * (1 - d1) * -0.5 + (1 - d2) * -1.0)


def test_schedule_starts_with_step_zero():
    # rates 0, 1/4, 2/4, 3/4 of 0.5
    assert line(steps=4, schedule=lambda s: s / 4) == pytest.approx(-0.75)


def test_clip_bounds_the_gradient_norm_and_leaves_small_ones():
    assert line(lambda s: 10.0, steps=2, clip=1.0) == pytest.approx(-1.0, rel=1e-5)
    assert line(lambda s: 0.5, steps=2, clip=1.0) == pytest.approx(-0.5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_broken_loss_is_named_and_the_last_good_state_stays(tmp_path, bad):
    net = small_model()

    def loss(step):
        return net(torch.ones(4, 2, 5, 5)).square().mean() * (bad if step == 6 else 1.0)

    words = rf"step 6: loss {bad}.*rate 0\.01.*Lower the learning rate.*good state is in .*last"
    with pytest.raises(FloatingPointError, match=words):
        train(
            net,
            adam(net.parameters(), 1e-2),
            loss,
            steps=9,
            seed=0,
            folder=tmp_path,
            save_every=0.0,
        )
    assert all(p.isfinite().all() for p in net.parameters())
    train(
        net,
        adam(net.parameters(), 1e-2),
        lambda s: net(torch.ones(4, 2, 5, 5)).mean(),
        steps=9,
        seed=0,
        folder=tmp_path,
    )
    assert all(p.isfinite().all() for p in net.parameters())


def test_a_loss_that_explodes_is_divergence():
    with pytest.raises(FloatingPointError, match=r"step 7: loss 1e\+08 \(at first 1\)"):
        line(lambda s: 0.0, steps=9, grow=lambda s: 1e8 if s == 7 else 1.0)
    assert line(lambda s: 0.0, steps=9, grow=lambda s: 1e3 if s == 7 else 1.0) == 0


@contextmanager
def files_of_at_most(size):
    """A disk on which there is no room for larger ones."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_and_loses_nothing(tmp_path):
    def fill(step, total, **_):
        if step == 12:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    words = r"last\.safetensors could not be written: .*MB are free there; make room"
    with files_of_at_most(limit[0]), pytest.raises(OSError, match=words):
        net = small_model()
        train(net, adam(net.parameters(), 1e-2), lambda s: net(torch.randn(4, 2, 5, 5)).mean(),
              steps=25, seed=7, folder=tmp_path, save_every=0.0, progress=fill)  # fmt: skip
    assert os.listdir(tmp_path) == [STATE]  # nothing half-written is left
    from safetensors import safe_open

    with safe_open(tmp_path / STATE, "pt") as file:
        assert file.metadata()["nearnd"] == '{"step": 12}'


def test_an_error_of_safetensors_about_the_disk_is_told_in_the_same_words(tmp_path):
    from safetensors import SafetensorError

    from nearnd.files.arrays import replacing

    (tmp_path / "state").write_text("good")
    with (
        pytest.raises(OSError, match=r"state could not be written: .*free"),
        replacing(tmp_path / "state") as part,
    ):
        part.write_text("half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")
    assert (tmp_path / "state").read_text() == "good"
    assert os.listdir(tmp_path) == ["state"]


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"x" * 99])
def test_a_corrupt_state_is_named(tmp_path, damage):
    run(tmp_path, steps=3)
    file = tmp_path / STATE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=r"last\.safetensors.*delete the file"):
        run(tmp_path)


def test_the_state_of_another_network_is_refused(tmp_path):
    line(steps=1)
    net = nn.Linear(2, 2)
    train(
        net,
        adam(net.parameters(), 1e-3),
        lambda s: net(torch.ones(1, 2)).sum(),
        steps=1,
        seed=0,
        folder=tmp_path,
    )
    with pytest.raises(ValueError, match="not a state of this training"):
        run(tmp_path)


def test_frozen_parameters_stay_and_are_in_the_snapshots():
    net = small_model()
    net[0].weight.requires_grad_(False)
    before, seen = net[0].weight.clone(), {}
    train(
        net,
        torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.1),
        lambda s: net(torch.randn(4, 2, 5, 5)).square().mean(),
        steps=3,
        seed=0,
        folder=None,
        ema=0.5,
        snapshots=[3],
        on_snapshot=lambda s, w: seen.update(w),
    )
    assert torch.equal(net[0].weight, before)
    assert set(seen) == set(net.state_dict())


def parts_of(net, x, sizes):
    """The mean square of net(x) in parts."""
    return [net(rows).square().mean() * (len(rows) / len(x)) for rows in x.split(sizes)]


def smooth_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.SiLU(), nn.Conv2d(3, 1, 3))


@pytest.mark.parametrize("sizes", [[4, 4], [3, 3, 2], [1] * 8])
def test_a_loss_in_parts_is_the_same_training(sizes):
    def trained(sizes):
        net = smooth_model()
        train(net, adam(net.parameters(), 1e-2),
              lambda step: parts_of(net, torch.randn(8, 2, 5, 5), sizes),
              steps=10, seed=3, folder=None, clip=0.1)  # fmt: skip
        return net.state_dict()

    whole, parted = trained([8]), trained(sizes)
    assert all(torch.allclose(whole[name], parted[name], atol=1e-5) for name in whole)


def test_a_step_that_runs_out_of_memory_is_done_again_in_smaller_parts():
    seen, sizes = [], [8]

    def trained(most):
        net = smooth_model()

        def loss(step):
            for part in parts_of(net, torch.randn(8, 2, 5, 5), sizes[-1]):
                if sizes[-1] > most:
                    raise torch.OutOfMemoryError("CUDA out of memory.")
                seen.append(step)
                yield part

        train(net, adam(net.parameters(), 1e-2), loss, steps=5, seed=3, folder=None,
              out_of_memory=lambda: sizes.append(sizes[-1] // 2))  # fmt: skip
        return net.state_dict()

    whole = trained(8)
    assert sizes == [8]
    small = trained(2)
    assert sizes == [8, 4, 2]
    assert seen == [*range(5), *(step for step in range(5) for _ in range(4))]
    assert all(torch.allclose(whole[name], small[name], atol=1e-5) for name in whole)


def test_snapshot_steps_are_geometric():
    steps = snapshot_steps(800, 5)
    assert steps[0] == 50
    assert steps[-1] == 800
    assert all(b / a == pytest.approx(2, rel=0.02) for a, b in itertools.pairwise(steps))
    assert snapshot_steps(3, 8) == [3]
    assert snapshot_steps(100_000, 40)[0] == 1000

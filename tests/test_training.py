"""The training loop: a kill changes nothing, whatever the parts; and what it averages and clips."""

import itertools
import os
import resource
import signal
from contextlib import contextmanager

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from nearnd.files.snapshots import snapshot_steps
from nearnd.jobs.average import ema_rate
from nearnd.jobs.training_loop import STATE, loop, stages, train
from nearnd.jobs.update import Update


class Killed(Exception):
    pass


def small_model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.SiLU(), nn.Dropout(0.2))
    return net.to(memory_format=torch.channels_last)


def adam(params, lr=1e-2):
    return torch.optim.Adam(params, lr, fused=True)


def sgd(params, lr=1e-2):
    return torch.optim.SGD(params, lr, momentum=0.9)


def copy(weights):
    return {name: t.clone() for name, t in weights.items()}


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


def supervised(folder, optimizer=adam, *, steps=25, ema=0.9, on_snapshot=None, **options):
    """Weights after the training of one network."""
    net = small_model()
    settings = {"clip": 1.0, "save_every": 0.0, "snapshots": [10, 25]} | options
    train(
        net,
        optimizer(net.parameters()),
        lambda step: (net(torch.randn(4, 2, 5, 5)) - 1).square().mean(),
        steps=steps,
        seed=7,
        folder=folder,
        schedule=lambda step: min(step / 5, 1.0),
        ema=ema,
        on_snapshot=on_snapshot,
        **settings,
    )
    return net.state_dict()


def descent(folder, **options):
    """`supervised` with another optimizer."""
    return supervised(folder, sgd, **options)


def adversarial(folder, *, steps=25, on_snapshot=None, between=lambda step: None,
                spoil=lambda step: 1.0, out_of_memory=None, **options):  # fmt: skip
    """Weights and moments after the training of a generator against a discriminator, which has two
    turns for each one of the generator. `between` is called between their updates, `spoil` gives a
    factor of the generator's loss."""
    torch.manual_seed(0)
    g = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    d = nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Dropout(0.2), nn.Linear(8, 1))
    g_adam, d_sgd = adam(g.parameters()), sgd(d.parameters())
    update_d = Update(d_sgd, clip=1.0)
    update_g = Update(g_adam, out_of_memory=out_of_memory, name="loss of g")

    def step(i):
        real, z = 0.3 * torch.randn(16, 2) + 2, torch.randn(16, 3)
        fake = g(z).detach()
        told = {"d": update_d(i, lambda: (softplus(-d(real)) + softplus(d(fake))).mean())}
        between(i)
        if i % 2:
            told["g"] = update_g(i, lambda: spoil(i) * softplus(-d(g(z))).mean())
        return told

    parts = {"g": g, "d": d, "g_adam": g_adam, "d_sgd": d_sgd}
    settings = {"ema": {"g": 0.9}, "save_every": 0.0, "snapshots": [10, 25]} | options
    averaged = on_snapshot and (lambda step, weights: on_snapshot(step, weights["g"]))
    loop(step, parts, steps=steps, seed=7, folder=folder, on_snapshot=averaged, **settings)
    everything = {}
    for name, part in parts.items():
        if isinstance(part, nn.Module):
            everything |= {f"{name}.{key}": t for key, t in part.state_dict().items()}
        else:
            moments = part.state_dict()["state"]
            everything |= {f"{name}.{i}.{k}": moments[i][k] for i in moments for k in moments[i]}
    return dict(sorted(everything.items()))


TRAININGS = pytest.mark.parametrize("run", [supervised, descent, adversarial])


def kill_at(at):
    def progress(step, total, **_):
        if step == at:
            raise Killed

    return progress


def step_of(folder):
    from nearnd.files.arrays import load_facts

    return load_facts(folder / STATE)["step"]


# ---- a kill, and going on ----


@TRAININGS
@pytest.mark.parametrize(
    ("at", "save_every", "goes_on_from"), [(1, 0, 1), (10, 0, 10), (17, 0, 17), (17, 1e9, 10)]
)
def test_a_killed_run_ends_with_the_same_bytes(tmp_path, run, at, save_every, goes_on_from):
    seen, whole, steps = {}, {}, []
    expected = run(None, on_snapshot=lambda s, w: whole.update({s: copy(w)}))
    options = {"on_snapshot": lambda s, w: seen.update({s: copy(w)}), "save_every": save_every}
    with pytest.raises(Killed):
        run(tmp_path, progress=kill_at(at), **options)
    assert step_of(tmp_path) == goes_on_from
    torch.manual_seed(99)  # whatever the state of the generator
    got = run(tmp_path, progress=lambda step, *_, **__: steps.append(step), **options)
    assert steps == list(range(goes_on_from + 1, 26))
    assert same(got, expected)
    assert all(same(seen[s], whole[s]) for s in (10, 25))


@TRAININGS
def test_sigterm_ends_with_143_after_the_step_under_way_and_changes_nothing(tmp_path, run):
    def terminate(step, total, **_):
        if step == 12:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as end:
        run(tmp_path, save_every=1e9, progress=terminate)
    assert end.value.code == 143
    assert step_of(tmp_path) == 13
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert same(run(tmp_path), run(None))


@pytest.mark.parametrize("signalled", [False, True])
def test_a_kill_between_the_updates_of_two_optimizers_changes_nothing(tmp_path, signalled):
    def between(step):
        if step == 13:
            if not signalled:
                raise Killed
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit if signalled else Killed):
        adversarial(tmp_path, between=between)
    assert step_of(tmp_path) == 13 + signalled  # an update by one of them alone is never saved
    assert same(adversarial(tmp_path), adversarial(None))


@TRAININGS
def test_a_kill_during_a_snapshot_repeats_it(tmp_path, run):
    calls = []

    def crash(step, weights):
        calls.append(step)
        if len(calls) == 1:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, on_snapshot=crash)
    run(tmp_path, on_snapshot=crash)
    assert calls == [10, 10, 25]


@TRAININGS
def test_training_ends_where_a_snapshot_is_enough_and_goes_on_later_to_the_same_bytes(
    tmp_path, run
):
    whole, seen = {}, []
    due = {"snapshots": [10, 20, 25]}
    end = run(None, on_snapshot=lambda s, w: whole.update({s: copy(w)}), **due)
    early = run(tmp_path, on_snapshot=lambda s, w: s >= 10, **due)
    again = run(tmp_path, on_snapshot=lambda s, w: s >= 10, **due)  # killed just before its end
    assert same(early, again)
    assert same(early, run(None, steps=10))

    def further(step, weights):
        seen.append(step)
        assert same(weights, whole[step])

    late = run(tmp_path, on_snapshot=further, **due)
    assert seen == [10, 20, 25]  # asked again where it ended
    assert same(late, end)


@pytest.mark.parametrize("at", [5, 9, 10, 14])
def test_a_killed_training_of_two_stages_ends_with_the_same_bytes(tmp_path, at):
    def run(folder, progress):
        torch.manual_seed(0)
        encoder, decoder, head = nn.Linear(4, 2), nn.Linear(2, 4), nn.Linear(2, 1)
        both = nn.Sequential(encoder, decoder)
        first, second = stages(folder, progress, codes=9, head=7)

        def error(step):
            x = torch.randn(8, 4)
            return (both(x) - x).square().mean()

        train(both, adam(both.parameters()), error, seed=1, save_every=0.0, **first)
        centre = encoder.bias.detach().clone()
        net = nn.Sequential(encoder, head)

        def distance(step):
            return (net(torch.randn(8, 4)) - centre.sum()).square().mean()

        train(net, sgd(net.parameters()), distance, seed=1, save_every=0.0, **second)
        return net.state_dict()

    told, rest = [], []
    whole = run(None, lambda step, total, **_: told.append((step, total)))
    assert told == [(i + 1, 16) for i in range(16)]
    with pytest.raises(Killed):
        run(tmp_path, kill_at(at))
    assert same(run(tmp_path, lambda step, total, **_: rest.append((step, total))), whole)
    assert rest == told[at:]


# ---- errors ----


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_broken_loss_is_named_and_the_last_good_state_stays(tmp_path, bad):
    net = small_model()

    def loss(step):
        return net(torch.ones(4, 2, 5, 5)).square().mean() * (bad if step == 6 else 1.0)

    words = rf"step 6: loss {bad}.*rate 0\.01.*Lower the learning rate.*good state is in .*last"
    with pytest.raises(FloatingPointError, match=words):
        train(net, adam(net.parameters()), loss, steps=9, seed=0, folder=tmp_path, save_every=0)
    assert all(p.isfinite().all() for p in net.parameters())
    assert step_of(tmp_path) == 6


@pytest.mark.parametrize("bad", [float("nan"), -1e9])
def test_one_broken_loss_of_two_is_named_and_the_last_good_state_stays(tmp_path, bad):
    words = r"step 13: loss of g (nan|-.*e\+0).* \(at first .*gradient norm .*good state is in"
    with pytest.raises(FloatingPointError, match=words):
        adversarial(tmp_path, spoil=lambda step: bad if step == 13 else 1.0)
    assert step_of(tmp_path) == 13
    assert same(adversarial(tmp_path), adversarial(None))


def test_numbers_of_a_step_without_updates_are_watched_too():
    def run(g):
        told = []
        progress = lambda step, total, **losses: told.append(losses)  # noqa: E731
        loop(lambda i: {"d": 1.0, "g": g if i == 7 else -1.0}, {}, steps=9, seed=0, folder=None,
             progress=progress)  # fmt: skip
        return told

    assert run(-1e5)[7] == {"d": 1.0, "g": -1e5}
    for g in (float("nan"), 1e8, -1e8):
        with pytest.raises(FloatingPointError, match=r"step 7: g [-+\w]+ \(at first -1\)\. Lower"):
            run(g)


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
        supervised(tmp_path, progress=fill)
    assert os.listdir(tmp_path) == [STATE]  # nothing half-written is left
    assert step_of(tmp_path) == 12


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
    supervised(tmp_path, steps=3)
    file = tmp_path / STATE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=r"last\.safetensors.*delete the file"):
        supervised(tmp_path)


def test_the_state_of_another_training_is_refused(tmp_path):
    net = nn.Linear(2, 2)
    loss = lambda step: net(torch.ones(1, 2)).sum()  # noqa: E731
    train(net, adam(net.parameters()), loss, steps=1, seed=0, folder=tmp_path)
    for run in (supervised, adversarial):
        with pytest.raises(ValueError, match="not a state of this training"):
            run(tmp_path)


# ---- averages, rates, clipping ----


def line(step=lambda s: 1.0, grow=lambda s: 0.0, **options):
    """The parameter after gradient steps of 1 from 0: minus the sum of the rates."""
    p = nn.Parameter(torch.zeros(()))
    net = nn.Module()
    net.p = p
    loss = lambda s: step(s) * net.p + grow(s)  # noqa: E731
    train(net, torch.optim.SGD([p], 0.5), loss, seed=0, folder=None, **options)
    return net.p.item()


def test_average_ramp():
    assert ema_rate(0.999, 1) == 2 / 11
    assert ema_rate(0.999, 100) == 101 / 110
    assert ema_rate(0.999, 8989) < 0.999
    assert ema_rate(0.999, 8990) == pytest.approx(0.999)
    assert ema_rate(0.9, 100) == 0.9


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


def test_a_loss_that_explodes_is_divergence():
    with pytest.raises(FloatingPointError, match=r"step 7: loss 1e\+08 \(at first 1\)"):
        line(lambda s: 0.0, steps=9, grow=lambda s: 1e8 if s == 7 else 1.0)
    assert line(lambda s: 0.0, steps=9, grow=lambda s: 1e3 if s == 7 else 1.0) == 0


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


# ---- losses in parts, and too little memory ----


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
        train(net, adam(net.parameters()),
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

        train(net, adam(net.parameters()), loss, steps=5, seed=3, folder=None,
              out_of_memory=lambda: sizes.append(sizes[-1] // 2))  # fmt: skip
        return net.state_dict()

    whole = trained(8)
    assert sizes == [8]
    small = trained(2)
    assert sizes == [8, 4, 2]
    assert seen == [*range(5), *(step for step in range(5) for _ in range(4))]
    assert all(torch.allclose(whole[name], small[name], atol=1e-5) for name in whole)


def test_only_the_update_that_ran_out_of_memory_is_done_again():
    """That of the discriminator before it, and all random numbers, stay as they were."""
    times = []

    def short(step):
        torch.rand(3)  # numbers that the second try has to draw again
        if step == 13 and len(times) < 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return 1.0

    got = adversarial(None, spoil=short, out_of_memory=lambda: times.append(1))
    assert len(times) == 2
    assert same(got, adversarial(None, spoil=lambda step: len(torch.rand(3)) / 3))
    times.clear()
    with pytest.raises(MemoryError, match="does not suffice for a batch at step 13: lower batch"):
        adversarial(None, spoil=short)


def test_snapshot_steps_are_geometric():
    steps = snapshot_steps(800, 5)
    assert steps[0] == 50
    assert steps[-1] == 800
    assert all(b / a == pytest.approx(2, rel=0.02) for a, b in itertools.pairwise(steps))
    assert snapshot_steps(3, 8) == [3]
    assert snapshot_steps(100_000, 40)[0] == 1000

"""Every variant of the score network against the text of the paper's code, written down once more
with plain convolutions: layer after layer, weights taken in the order of its list."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from nearnd.generators._reference import slots
from nearnd.networks.unet import UNet

BASE = {"size": 16, "nf": 8, "channel_mult": (1, 2, 1), "blocks": 1, "attention": (8,)}
FILTER = torch.outer(*2 * [torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8])


class Published:
    """The network of score_sde: NCSN++ / DDPM++, `models/ncsnpp.py`."""

    def __init__(self, net, *, resblock="biggan", resample_conv=True, fir=True, inner="residual",
                 combine="sum", outer="none", rescale=True, embedding="fourier", centered=False,
                 by_sigma=True, **base):  # fmt: skip
        self.o = {k: v for k, v in locals().items() if k not in ("self", "net", "base")} | base
        self.list = iter(s.target.mT if s.matrix else s.target for s in slots(net))

    def layer(self, x, how):
        """A layer with its weight and bias: how is "norm", "linear", "nin" or conv's arguments."""
        w, b = next(self.list), next(self.list)
        if how == "norm":
            return F.group_norm(x, min(x.shape[1] // 4, 32), w, b, 1e-6)
        if how == "linear":
            return F.linear(x, w, b)
        if how == "nin":
            return torch.einsum("nchw,cd->ndhw", x, w) + b[:, None, None]
        return F.conv2d(x, w, b, **how)

    def act(self, x):
        return F.silu(self.layer(x, "norm"))

    def fir(self, x, gain=1, pad=1, stride=1):
        k = gain * FILTER.expand(x.shape[1], 1, 4, 4)
        return F.conv2d(F.pad(x, (pad,) * 4), k, stride=stride, groups=x.shape[1])

    def down(self, x, convolve=False):
        if not convolve:
            return self.fir(x, stride=2) if self.o["fir"] else F.avg_pool2d(x, 2)
        x = self.fir(x, pad=2) if self.o["fir"] else F.pad(x, (0, 1, 0, 1))
        return self.layer(x, {"stride": 2})

    def up(self, x, convolve=False):
        if not self.o["fir"]:
            x = F.interpolate(x, scale_factor=2)
            return self.layer(x, {"padding": 1}) if convolve else x
        if not convolve:
            k = 4 * FILTER.expand(x.shape[1], 1, 4, 4)
            return F.conv_transpose2d(x, k, stride=2, padding=1, groups=x.shape[1])
        w, b = next(self.list), next(self.list)  # first doubled by the convolution, then filtered
        y = F.conv_transpose2d(x, w.transpose(0, 1).flip(2, 3), stride=2)
        return self.fir(y, gain=4) + b[:, None, None]

    def add(self, a, b):
        return (a + b) / math.sqrt(2) if self.o["rescale"] else a + b

    def res(self, x, out, to=None):
        h = self.act(x)
        if to:
            h, x = to(h), to(x)
        h = self.layer(h, {"padding": 1}) + self.layer(self.e, "linear")[:, :, None, None]
        h = self.layer(self.act(h), {"padding": 1})
        if x.shape[1] != out or to:
            x = self.layer(x, "nin" if self.o["resblock"] == "ddpm" else {})
        return self.add(x, h)

    def attend(self, x):
        h = self.layer(x, "norm")
        q, k, v = (self.layer(h, "nin").flatten(2) for _ in range(3))  # (N, C, HW)
        a = torch.softmax(torch.einsum("ncp,ncq->npq", q, k) * x.shape[1] ** -0.5, -1)
        return self.add(x, self.layer(torch.einsum("npq,ncq->ncp", a, v).view_as(x), "nin"))

    def change(self, h, to):
        if self.o["resblock"] == "ddpm":
            return to(h, self.o["resample_conv"])
        return self.res(h, h.shape[1], to)

    def __call__(self, x, level):
        o, nf = self.o, self.o["nf"]
        if o["embedding"] == "fourier":
            angle = 2 * math.pi * level.log()[:, None] * next(self.list)
        else:
            freq = torch.exp(-math.log(10000) / (nf // 2 - 1) * torch.arange(nf // 2))
            angle = level[:, None] * freq
        e = self.layer(torch.cat([angle.sin(), angle.cos()], 1), "linear")
        self.e = F.silu(self.layer(F.silu(e), "linear"))
        x = x if o["centered"] else 2 * x - 1
        maps = [self.layer(x, {"padding": 1})]
        last = len(o["channel_mult"]) - 1
        for i, mult in enumerate(o["channel_mult"]):
            for _ in range(o["blocks"]):
                h = self.res(maps[-1], nf * mult)
                maps.append(self.attend(h) if h.shape[2] in o["attention"] else h)
            if i < last:
                h = self.change(maps[-1], self.down)
                if o["inner"] == "skip":
                    x = self.down(x)
                    y = self.layer(x, {})
                    h = y + h if o["combine"] == "sum" else torch.cat([y, h], 1)
                elif o["inner"] == "residual":
                    x = h = self.add(self.down(x, True), h)
                maps.append(h)
        h = self.attend(self.res(maps[-1], maps[-1].shape[1]))
        h, y = self.res(h, h.shape[1]), None
        for i, mult in reversed(list(enumerate(o["channel_mult"]))):
            for _ in range(o["blocks"] + 1):
                h = self.res(torch.cat([h, maps.pop()], 1), nf * mult)
            h = self.attend(h) if h.shape[2] in o["attention"] else h
            if o["outer"] == "skip":
                y = self.up(y) if y is not None else 0
                y = y + self.layer(self.act(h), {"padding": 1})
            elif o["outer"] == "residual":
                if y is None:
                    y = self.layer(self.act(h), {"padding": 1})
                else:
                    y = h = self.add(self.up(y, True), h)
            h = self.change(h, self.up) if i else h
        if o["outer"] != "skip":
            y = self.layer(self.act(h), {"padding": 1})
        assert next(self.list, None) is None
        return y / level[:, None, None, None] if o["by_sigma"] else y


PYRAMIDS = [
    {"inner": inner, "combine": combine, "outer": outer}
    for inner, combine, outer in itertools.product(
        ("none", "residual", "skip"), ("sum", "cat"), ("none", "residual", "skip")
    )
    if inner == "skip" or combine == "sum"
]
KINDS = [
    {"resblock": "biggan"},
    {"resblock": "biggan", "fir": False},
    {"resblock": "ddpm"},
    {"resblock": "ddpm", "fir": False, "rescale": False},
    {"resblock": "ddpm", "fir": False, "resample_conv": False},
    {"embedding": "positional", "by_sigma": False, "centered": True, "rescale": False},
]


@pytest.mark.parametrize("pyramid", PYRAMIDS, ids=lambda v: "-".join(v.values()))
@pytest.mark.parametrize("kind", KINDS, ids=lambda v: "-".join(map(str, v.values())))
def test_network_is_the_published_one(kind, pyramid):
    torch.manual_seed(0)
    options = BASE | kind | pyramid
    net = UNet(**options).eval()
    for p in net.parameters():  # the last layers of blocks start as nothing
        if p.requires_grad:
            torch.nn.init.normal_(p, mean=float(p.dim() == 1), std=0.3)
    x, level = torch.randn(2, 3, 16, 16), torch.tensor([0.3, 7.0])
    with torch.no_grad():
        got, expected = net(x, level), Published(net, **options)(x, level)
    assert float((got - expected).abs().max() / expected.abs().max()) < 1e-4

"""The tagging loss against a loop over instances and frames, 20 instances at 32 x 112 x 112.

    python benchmarks/tagging_loss.py

Forward and backward of eq. (6) on float32 tags of one clip, with all pixels in eq. (2) and with the
M' = 64 random ones of the `paper` profile. The loop is each equation as one would first write it.
Before timing, loss and gradient over all pixels are checked equal, and the mean over several draws
close to that loss. Times are medians over turns that the two take one after the other.

Prints a Markdown table and writes benchmarks/results/tagging_loss.json.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from measuring import interleave, record
from torch import Tensor

from tagvis_lite.config import LossConfig
from tagvis_lite.losses import overall_loss
from tagvis_lite.video import Clip, Prediction

FRAMES, HEIGHT, WIDTH, INSTANCES = 32, 112, 112, 20
RADIUS = 10
REPEATS = 15


def clip_with_tags(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Tags and ids, T x h x w: discs that drift and overlap, one tag each, and noise."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(HEIGHT).view(1, -1, 1)
    x = torch.arange(WIDTH).view(1, 1, -1)
    t = torch.arange(FRAMES).view(-1, 1, 1)
    ids = torch.zeros(FRAMES, HEIGHT, WIDTH, dtype=torch.int64)
    for n in range(1, INSTANCES + 1):
        top, left, down, right = (2 * torch.rand(4, generator=generator) - 1).tolist()
        distance = (y - 56 - 45 * top - down * t).square() + (x - 56 - 45 * left - right * t) ** 2
        ids[distance < RADIUS**2] = n
    tags = 1.5 * ids + torch.randn(ids.shape, generator=generator)
    return tags, ids


def loop_loss(tags: Tensor, ids: Tensor, config: LossConfig, generator: torch.Generator) -> Tensor:
    """Eqs. (1) to (6) with means, all weights 1 and h_n over the clip, one instance at a time."""
    names = [int(n) for n in ids.unique() if n > 0]
    h = {n: tags[ids == n].mean() for n in names}
    h_t = {
        (n, t): tags[t][ids[t] == n].mean()
        for n in names
        for t in range(len(ids))
        if (ids[t] == n).any()
    }
    spectra, tempra, specter, temper = [], [], [], []
    for n in names:
        pixels = tags[ids == n]
        if config.pixels_per_instance is not None:
            drawn = torch.randint(len(pixels), (config.pixels_per_instance,), generator=generator)
            pixels = pixels[drawn]
        spectra.append((h[n] - pixels).square().mean())
        frames = [t for t in range(len(ids)) if (n, t) in h_t]
        tempra.append(torch.stack([(h[n] - h_t[n, t]).square() for t in frames]).mean())
    for i, n in enumerate(names):
        for other in names[i + 1 :]:
            specter.append((config.margin - (h[n] - h[other]).abs()).clamp(min=0))
            for t in range(len(ids)):
                if (n, t) in h_t and (other, t) in h_t:
                    distance = (h_t[n, t] - h_t[other, t]).abs()
                    temper.append((config.margin - distance).clamp(min=0))
    means = [torch.stack(terms).mean() for terms in (spectra, specter, tempra, temper)]
    return torch.stack(means).sum()


def package_loss(
    tags: Tensor, ids: Tensor, config: LossConfig, generator: torch.Generator
) -> Tensor:
    """The same through `overall_loss`, without a decoder."""
    batch = Clip(
        frames=torch.empty(1, 3, *ids.shape),
        ids=ids[None],
        semantic=ids[None],
        frame_indices=torch.arange(len(ids))[None],
        names=("discs",),
    )
    return overall_loss(Prediction(tags[None], None), batch, config, generator).overall


FORMS = {"loop": loop_loss, "package": package_loss}
PIXELS = {"all pixels": None, "M' = 64": 64}
"""`pixels_per_instance` of each row."""


def loss_and_gradient(
    form: str, tags: Tensor, ids: Tensor, config: LossConfig, seed: int = 0
) -> tuple[Tensor, Tensor]:
    leaf = tags.clone().requires_grad_()
    loss = FORMS[form](leaf, ids, config, torch.Generator().manual_seed(seed))
    return loss.detach(), torch.autograd.grad(loss, leaf)[0]


def check_equal(tags: Tensor, ids: Tensor) -> None:
    every_pixel = LossConfig(pixels_per_instance=None)
    expected = loss_and_gradient("loop", tags, ids, every_pixel)
    found = loss_and_gradient("package", tags, ids, every_pixel)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=0)
    largest = float(expected[1].abs().max())
    torch.testing.assert_close(found[1], expected[1], rtol=0, atol=1e-3 * largest)
    for form in FORMS:
        drawn = [loss_and_gradient(form, tags, ids, LossConfig(), seed)[0] for seed in range(20)]
        torch.testing.assert_close(torch.stack(drawn).mean(), expected[0], rtol=0.03, atol=0)


def timed(form: str, tags: Tensor, ids: Tensor, config: LossConfig) -> Callable[[], object]:
    return lambda: loss_and_gradient(form, tags, ids, config)


def main() -> None:
    tags, ids = clip_with_tags()
    assert len(ids.unique()) == INSTANCES + 1
    check_equal(tags, ids)
    seconds = {}
    for name, number in PIXELS.items():
        config = LossConfig(pixels_per_instance=number)
        functions = {form: timed(form, tags, ids, config) for form in FORMS}
        seconds[name] = interleave(functions, REPEATS)
    ratio = {name: row["loop"] / row["package"] for name, row in seconds.items()}

    print(f"| {INSTANCES} instances, {FRAMES} x {HEIGHT} x {WIDTH} | loop | package | ratio |")
    print("|---|---:|---:|---:|")
    for name, row in seconds.items():
        loop, package = 1000 * row["loop"], 1000 * row["package"]
        print(f"| {name} | {loop:.0f} ms | {package:.1f} ms | {ratio[name]:.0f} |")
    shape = {"frames": FRAMES, "height": HEIGHT, "width": WIDTH, "instances": INSTANCES}
    results = {"shape": shape, "repeats": REPEATS, "seconds": seconds, "ratio": ratio}
    record("tagging_loss", results)


if __name__ == "__main__":
    main()

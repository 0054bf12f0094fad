# %% [markdown]
# # 04 · L_tempra holds an instance over time
#
# **One idea:** pull the mean tag of each frame to the mean tag of the clip, and find out when something else
# does so already.
#
# Paper: section III-E, equation (4) · Time: 25 minutes to read, 20 for the exercises; 10 seconds on two
# CPU cores
#
# Below, the tags of a dog's pixels over eight frames. They creep upwards, until you press play: then
# L_tempra alone acts on them.

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose reading of h_n is checked at the end
SEED = 0  # of every random number below
DATA = ""  # not used in this lesson: its tags are made up
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import torch

from tagvis_lite.config import PROFILES
from tagvis_lite.course import COLOURS, check, claim, record, show, subplots
from tagvis_lite.course.checks.lesson_04 import (
    check_blind_spot,
    check_held_in_time,
    check_meeting_point,
)
from tagvis_lite.losses import instance_means, spectra_loss, tempra_loss
from tagvis_lite.views import TagLine
from tagvis_lite.views.free_tags import descend, draw_frames

torch.manual_seed(SEED)
config = PROFILES[PROFILE].loss

# %% tags=["fold"]
T, P = 8, 12
creeping = torch.linspace(0, 4, T)[:, None] + 0.5 * torch.randn(T, P)
whole = torch.ones(T, P, dtype=torch.bool)
TagLine(
    creeping,
    whole.long(),
    on=["tempra"],
    title="L_tempra at work",
    alt="""Tags of one dog against frames after 0, 20 and 80 steps of L_tempra: a rising band turns
    level and stays as broad as it was.""",
)

# %% [markdown]
# The band turns level and stays as broad as it was: narrow is not this loss's business.
# <!-- claim: broad -->
#
# ## What you will learn
#
# You will be able to
#
# - write equation (4), with instances that are absent from some frames,
# - split a spread into a part within frames and a part between them, and prove that nothing is left,
# - say for which reading of equation (2) this loss is redundant.
#
# You need: [03 · L_spectra](03_spectra.ipynb). The variance of a sum of groups comes back to you here.
#
# Previous: [03 · L_spectra pulls pixels together](03_spectra.ipynb) ·
# Next: [05 · L_specter pushes instances apart](05_specter.ipynb)

# %% [markdown]
# ## A question
#
# A dog walks through eight frames. In each frame its pixels agree on a tag, but the tag creeps: 0 in the
# first frame, 4 in the last. A tracker would see eight dogs.
#
# Write down before you go on: *does L_spectra of lesson 03 notice? Under which reading of its mean $h_n$
# does it, and under which does it not?*

# %% [markdown] tags=["eq-4"]
# ## The paper
#
# $$L_{tempra} = \frac{1}{N}\sum_{n=1}^{N}\sum_{t=1}^{T} (h_n - h_{nt})^2 \qquad (4)$$
#
# | symbol | meaning | shape here |
# |---|---|---|
# | $h_n$ | mean tag of instance $n$ over the clip, eq. (1) | scalar |
# | $h_{nt}$ | mean tag of instance $n$ in frame $t$ | T |
# | $M_t$ | pixels of the instance in frame $t$ | T |
#
# The name is short for *temporal-instance-grouping*. The paper: removing it 'impacts the ability of the
# network to generate consistent tags for a given object instance across the video sequence'.

# %% [markdown]
# ## In code
#
# Here tags are a table, T frames of P pixels, and `here` says which entries belong to the one instance we
# look at. A frame without it has no mean, so it is left out.


# %%
def frame_means(tags, here):
    """h_nt of the frames that the instance is in."""
    return torch.stack([t[m].mean() for t, m in zip(tags, here, strict=True) if m.any()])


# %%
def tempra(tags, here):
    """Eq. (4) for one instance: T x P tags and T x P bool to a scalar."""
    return (tags[here].mean() - frame_means(tags, here)).square().sum()


# %% [markdown]
# And eq. (2) again, in both readings of its mean: over the clip, or over each frame by itself.


# %%
def spectra(tags, here, h_n):
    """Eq. (2) for one instance, summed over its pixels."""
    if h_n == "clip":
        return (tags[here] - tags[here].mean()).square().sum()
    frames = [t[m] for t, m in zip(tags, here, strict=True) if m.any()]
    return torch.stack([(t - t.mean()).square().sum() for t in frames]).sum()


tempra(creeping, whole), spectra(creeping, whole, "clip"), spectra(creeping, whole, "frame")

# %% [markdown]
# ## By hand
#
# Two frames, two pixels each: **1, 3** and **5, 7**. Frame means 2 and 6, clip mean 4.
#
# - $L_{tempra} = (4-2)^2 + (4-6)^2 = 8$.
# - Eq. (2) with the mean of each frame: $1 + 1 + 1 + 1 = 4$.
# - Eq. (2) with the mean of the clip: $9 + 1 + 1 + 9 = 20$.
#
# And $20 = 4 + 2 \cdot 8$, where 2 is the number of pixels per frame. That is no accident. The same by code:

# %% tags=["nbval-check-output"]
dog = torch.tensor([[1.0, 3.0], [5.0, 7.0]])
everywhere = torch.ones(2, 2, dtype=torch.bool)
print("tempra", tempra(dog, everywhere).item())
print("spectra", [spectra(dog, everywhere, h_n).item() for h_n in ("frame", "clip")])

# %% [markdown]
# ## The picture
#
# The creeping dog as free tags: 12 pixels in each of 8 frames. We descend on four losses: eq. (2) in either
# reading, with and without eq. (4), as means.


# %%
def roll(h_n, weight, start=creeping):
    """Tags over 60 steps on L_spectra and weight times L_tempra, both as means."""

    def loss(tags):
        return spectra(tags, whole, h_n) / (T * P) + weight * tempra(tags, whole) / T

    return descend(start, loss, steps=60, learning_rate=2.0)


runs = {(h_n, weight): roll(h_n, weight) for h_n in ("clip", "frame") for weight in (0, 1)}

# %% tags=["fold"]
CREEPS = [s * torch.linspace(0, 4, T)[:, None] + 0.5 * torch.randn(T, P) for s in (1, -1, 0.5, 2)]


def drift_of(tags):
    """Standard deviation over time of the frame means."""
    return tags.mean(1).std(correction=0).item()


def left(h_n, weight):
    """Largest share of the drift at the start that is left at the end, over all creeping dogs."""
    return max(drift_of(roll(h_n, weight, x)[-1]) / drift_of(x) for x in CREEPS)


over = f"{len(CREEPS)} creeping dogs"
needed = claim(
    "With the mean of each frame, the dog creeps on unless L_tempra holds it",
    left("frame", 0) > 0.99 and left("frame", 1) < 0.1,
    over=over,
)
enough = claim(
    "With the mean of the clip, L_spectra stops it alone", left("clip", 0) < 0.1, over=over
)
alone = descend(creeping, lambda x: tempra(x, whole) / T, steps=80, learning_rate=2.0)[-1]
breadth = (alone - alone.mean(1, keepdim=True)).std() / (
    creeping - creeping.mean(1, keepdim=True)
).std()
broad = claim(
    "L_tempra alone levels the band and leaves its breadth",
    drift_of(alone) < 0.1 * drift_of(creeping) and abs(breadth - 1) < 1e-3,
    over="the dog of the first picture",
)

# %% tags=["fold"]
ids = torch.ones(T, P, dtype=torch.int64)
figure, axes = subplots(1, 5, width=9, height=2.6, sharey=True)
draw_frames(axes[0], creeping, ids)
axes[0].set_title("start")
for axis, ((h_n, weight), history) in zip(axes[1:], runs.items(), strict=True):
    draw_frames(axis, history[-1], ids)
    axis.set_title(f"h_n of the {h_n},\n{'with' if weight else 'no'} L_tempra")  # given: which loss
    axis.set_ylabel("")
for axis in axes:
    axis.set_xticks([0, 7])
figure.suptitle(needed)
show(
    figure,
    alt="""Tags against frames in five panels. At the start a rising band. With the clip mean the band
    becomes level with and without tempra. With the mean of each frame it becomes thin but keeps rising
    without tempra, and becomes level with it.""",
)

# %% [markdown]
# That answers the question. <!-- claim: enough, needed --> With the **clip** mean L_spectra notices: a pixel that is at home in its frame is
# still far from the mean of the clip. With the **frame** mean it does not: every frame is content with
# itself, and only L_tempra brings the frames together.
#
# How fast do they get there?

# %% tags=["fold"]
same = claim(
    "'Clip, without' and 'frame, with' are one curve",
    torch.allclose(runs["clip", 0], runs["frame", 1], atol=1e-4),
    over="60 steps, frames of equal size",
)
figure, axis = subplots(width=6, height=2.6)
styles = {("clip", 0): "-", ("clip", 1): "-", ("frame", 0): "-", ("frame", 1): "--"}
for colour, (key, history) in zip(COLOURS, runs.items(), strict=False):
    drift = history.mean(2).std(1, correction=0)
    label = f"h_n of the {key[0]}, {'with' if key[1] else 'no'} L_tempra"
    axis.plot(drift, styles[key], color=colour, label=label)
axis.set(xlabel="step", ylabel="std of the frame means", yscale="log")
axis.legend()
axis.set_title(same)
show(
    figure,
    alt="""Drift of the frame means against steps on a logarithmic axis. With the clip mean and tempra
    it falls fastest; clip without tempra and frame with tempra fall on one and the same line; frame
    without tempra stays level.""",
)

# %% [markdown]
# ## Try it
#
# In the picture at the top, drag all dots of one frame far away and play; then switch L_spectra on and L_tempra
# off and do the same. Can you see which of the two acts? Now drag a single dot of one frame. Which of the two
# notices, and which only in part?

# %% [markdown]
# ## The paper does not say
#
# **Over what $h_n$ is the mean in eq. (2)** ([D9](../docs/decisions.md)). Eq. (1) defines it over 'the M pixels
# of the instance', so we read: of the clip, and the same $h_n$ stands in (2), (3) and (4). Then there is an
# identity, the law of total variance:
#
# $$\underbrace{\sum_t \sum_m (h_n - h'_{ntm})^2}_{\text{eq. (2), clip}} =
# \underbrace{\sum_t \sum_m (h_{nt} - h'_{ntm})^2}_{\text{eq. (2), frame}} +
# \underbrace{\sum_t M_t (h_n - h_{nt})^2}_{\text{eq. (4), weighted by } M_t} .$$
#
# The mixed terms vanish, because distances from a mean sum to zero (lesson 03). So **eq. (2) already contains
# eq. (4)**. For frames of equal size, $L_{tempra}$ adds weight to one part of $L_{spectra}$, and no
# information. <!-- claim: contains --> We check the identity on random tags with frames of any size, in double
# precision:


# %%
def identity_gap(tags, here):
    """Left side minus right side, relative to the left side."""
    counts = here.sum(1)[here.any(1)]
    between = counts * (tags[here].mean() - frame_means(tags, here)).square()
    whole_sum = spectra(tags, here, "clip")
    return ((whole_sum - spectra(tags, here, "frame") - between.sum()) / whole_sum).abs().item()


gaps = [
    identity_gap(torch.randn(T, P, dtype=torch.float64), torch.rand(T, P) < 0.6) for _ in range(200)
]
contains = claim(
    "Within and between frames together are all of eq. (2)",
    max(gaps) < 1e-10,
    over=f"{len(gaps)} random instances",
)

# %% [markdown]
# **Frames of unequal size.** In the identity a frame weighs $M_t$, in eq. (4) it weighs 1. So eq. (4) does say
# something new after all: *a dog that is nearly hidden in a frame counts as much as one in full view*. Two
# frames, 1 pixel at tag 4 and 99 pixels at tag 0. How hard does each loss, as a mean, pull the one pixel?

# %% tags=["nbval-check-output"]
small = torch.tensor([[4.0] + [0.0] * 98, [0.0] * 99])
seen = torch.tensor([[True] + [False] * 98, [True] * 99])
as_means = {
    "spectra, clip": lambda x: spectra(x, seen, "clip") / seen.sum(),
    "tempra": lambda x: tempra(x, seen) / len(x),
}
for name, loss in as_means.items():
    x = small.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss(x), x)
    print(f"{name:<14} pulls the one pixel with {gradient[0, 0].item():.2f}")

# %% tags=["fold"]
pulls = {}
for name, loss in as_means.items():
    x = small.clone().requires_grad_(True)
    pulls[name] = torch.autograd.grad(loss(x), x)[0][0, 0].item()
say = claim(
    "A frame with one pixel in a hundred is pulled ten times as hard by L_tempra",
    pulls["tempra"] > 10 * pulls["spectra, clip"],
    over="1 pixel against 99",
)

# %% [markdown]
# As a mean over *pixels*, the one pixel is one of a hundred and all but forgotten. As a mean over *frames* its
# frame is one of two.
#
# **Absent instances** ([D12](../docs/decisions.md)). A dog behind a tree has no $h_{nt}$. Take a dog with the tag 5 in
# three of four frames, as steady as can be. Three readings of the frame without it: leave it out, take the mean of
# zero pixels as it comes (0/0), or write a zero there. Loss, and the dog's tag after 20 steps:

# %%
steady = torch.full((4, 3), 5.0)
behind_a_tree = torch.tensor([True, True, False, True])[:, None].expand(4, 3)


def tempra_filled(tags, here, absent):
    """Eq. (4) with `absent` for the mean of a frame without the instance."""
    pairs = zip(tags, here, strict=True)
    h_nt = torch.stack([t[m].mean() if m.any() else torch.tensor(absent) for t, m in pairs])
    return (tags[here].mean() - h_nt).square().sum()


# %% tags=["nbval-check-output"]
readings = {
    "left out": lambda x: tempra(x, behind_a_tree),
    "0/0": lambda x: tempra_filled(x, behind_a_tree, float("nan")),
    "zero": lambda x: tempra_filled(x, behind_a_tree, 0.0),
}
slid = {name: descend(steady, loss, steps=20, learning_rate=1.0) for name, loss in readings.items()}
for name, loss in readings.items():
    print(f"{name:<9} loss {loss(steady).item():>4.1f}, tag {slid[name][-1, 0, 0].item():.2f}")

# %% tags=["fold"]
out = claim(
    "Only a frame that is left out pulls nobody",
    (slid["left out"] == 5).all()
    and slid["0/0"][-1][behind_a_tree].isnan().all()
    and slid["zero"][-1][behind_a_tree].max() < 0.1,
    over="3 readings of an absent frame",
)

# %% [markdown]
# <!-- claim: out --> Only the first leaves a perfect dog alone. NaN ruins everything at once. A zero pulls the dog to a number that no
# pixel has, and every other dog that is ever out of sight to the same number. We leave the frame out.
#
# **Sum or mean over T** ([D10](../docs/decisions.md)). A dog whose tag goes to and fro between 0 and 4, in clips of
# 8, 16 and 32 frames:

# %% tags=["nbval-check-output"]
for frames in (8, 16, 32):
    to_and_fro = torch.tensor([0.0, 4.0]).repeat(frames // 2)[:, None].expand(frames, P)
    total = tempra(to_and_fro, torch.ones(frames, P, dtype=torch.bool)).item()
    print(f"T = {frames:>2}: sum {total:.0f}, mean {total / frames:.0f}")

# %% [markdown]
# As printed, the same dog costs more in a longer clip, so the balance of the terms hangs on T. Our default is the
# mean.

# %% [markdown]
# ## Exercise
#
# **Predict** (4 minutes). A dog has three pixels with tag 0 in the first frame and one pixel with tag 4 in the second.
# Only L_tempra acts, and its gradient moves the four tags. Each frame counts once in eq. (4). Where do they all meet?
# Decide before you calculate; the check rolls them.


# %% tags=["exercise"]
def meeting_point():
    """Tag at which three pixels at 0 (frame 1) and one at 4 (frame 2) meet under eq. (4)."""
    ### BEGIN SOLUTION
    # A loss of differences has gradients that sum to zero, so the mean of all PIXELS stays: 4 / 4.
    return 1.0
    ### END SOLUTION


# %% tags=["check"]
check(meeting_point, check_meeting_point)

# %% [markdown]
# **Code** (12 minutes). Eq. (4) for a whole clip, as our default reads it: for each instance the mean over the frames
# that it is in, then the mean over instances. `ids` is T x P with 0 for background. No instance need be in every frame.


# %% tags=["exercise"]
def held_in_time(tags, ids):
    """L_tempra as means: T x P tags and T x P ids (0 is background) to a scalar."""
    ### BEGIN SOLUTION
    per_instance = []
    for n in ids[ids > 0].unique():
        own = ids == n
        h_nt = [t[i].mean() for t, i in zip(tags, own, strict=True) if i.any()]
        h_nt = torch.stack(h_nt)
        per_instance.append((tags[own].mean() - h_nt).square().mean())
    return torch.stack(per_instance).mean()
    ### END SOLUTION


# %% tags=["check"]
check(held_in_time, check_held_in_time)

# %% [markdown]
# **Break** (6 minutes). 'Eq. (2) already contains eq. (4)', so is a small L_spectra proof of a steady dog? Build a dog
# that says no: tags and `here`, both T x P, with L_spectra (clip mean, a mean over pixels) below 0.1 and L_tempra (a
# mean over frames) above 1.


# %% tags=["exercise"]
def blind_spot():
    """Tags and here, T x P, of a dog that L_spectra finds steady and L_tempra does not."""
    ### BEGIN SOLUTION
    tags, here = torch.zeros(2, 200), torch.ones(2, 200, dtype=torch.bool)
    tags[1], here[1, 1:] = 3.0, False  # one pixel is left of the dog in the second frame
    return tags, here
    ### END SOLUTION


# %% tags=["check"]
check(blind_spot, check_blind_spot)

# %% [markdown]
# **Open.** Take for $h_n$ the mean of the frame means instead of the mean of all pixels. Which identity holds then, if
# any, and which of the two $h_n$ would you rather have for a dog that comes out from behind a tree? Judge yourself: you
# have an answer when you can say for which pixels the gradient of each grows.

# %% [markdown]
# ## Quiz
#
# <details><summary>1. An instance is in one frame only. What is its L_tempra?</summary>
#
# 0: its only frame mean is its clip mean. <!-- claim: zero -->
# </details>
#
# <details><summary>2. h_n is the clip mean, all frames have equally many pixels, both losses are means of weight 1.
# How much does L_tempra change?</summary>
#
# The part of L_spectra between frames *equals* L_tempra, so with both it counts twice. The part within frames
# counts once. L_spectra alone, with a weight of 2 on its part between frames, would be the same loss. <!-- claim: twice -->
# </details>
#
# <details><summary>3. Table III says 65.8 without L_tempra against 74.3 with it. Does the identity contradict
# that?</summary>
#
# No. If the authors read h_n per frame, L_tempra is essential. If not, doubling a weight can still change a
# training. The paper does not say which, and each row is one number without a spread.
# [Lesson 07](07_tagging_loss.ipynb) shows what our networks lose without it. <!-- given: Table III and D9 -->
# </details>

# %% tags=["fold"]
once = torch.randn(20, T, P, dtype=torch.float64)
single = torch.zeros(T, P, dtype=torch.bool)
single[2] = True
between = [(spectra(x, whole, "clip") - spectra(x, whole, "frame")) / (T * P) for x in once]
zero = claim(
    "One frame alone costs nothing", max(tempra(x, single) for x in once) < 1e-12, over="20 dogs"
)
twice = claim(
    "In frames of equal size L_tempra is the part of L_spectra between frames",
    max(abs(b - tempra(x, whole) / T) for b, x in zip(between, once, strict=True)) < 1e-9,
    over="20 dogs",
)

# %% [markdown]
# ## In the package
#
# `tagvis_lite.losses.tempra_loss` works on all clips and instances at once, and `spectra_loss` takes either
# reading by `h_n`. Same numbers, an absent frame included:

# %%
here = torch.rand(T, P) < 0.6
here[3] = False
tags, ids = torch.randn(1, T, 1, P), here.long().view(1, T, 1, P)
means = instance_means(tags, ids)
flat = tags.view(T, P)
torch.testing.assert_close(tempra_loss(means, reduction="sum"), tempra(flat, here).view(1))
for h_n in ("clip", "frame"):
    options = {"h_n": h_n, "reduction": "sum", "pixels_per_instance": None}
    torch.testing.assert_close(
        spectra_loss(tags, means, **options), spectra(flat, here, h_n).view(1)
    )

# %% [markdown]
# ## Metrics
#
# What this lesson measures, as numbers, and every claim above with what it rests on.

# %% tags=["fold", "nbval-check-output"]
metrics = {"drift at the start": drift_of(creeping)}
for (h_n, weight), history in runs.items():
    name = f"drift, {h_n} mean, {'with' if weight else 'no'} tempra"
    metrics[name] = drift_of(history[-1])
record("04", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %% tags=["fold"]
assert metrics["drift, clip mean, with tempra"] < metrics["drift, clip mean, no tempra"]
assert config.h_n == "clip", "every profile reads the mean over the clip"

# %% [markdown]
# ## Summary
#
# - $L_{tempra}$ pulls the mean of each frame to the mean of the clip, and leaves the spread. <!-- claim: broad -->
# - With $h_n$ over the clip, $L_{spectra}$ contains it: within + between = whole. <!-- claim: contains -->
# - What it adds is weight, and equal say for frames in which the object is small. <!-- claim: twice, say -->
#
# Reference: Kini and Shah, 2022, section III-E. The identity is the law of total variance, found in any
# textbook under analysis of variance.

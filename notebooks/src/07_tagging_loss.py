# %% [markdown]
# # 07 · The tagging loss: all four terms, and each left out
#
# **One idea:** add the four terms, then take one away at a time and watch what breaks. For free tags some are
# indispensable, some stand in for each other; a network, which starts elsewhere, may judge otherwise.
#
# Paper: section III-E, equation (6), and the first rows of Table III · Time: under 30 seconds on two
# CPU cores

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - write $L_{tag}$ and say which of its terms is responsible for which property of the tags,
# - predict what goes wrong when a term is missing, and measure it,
# - explain why 'all weights are 1' is not a neutral choice.
#
# You need: lessons [03](03_spectra.ipynb), [04](04_tempra.ipynb), [05](05_specter.ipynb) and
# [06](06_temper.ipynb), one for each term.
#
# Previous: [06 · L_temper separates in every frame](06_temper.ipynb) · Next: [10 · clips](10_clips.ipynb)

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose weights are compared with the printed ones
SEED = 0  # of the tags at the start
DATA = ""  # not used in this lesson: its tags are made up
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from dataclasses import replace

import torch

from tagvis_lite.config import PROFILES, LossConfig
from tagvis_lite.course import COLOURS, check, explore, record, show, subplots
from tagvis_lite.course.checks.lesson_07 import check_drift
from tagvis_lite.losses import instance_means, tagging_loss, tagging_terms
from tagvis_lite.study.ablation import TABLE_3
from tagvis_lite.views import TagLine
from tagvis_lite.views.free_tags import descend, draw_frames

torch.manual_seed(SEED)
TERMS = ("spectra", "specter", "tempra", "temper")

# %% [markdown]
# ## A question
#
# Three objects, eight frames. At the start their tags are a mess: broad, drifting with time, and *crossing*
# each other half-way, so that the means over the clip nearly coincide.
#
# Write down before you go on: *we leave out one of the four terms and let the tags roll. For which of
# the four will you see the damage? Which of them would nobody miss?*

# %% [markdown] tags=["eq-6"]
# ## The paper
#
# $$L_{tag} = L_{spectra} + L_{specter} + L_{tempra} + L_{temper} \qquad (6)$$
#
# | term | equation | what it wants | its enemy |
# |---|---|---|---|
# | $L_{spectra}$ | (2) | pixels at the mean of their instance | spread |
# | $L_{specter}$ | (3) | clip means $h_n$ a margin apart | small gaps |
# | $L_{tempra}$ | (4) | frame means $h_{nt}$ at the clip mean | drift |
# | $L_{temper}$ | (5) | frame means a margin apart, in every frame | small gaps in one frame |
#
# Table III reports what each is worth, in J&F on DAVIS'19. These are **the paper's** numbers, one
# training each; lesson [21](21_ablations.ipynb) has ours.

# %% tags=["nbval-check-output"]
for row in TABLE_3[:5]:
    what = "all four terms" if row.name == "full" else f"without {row.title}"
    print(f"{what:<20} {row.paper[0]}")

# %% [markdown]
# ## In code
#
# Free tags once more: T frames of N instances with P pixels each, no network. Instances 1 and 2 drift
# in opposite directions and cross.

# %%
T, N, P = 8, 3, 10
ids = torch.arange(1, N + 1).repeat_interleave(P).expand(T, -1)
offset = torch.tensor([0.0, 0.3, -0.2])[ids - 1]
slope = torch.tensor([2.0, -2.0, 0.5])[ids - 1]
start = offset + slope * torch.linspace(-1, 1, T)[:, None] + 0.7 * torch.randn(T, N * P)
assert start.shape == ids.shape == (T, N * P)

# %% [markdown]
# The four terms in a dozen lines, from the two kinds of mean. All pairs and all frames count once, and
# sums are divided by the number of their terms.


# %%
def four_terms(tags, margin=3.0):
    """The terms of eq. (6) as means: T x NP tags to a dict of scalars."""
    pixels = tags.view(T, N, P)
    h_nt, h_n = pixels.mean(2), pixels.mean((0, 2))
    n, other = torch.triu_indices(N, N, 1)

    def hinge(difference):
        return (margin - difference.abs()).clamp(min=0).mean()

    return {
        "spectra": (pixels - h_n[:, None]).square().mean(),
        "specter": hinge(h_n[n] - h_n[other]),
        "tempra": (h_nt - h_n).square().mean(),
        "temper": hinge(h_nt[:, n] - h_nt[:, other]),
    }


assert set(four_terms(start)) == set(TERMS)

# %% [markdown]
# And four numbers that say what is wrong with a set of tags, one for each enemy in the table. They are
# not the losses: they are what we want, measured directly.


# %%
def failures(tags):
    pixels = tags.view(T, N, P)
    h_nt, h_n = pixels.mean(2), pixels.mean((0, 2))
    n, other = torch.triu_indices(N, N, 1)
    return {
        "spread": (pixels - h_nt[..., None]).square().mean().sqrt().item(),
        "drift": h_nt.std(0, correction=0).max().item(),
        "gap": (h_n[n] - h_n[other]).abs().min().item(),
        "frame gap": (h_nt[:, n] - h_nt[:, other]).abs().min().item(),
    }


# %% [markdown]
# ## By hand
#
# Two instances, two frames, one pixel each: instance 1 has the tags 0 and 2, instance 2 has 2 and 0. They
# cross. Both clip means are 1, so with G = 3
#
# - $L_{spectra}$: every pixel is 1 from its mean, so the mean of squares is 1,
# - $L_{specter}$: one pair at distance 0 costs 3,
# - $L_{tempra}$: frame means are the pixels, so again 1,
# - $L_{temper}$: in both frames the distance is 2 and costs 1; the mean is 1.

# %% tags=["nbval-check-output"]
crossing = torch.tensor([[0.0, 2.0], [2.0, 0.0]]).view(1, 2, 1, 2)
who = torch.tensor([[1, 2], [1, 2]]).view(1, 2, 1, 2)
config = LossConfig(pixels_per_instance=None)
print({name: term.item() for name, term in tagging_terms(crossing, who, config).items()})

# %% [markdown]
# $L_{temper}$ sees two well separated frames. Only $L_{specter}$ sees that the two objects have the same
# identity on average, and at distance exactly 0 its slope is 0. Crossing tracks are a trap.

# %% [markdown]
# ## The picture
#
# Now roll: all four terms, and each left out once. Weights are 1, as printed.


# %%
def roll(without=(), tags=start, **changes):
    """Tags before and after every step of descent on L_tag without some of its terms."""
    weights = dict.fromkeys(without, 0.0)
    config = replace(LossConfig(pixels_per_instance=None), **{**changes, **weights})

    def loss(tags):
        return tagging_loss(tags.view(1, T, 1, -1), ids.reshape(1, T, 1, -1), config)

    return descend(tags, loss, steps=400, learning_rate=5.0)


# %%
runs = {"all four": roll(), **{f"no {name}": roll([name]) for name in TERMS}}

# %%
figure, axes = subplots(2, 5, width=9, height=4.2, sharex=True, sharey="row")
for column, (name, history) in enumerate(runs.items()):
    draw_frames(axes[0, column], history[20], ids)
    draw_frames(axes[1, column], history[-1], ids)
    axes[0, column].set_title(name)
    axes[0, column].set_xlabel("")
for axis in axes[:, 1:].flat:
    axis.set_ylabel("")
for axis in axes.flat:
    axis.set_xticks([0, 7])

# %%
axes[0, 0].set_ylabel("tag, step 20")
axes[1, 0].set_ylabel("tag, step 400")
figure.suptitle("Two of the four are missed: L_spectra and L_specter")
show(
    figure,
    alt="""Tags against frames for three instances in ten panels: after 20 steps above and 400 below,
    with all terms and with each left out. With all, without tempra and without temper: three level
    lines three apart. Without spectra: three level but broad bands. Without specter: two tracks that
    still cross each other.""",
)

# %% [markdown]
# ## Try it
#
# Every term has a switch. Look for two that work as well as all four.

# %%
TagLine(
    start,
    ids,
    title="All four: tracks turn level and part",
    alt="""Tags of three instances against frames after 0, 20 and 80 steps with all four terms:
    scattered tags turn into three level lines a margin apart.""",
)

# %% [markdown]
# These are five of the six pairs of terms, rolled to the end.

# %%
subsets = {
    "spectra + specter": ["tempra", "temper"],
    "spectra + temper": ["specter", "tempra"],
    "specter + tempra": ["spectra", "temper"],
    "specter + temper": ["spectra", "tempra"],
    "spectra + tempra": ["specter", "temper"],
}
ends = {name: roll(without)[-1] for name, without in subsets.items()}


# %%
def tracks(figure, name):
    axis = figure.subplots()
    draw_frames(axis, ends[name], ids)
    axis.set_xticks([0, 7])


# %%
explore(
    tracks,
    values=list(subsets),
    label="terms",
    title="One pull and one push, both over the clip, do it all",
    alt="""Tags against frames for subsets of two terms. Spectra with specter: three level, thin
    tracks. Other pairs: broad bands, drifting tracks or tracks that lie on each other.""",
    shown=5,
    size=(1.8, 2.0),
)

# %% [markdown]
# ## The paper does not say
#
# The leave-one-out table, measured on the tags above:

# %% tags=["nbval-check-output"]
table = {name: failures(history[-1]) for name, history in runs.items()}
print(f"{'':<12}" + "".join(f"{measure:>10}" for measure in table["all four"]))
for name, row in table.items():
    print(f"{name:<12}" + "".join(f"{value + 0.0:>10.1f}" for value in row.values()))

# %% [markdown]
# - **Without $L_{spectra}$** objects keep their spread. The paper says tags 'separate into smaller disjoint
#   clumps'; free tags agree that this term alone gathers the pixels of one frame.
# - **Without $L_{specter}$** the crossing tracks stay crossed: gaps are small and tags overlap, as the
#   paper says. $L_{temper}$ pushes the pair one way before the crossing and the other way after it.
# - **Without $L_{tempra}$ or without $L_{temper}$** nothing is lost. The paper reports losses of 8 points
#   for either. Free tags cannot explain that.
#
# **Why is $L_{tempra}$ not missed?** Because $h_n$ in eq. (2) is the mean over the clip
# ([D9](../docs/decisions.md), lesson [04](04_tempra.ipynb)). Read it per frame, and it is missed badly:

# %%
per_frame = {
    name: failures(roll(without, h_n="frame")[-1])["drift"]
    for name, without in {"all four": [], "no tempra": ["tempra"]}.items()
}
print({name: round(value, 1) for name, value in per_frame.items()})

# %% [markdown]
# **Sums or means** ([D10](../docs/decisions.md)). As printed, eq. (2) sums over M' pixels, eq. (4) over T
# frames, eq. (3) over pairs and eq. (5) over pairs *and* frames. Who gets the say when there are more of
# them? Norm of each term's gradient at our start, as sums over as means:


# %%
def gradient_norms(reduction):
    tags = start.clone().requires_grad_(True)
    config = LossConfig(pixels_per_instance=None, reduction=reduction)
    terms = tagging_terms(tags.view(1, T, 1, -1), ids.reshape(1, T, 1, -1), config)
    norms = {}
    for name, term in terms.items():
        (gradient,) = torch.autograd.grad(term, tags, retain_graph=True)
        norms[name] = gradient.norm().item()
    return norms


# %%
sums, means = gradient_norms("sum"), gradient_norms("mean")

# %%
figure, (left, right) = subplots(1, 2, width=8, height=2.6)
left.bar(TERMS, [sums[name] / means[name] for name in TERMS], color=COLOURS[:4])
left.set(ylabel="gradient, sums / means", yscale="log")
left.set_yticks([3, 8, 24, 80], ["3", "8", "24", "80"], minor=False)
left.minorticks_off()
left.set_title(f"Factors for T = {T}, N = {N}, M = {T * P}")
pairs, pixels = N * (N - 1) / 2, T * P
factors = {"spectra": pixels, "specter": pairs, "tempra": T, "temper": pairs * T}
sizes = [1, 2, 4, 8]
for name, colour in zip(TERMS, COLOURS, strict=False):
    grows = {"spectra": 1, "specter": 0, "tempra": 1, "temper": 1}[name]
    right.plot(sizes, [factors[name] * k**grows for k in sizes], "o-", color=colour, label=name)

# %%
right.set(xlabel="clip length, in units of T", ylabel="factor", yscale="log", ylim=(1, 3e4))
right.legend(ncols=2, loc="upper left")
right.set_title("Longer clips drown L_specter")
show(
    figure,
    alt="""Left: ratio of gradients with sums and with means for each term: 80 for spectra, 3 for
    specter, 8 for tempra, 24 for temper. Right: the same factors against clip length; all grow but
    specter's.""",
)

# %% [markdown]
# As sums, the pull of $L_{spectra}$ counts its pixels, while $L_{specter}$ counts pairs only. So
# 'all weights 1' means another balance for every number of frames and of objects. With means it is the same
# for all; that is our default.
#
# **Weights** ([D14](../docs/decisions.md)). The `toy` profile weighs both pushes 4. The
# [report](../docs/report.md) finds half of that better after 400 steps. Does it change who is missed? Four starts, with weights of
# 1 and with those of this run's profile: how many end with all objects apart in every frame?

# %%
profile = PROFILES[PROFILE].loss
weights = {"weights 1": {}, PROFILE: {name: getattr(profile, name) for name in TERMS}}
starts = [start + 0.7 * torch.randn(T, N * P) for _ in range(4)]


# %%
def apart(without, chosen):
    """How many of the four starts end well without some terms."""
    left = {name: weight for name, weight in chosen.items() if name not in without}
    last = [roll(without, tags, **left)[-1] for tags in starts]
    return sum(failures(tags)["frame gap"] > 2.9 for tags in last)


# %%
print(f"{'':<12}" + "".join(f"{name:>12}" for name in weights))
solved = {}
for name in ("all four", "no tempra"):
    without = [name.removeprefix("no ")] if name != "all four" else []
    solved[name] = [apart(without, chosen) for chosen in weights.values()]
    print(f"{name:<12}" + "".join(f"{count:>10}/4" for count in solved[name]))

# %% [markdown]
# With the pushes at 4, the barrier of [lesson 06](06_temper.ipynb) is four times as high, and tracks that
# cross only get over it if both pulls help. There $L_{tempra}$ helps on the way: not by what it wants,
# which $L_{spectra}$ wants as well, but by its weight. All four starts are one start and noise, so this shows a
# mechanism, not how often it matters. Trained networks disagree with this page on two terms: without
# $L_{specter}$ the toy network is better after 400 steps at these weights, and without $L_{tempra}$ no worse
# ([report](../docs/report.md), Table III).

# %% [markdown]
# ## Exercise
#
# **Measure the failure** (8 minutes). Which number tells that an object's identity wanders? Write `drift`:
# for each instance the standard deviation of its frame means $h_{nt}$ over the frames it is in (divided by
# the number of frames), and of these the largest. Id 0 is background. Instances may be absent from frames.
#
# <details><summary>Hint</summary>Two loops are fine: instances outside, frames inside. Skip a frame
# where <code>(ids[t] == n).any()</code> is false.</details>


# %% tags=["exercise"]
def drift(tags, ids):
    """Largest standard deviation over time of an instance's frame means: T x P twice to a scalar."""
    ### BEGIN SOLUTION
    worst = torch.zeros((), dtype=tags.dtype)
    for n in ids[ids > 0].unique():
        here = (ids == n).any(dim=1)
        h_nt = torch.stack([tags[t][ids[t] == n].mean() for t in here.nonzero().flatten()])
        worst = torch.maximum(worst, h_nt.std(correction=0))
    return worst
    ### END SOLUTION


# %% tags=["check"]
check(drift, check_drift)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. Leave out both pushes, L_specter and L_temper. Where do the tags end?</summary>
#
# Each instance gathers at its own mean of the start, wherever that is: 'spectra + tempra' above. Nothing
# keeps two means from being equal.
# </details>
#
# <details><summary>2. Why does a network need L_temper less than the paper suggests, if L_spectra and
# L_specter are at zero?</summary>
#
# If every pixel is at its clip mean and the clip means are G apart, all frame means are G apart too:
# $L_{temper}$ is zero. It can only matter on the way there.
# </details>
#
# <details><summary>3. Table III removes a term and the paper's J&F falls by 7 to 9 points. Does that
# contradict this lesson?</summary>
#
# No. A network is not a set of free tags, and each row is one training: nobody knows how much two trainings
# of the same row differ. It does say that the explanation must lie elsewhere than in the minimum of the
# loss.
# </details>

# %% [markdown]
# ## In the package
#
# `tagvis_lite.losses.tagging_terms` gives the four terms for any number of clips, with absent instances and
# void pixels; `tagging_loss` adds them up with their weights. Same numbers as ours:

# %%
config = LossConfig(pixels_per_instance=None)
batch = (start.view(1, T, 1, -1), ids.reshape(1, T, 1, -1))
for name, value in tagging_terms(*batch, config).items():
    torch.testing.assert_close(value, four_terms(start)[name])
torch.testing.assert_close(tagging_loss(*batch, config), sum(four_terms(start).values()))
h_n = instance_means(*batch).h_n[0]
torch.testing.assert_close(h_n, start.view(T, N, P).mean((0, 2)))

# %% [markdown]
# ## Metrics
#
# The claims of this lesson as numbers. If a change of the losses breaks one of them, the notebook fails.

# %%
metrics = {
    "gap, all four": table["all four"]["gap"],
    "spread, no spectra": table["no spectra"]["spread"],
    "gap, no specter": table["no specter"]["gap"],
    "drift, no tempra": table["no tempra"]["drift"],
    "frame gap, no temper": table["no temper"]["frame gap"],
    "drift, no tempra, h_n per frame": per_frame["no tempra"],
}
record("07", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %%
for name in ("all four", "no tempra", "no temper"):
    assert table[name]["frame gap"] > 2.9, name
    assert table[name]["drift"] < 0.1, name
    assert table[name]["spread"] < 0.1, name
assert metrics["spread, no spectra"] > 0.5
assert metrics["gap, no specter"] < 1
assert metrics["drift, no tempra, h_n per frame"] > 1
assert failures(ends["spectra + specter"])["frame gap"] > 2.9
assert solved["all four"] == [4, 4]
for name, factor in factors.items():
    assert abs(sums[name] / means[name] / factor - 1) < 1e-3, name

# %% [markdown]
# ## Summary
#
# - $L_{spectra}$ gathers, $L_{specter}$ separates; together they reach the minimum of all four.
# - $L_{tempra}$ is redundant while $h_n$ is the clip mean, and $L_{temper}$ alone cannot undo a crossing.
# - Sums make the balance depend on clip length, object size and number; means do not.
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, section III-E and Table III.

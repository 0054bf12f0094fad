# %% [markdown]
# # 06 · L_temper separates in every frame
#
# **One idea:** ask for the margin not only between the clip means of two instances but in every single frame,
# and see why that alone can tie an identity to the wrong object.
#
# Paper: section III-E, equation (5) · Time: 30 minutes to read, 25 for the exercises; 20 seconds on two
# CPU cores
#
# Two dogs over nine frames. The tags of one rise, those of the other fall, and in the middle they cross. Press
# play: every frame pushes the two apart, for itself.


# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose margin is used
SEED = 0  # of every random number below
DATA = ""  # not used in this lesson: its tags are made up
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import torch

from tagvis_lite.config import PROFILES, LossConfig
from tagvis_lite.course import check, claim, explore, record, show, subplots
from tagvis_lite.course.checks.lesson_06 import (
    check_frames_below,
    check_seen_together,
    check_uneven,
)
from tagvis_lite.losses import instance_means, specter_loss, tagging_loss, temper_loss
from tagvis_lite.runs import shipped
from tagvis_lite.study.ablation import TABLE_3
from tagvis_lite.study.report_tables import differences
from tagvis_lite.study.statistics import plus_minus
from tagvis_lite.views import TagLine
from tagvis_lite.views.free_tags import descend, draw_frames

torch.manual_seed(SEED)
G = PROFILES[PROFILE].loss.margin

# %% tags=["fold"]
T = 9


def crossing(offset, slope=2.0):
    """Tracks of two instances: rising and falling, their clip means `offset` apart."""
    rise = slope * torch.linspace(-1, 1, T)
    return torch.stack([rise - offset / 2, -rise + offset / 2], dim=1)


ids = torch.tensor([[1, 2]]).expand(T, -1)
TagLine(
    crossing(0.3),
    ids,
    on=["temper"],
    title="L_temper at work",
    alt="""Tags of two dogs against frames after 0, 20 and 80 steps of L_temper: two crossing tracks
    come apart in every frame, and one dog ends below in the first frames, above in the last.""",
)

# %% [markdown]
# Follow one colour from the first frame to the last. Then switch on the other terms, one by one.
#
# ## What you will learn
#
# You will be able to
#
# - write equation (5) for all pairs and frames at once, with absent instances,
# - construct tracks that equation (3) calls perfect and equation (5) does not, and the other way round,
# - explain the barrier that crossing tracks meet on a line.
#
# You need: [05 · L_specter](05_specter.ipynb) and [04 · L_tempra](04_tempra.ipynb).
#
# Previous: [05 · L_specter pushes instances apart](05_specter.ipynb) ·
# Next: [07 · the tagging loss](07_tagging_loss.ipynb)

# %% [markdown]
# ## A question
#
# Two dogs, nine frames. Dog 1 has tags that rise from -2 to 2, dog 2 has tags that fall from 2 to -2. In
# frame 5 they meet. Every frame pushes them apart.
#
# Write down before you go on: *if every frame pushes for itself, where are dog 1 and dog 2 at the end, in the
# first frame and in the last? Would you call that 'separated'?*

# %% [markdown] tags=["eq-5"]
# ## The paper
#
# $$L_{temper} = \sum_{n=1}^{N-1}\sum_{n'=n+1}^{N'}\sum_{t=1}^{T}\max(0,\; G - \lVert h_{nt} - h_{n't}\rVert) \qquad (5)$$
#
# | symbol | meaning | shape here |
# |---|---|---|
# | $h_{nt}$ | mean tag of instance $n$ in frame $t$ | `h_nt`: N x T |
# | $N'$ | 'an arbitrary subset of instances' | we take all |
# | $G$ | the margin, 3 | |
#
# The name is short for *temporal-instance-separation*. Compare equation (3): the same hinge, but of frame
# means instead of clip means. (The printed limits do not fit: for $N' < N$ the inner sum is empty when
# $n \ge N'$. A subset of the pairs is meant.)

# %% [markdown]
# ## In code
#
# With loops, as printed: every pair, every frame.


# %%
def temper_with_loops(h_nt, margin=G):
    """Eq. (5): N x T frame means to a scalar."""
    total = torch.zeros((), dtype=h_nt.dtype)
    for n in range(len(h_nt)):
        for other in range(n + 1, len(h_nt)):
            for t in range(h_nt.shape[1]):
                total = total + (margin - (h_nt[n, t] - h_nt[other, t]).abs()).clamp(min=0)
    return total


# %% [markdown]
# The same with tensors; the mean over pairs and frames will be handier below. Here tracks are T x N, one row per
# frame, and a batch of starts may stand before them.


# %%
def temper(tracks, margin=G):
    """Mean hinge over pairs and frames: ... x T x N frame means to ... values."""
    n, other = torch.triu_indices(tracks.shape[-1], tracks.shape[-1], 1)
    return (margin - (tracks[..., n] - tracks[..., other]).abs()).clamp(min=0).mean((-1, -2))


tracks = torch.randn(5, 4)
torch.testing.assert_close(temper(tracks) * 6 * 5, temper_with_loops(tracks.T))

# %% [markdown]
# ## By hand
#
# Two instances, three frames: instance 1 has 0, 1, 2 and instance 2 has 2, 1, 0. The distances are 2, 0 and 2,
# so with G = 3 equation (5) gives $1 + 3 + 1 = 5$. Both clip means are 1: equation (3) gives 3.
#
# Now instance 1 has 0, 0, 9 and instance 2 has 0, 0, 0. The clip means are 3 apart: equation (3) gives **0**,
# all is well. Equation (5) gives $3 + 3 + 0 = 6$: in two of the three frames nobody can tell the two apart. By code:

# %% tags=["nbval-check-output"]
for pair in ([[0.0, 1, 2], [2.0, 1, 0]], [[0.0, 0, 9], [0.0, 0, 0]]):
    h_nt = torch.tensor(pair)
    gap = (h_nt[0].mean() - h_nt[1].mean()).abs()
    print(
        f"eq. (5) {temper_with_loops(h_nt).item():.0f}, eq. (3) {(G - gap).clamp(min=0).item():.0f}"
    )

# %% [markdown]
# ## The picture
#
# The two dogs, one free tag per dog and frame. With one pixel per frame eqs. (2) and (4) are the same **pull** of every
# frame to the clip mean, and the tagging loss of the next lesson, $L_{tag}$, has both. Eq. (3) is the push of the clip
# means. We put them together one by one, all as means, and last leave out L_temper itself.


# %%
def pull(tracks):
    """Eqs. (2) and (4), which are one here."""
    return (tracks - tracks.mean(-2, keepdim=True)).square().mean((-1, -2))


def specter(tracks):
    """Eq. (3): the same hinge, of the clip means."""
    return temper(tracks.mean(-2, keepdim=True))


losses = {
    "temper alone": temper,
    "+ one pull": lambda x: temper(x) + pull(x),
    "+ both pulls": lambda x: temper(x) + 2 * pull(x),
    "+ specter": lambda x: temper(x) + specter(x),
    "L_tag": lambda x: temper(x) + 2 * pull(x) + specter(x),
    "L_tag, no temper": lambda x: 2 * pull(x) + specter(x),
    "L_tag, pushes x 4": lambda x: 4 * temper(x) + 2 * pull(x) + 4 * specter(x),
}

# %% [markdown]
# 'L_tag' is the package's `tagging_loss` on these tracks, term by term. We roll every one of them from the same start.


# %%
def roll(name, start, steps=400):
    """Tracks before and after each step, of one start or of many at once."""
    return descend(start, lambda x: losses[name](x).sum(), steps=steps, learning_rate=0.5)


start = crossing(0.3)
package = tagging_loss(
    start.view(1, T, 1, 2), ids.view(1, T, 1, 2), LossConfig(pixels_per_instance=None)
)
torch.testing.assert_close(package.squeeze(), losses["L_tag"](start))
ends = {name: roll(name, start)[-1] for name in losses}


# %% tags=["fold"]
def verdict(tracks):
    """Smallest gap over the frames, and in how many frames dog 1 is below dog 2."""
    gap = tracks[..., 1] - tracks[..., 0]
    return gap.abs().min(-1).values, (gap > 0).sum(-1)


steep = torch.stack([crossing(o, s) for o in (-0.6, -0.3, 0.3, 0.6) for s in (1.5, 2.0, 3.0)])
gaps, below = verdict(roll("temper alone", steep)[-1])
swaps = claim(
    "Alone, L_temper parts the dogs in every frame and swaps them half-way",
    (gaps > 2.8).all() and ((below > 0) & (below < T)).all(),
    over=f"{len(steep)} crossing starts",
)

# %% tags=["fold"]
figure, axes = subplots(2, 4, width=9, height=4.4, sharey=True, sharex=True)
for axis, (name, end) in zip(axes.flat, {"start": start, **ends}.items(), strict=True):
    draw_frames(axis, end, ids)
    axis.set_title(name)
    axis.set_xticks([0, 8])
    axis.label_outer()
figure.suptitle(swaps)
show(
    figure,
    alt="""Tags of two dogs, blue and orange, against frames in eight panels. At the start two crossing
    lines. Temper alone: 3 apart in every frame, but dog 1 is below in the first half and above in the
    second. With one pull and with specter: still swapped. With both pulls, with all terms, and with all
    but temper: two level lines, 3 apart.""",
)

# %% [markdown]
# In numbers: the smallest gap of any frame, and the number of frames in which dog 1 is below dog 2. Nine or none of nine
# is one identity; anything between is a swap.

# %% tags=["nbval-check-output"]
for name, end in ends.items():
    gap, under = verdict(end)
    print(f"{name:<18} smallest gap {gap.item():.1f}, dog 1 below in {under.item()} of {T} frames")

# %% [markdown]
# **Alone**, L_temper is content: 3 apart in every frame. But on a line there are only two ways to be apart,
# above and below, and each frame takes the one that is nearer. Dog 1 is below in the first frames and above in
# the last. If we find objects by their tag, dog 1's name passes to dog 2 half-way: *separated, and wrong*.
#
# To repair it, one dog's tags would have to pass through the other's in half of the frames, and in every one of
# them the hinge is highest where they meet. That is the **barrier**. How often is it overcome?

# %% [markdown]
# ## Try it
#
# A grid of starts: the offset of the clip means against the slope of the tracks. A start counts as solved if at the
# end the dogs are at least 2.9 apart in every frame *and* the same one is below in all of them.

# %%
offsets, slopes = torch.linspace(0.05, 2, 8), torch.linspace(0, 3, 7)
grid = torch.stack([crossing(o, s) for s in slopes for o in offsets])  # 56 starts, in one descent


def solved(name):
    """Which starts of the grid end well: slopes x offsets."""
    gaps, below = verdict(roll(name, grid)[-1])
    return ((gaps > 2.9) & ((below == 0) | (below == T))).view(len(slopes), len(offsets))


grids = {name: solved(name) for name in losses}
share_solved = {name: good.double().mean().item() for name, good in grids.items()}

# %% tags=["fold"]
over = f"{len(grid)} starts"
both = claim(
    "Both pulls of L_tag get every start over the barrier",
    share_solved["+ both pulls"] == 1,
    over=over,
)
one = claim(
    "One pull, or the push of the clip means, leaves starts crossed",
    share_solved["+ one pull"] < 0.7 and share_solved["+ specter"] < 0.7,
    over=over,
)
control = claim(
    "Without L_temper every start is solved as well",
    share_solved["L_tag, no temper"] == 1,
    over=over,
)
heavy = claim(
    "With pushes of 4, fewer starts are solved", share_solved["L_tag, pushes x 4"] < 0.8, over=over
)

# %% tags=["fold"]
figure, axes = subplots(2, 4, width=9, height=4.2, sharey=True, sharex=True)
for axis, (name, good) in zip(axes.flat, grids.items(), strict=False):
    edges = [offsets[0], offsets[-1], slopes[0], slopes[-1]]
    axis.imshow(good, cmap="cividis", vmin=0, vmax=1, origin="lower", aspect="auto", extent=edges)
    axis.set(xlabel="offset at the start", ylabel="slope")
    axis.set_title(f"{name}: {share_solved[name]:.0%}")
    axis.label_outer()
axes.flat[-1].set_axis_off()
figure.suptitle(both)
show(
    figure,
    alt="""Seven maps of starts, offset against slope; yellow is solved. Temper alone, with one pull
    or with specter: only flat or distant tracks. With both pulls, with all terms and with all but
    temper: all yellow. With pushes of four: yellow for about half of the starts.""",
)

# %% [markdown]
# A single pull does not do it, nor does the push on the clip means alone: it moves the frames that are in the right
# order farther out, until the clip means are 3 apart, and leaves the swap as it is. <!-- claim: one --> **The two pulls
# together do**, and so does everything that contains them, as long as the pushes do not weigh more. <!-- claim: both,
# heavy --> And the last row but one is the control that a lesson about L_temper owes you: *without* it, push and pull over
# the clip part these tracks just as well. <!-- claim: control --> What L_temper asks for is right; it is not what gets
# these dogs there.
#
# How much does the start decide? The slider is the distance of the clip means at the start, for all of L_tag.

# %% tags=["fold"]
deciding = torch.tensor([-2.0, -1.0, -0.3, 0.3, 1.0, 2.0])
_, below = verdict(roll("L_tag", torch.stack([crossing(o) for o in deciding]))[-1])
_, undecided = verdict(roll("L_tag", crossing(0.0))[-1])
decides = claim(
    "The sign of the offset decides who ends above; at 0 nobody can decide",
    ((below == T) == (deciding > 0)).all() and 0 < undecided < T,
    over=f"{len(deciding) + 1} offsets",
)


def from_start(figure, offset):
    before, after = figure.subplots(2, 1, sharex=True)
    draw_frames(before, crossing(offset), ids)
    draw_frames(after, roll("L_tag", crossing(offset))[-1], ids)
    before.set(xlabel="", ylabel="start", xticks=[0, 8])
    after.set(ylabel="end", xticks=[0, 8])


explore(
    from_start,
    values=[-1.0, -0.3, 0.0, 0.3, 1.0, 2.0],
    label="offset",
    title=decides,
    alt="""Tracks at the start and at the end for offsets of -1, 0, 0.3 and 2. For a negative offset
    dog 1 ends above, for a positive one below; for 0 the tracks stay crossed.""",
    size=(2.2, 3.0),
)

# %% [markdown]
# ## The paper does not say
#
# **Which pairs** ([D11](../docs/decisions.md)). 'An arbitrary subset' may be drawn anew at every step. As a *mean*,
# a random subset of pairs gives the right loss on average; as a *sum*, one that is smaller by the share drawn:

# %% tags=["fold"]
h_nt = torch.randn(6, T, generator=torch.Generator().manual_seed(SEED))
n, other = torch.triu_indices(6, 6, 1)
hinges = (G - (h_nt[n] - h_nt[other]).abs()).clamp(min=0)
draws = [hinges[torch.randperm(15)[:5]] for _ in range(2000)]
ratio = {
    "mean": (torch.stack([d.mean() for d in draws]).mean() / hinges.mean()).item(),
    "sum": (torch.stack([d.sum() for d in draws]).mean() / hinges.sum()).item(),
}
fair = claim(
    "As a mean, a third of the pairs gives the whole loss on average; as a sum, a third of it",
    abs(ratio["mean"] - 1) < 0.05 and abs(ratio["sum"] - 1 / 3) < 0.03,
    over=f"{len(draws)} draws of 5 of 15 pairs",
)

# %% [markdown]
# With at most a few dozen objects in a clip all pairs are cheap, so we take all.
#
# **Absent instances** ([D12](../docs/decisions.md)). A dog that is not in frame $t$ has no $h_{nt}$. The pair is left
# out in that frame. Two dogs that are never seen together are separated by eq. (3) alone. **Sum or mean**
# ([D10](../docs/decisions.md)): as printed the loss grows with N² and T; our default is the mean over the frames
# that both are in. <!-- given: D10 and D12 -->
#
# **What is it worth?** The paper loses points of J&F without L_temper. Our recorded trainings on toy videos (95 %
# interval over seeds) cannot tell the row from the full network:

# %% tags=["nbval-check-output"]
ours = differences(TABLE_3, shipped("runs/ablation"))["temper"]
paper = next(row for row in TABLE_3 if row.name == "temper").paper[0] - TABLE_3[0].paper[0]
print(f"without L_temper: paper {paper:+.1f}, toy {plus_minus(*ours, sign='+')}")

# %% [markdown]
# ## Exercise
#
# **Predict** (4 minutes). The dogs of the picture, slope 2, but with an offset of 1.5: dog 1 starts at
# -2.75 and rises to 1.25, dog 2 falls from 2.75 to -1.25, in nine even steps. L_temper alone rolls. In how many of the
# nine frames is dog 1 below dog 2 at the end?


# %% tags=["exercise"]
def frames_below():
    """Frames of nine in which dog 1 ends below, for an offset of 1.5 and L_temper alone."""
    ### BEGIN SOLUTION
    # Each frame keeps the order it starts with: 1.5 - 2 * rise > 0 for rises of -2, -1.5, ... 0.5.
    return 6
    ### END SOLUTION


# %% tags=["check"]
check(frames_below, check_frames_below)

# %% [markdown]
# **Code** (12 minutes). Dogs go behind trees. Write eq. (5) as a mean over all pairs and frames *in which both are
# there*, without a loop over pairs. Where `seen` is False, `h_nt` is NaN; the loss and its gradient must not be.
#
# <details><summary>Hint</summary>NaN times 0 is NaN: replace it before you take the difference.</details>


# %% tags=["exercise"]
def seen_together(h_nt, seen, margin):
    """Mean of max(0, margin - |h_nt - h_n't|) over pairs and frames: N x T twice to a scalar."""
    ### BEGIN SOLUTION
    n, other = torch.triu_indices(len(h_nt), len(h_nt), 1)
    there = torch.where(seen, h_nt, 0)
    hinges = (margin - (there[n] - there[other]).abs()).clamp(min=0)
    both = seen[n] & seen[other]
    return (hinges * both).sum() / both.sum().clamp(min=1)
    ### END SOLUTION


# %% tags=["check"]
check(seen_together, check_seen_together)

# %% [markdown]
# **Break** (8 minutes). 'Apart in every frame, the same one below in all of them: then the clip means are apart, too.'
# Refute it. Build tags and ids, T x P, of two instances whose frame means are at least 3 apart in every frame, the
# same one below, so that L_temper is 0, and whose L_specter is not.


# %% tags=["exercise"]
def uneven():
    """Tags and ids (1 and 2), T x P, with L_temper 0, L_specter above 0 and no swap."""
    ### BEGIN SOLUTION
    ids = torch.tensor([[1] + [2] * 99, [1] * 99 + [2]])  # a clip mean weighs frames by pixels
    tags = torch.tensor([[0.0] + [3.0] * 99, [3.0] * 99 + [6.0]])
    return tags, ids
    ### END SOLUTION


# %% tags=["check"]
check(uneven, check_uneven)

# %% [markdown]
# **Open.** Tags of two numbers can walk around each other. Does the barrier vanish then, for *all* starts? Think of
# two dogs whose tags lie exactly on one straight line, and of what random noise does to them. Judge yourself: draw
# the two tracks in a plane, and let `descend` decide (take the norm of the difference for its absolute value).

# %% [markdown]
# ## Quiz
#
# <details><summary>1. All frame means of two instances are 3 apart, with the same one below. What is
# L_specter?</summary>
#
# 0 if both have the same share of their pixels in every frame. <!-- claim: equal --> Otherwise not surely: a clip mean
# weighs frames by pixels, a frame mean does not. The exercise *Break* builds a case.
# </details>
#
# <details><summary>2. And the other way round: L_specter, L_spectra (clip) and L_tempra are 0. What is
# L_temper?</summary>
#
# 0: every pixel is at its clip mean, so frame means are clip means. In the minimum L_temper adds nothing; on the
# way there it can. <!-- claim: implied -->
# </details>
#
# <details><summary>3. With tags of two numbers per pixel, would there be a barrier?</summary>
#
# Not of this kind: in a plane two points can walk around each other. That is the price of one-dimensional tags,
# whose reward is a histogram that one can read. <!-- claim: plane -->
# </details>

# %% tags=["fold"]
apart, level = [], []
for _ in range(30):
    lower = torch.randn(T, 1).expand(T, 6)
    who = (torch.arange(6) > 2).long().expand(T, -1) + 1  # three pixels of each dog in every frame
    tags = lower + (3 + torch.rand(T, 1)) * (who == 2)
    apart.append(specter_loss(instance_means(tags.view(1, T, 1, 6), who.view(1, T, 1, 6))).item())
    fixed = (4 * torch.rand(1, 1) * (who == 1) + (7 + torch.rand(1, 1)) * (who == 2)).float()
    level.append(temper_loss(instance_means(fixed.view(1, T, 1, 6), who.view(1, T, 1, 6))).item())


def plane_loss(x):
    """L_temper and one pull for two tracks of two numbers: T x 2 x 2."""
    distance = torch.linalg.vector_norm(x[:, 0] - x[:, 1], dim=-1)
    return (G - distance).clamp(min=0).mean() + (x - x.mean(0)).square().sum(-1).mean()


flat = torch.stack([crossing(0.3), 0.3 * torch.randn(T, 2)], dim=-1)
around = descend(flat, plane_loss, steps=400, learning_rate=0.5)[-1]
met = (around[:, 0] - around[:, 1]).mean(0)
aligned = ((around[:, 0] - around[:, 1]) @ met > 0).all()
equal = claim(
    "With equal shares of pixels, L_temper 0 and one order make L_specter 0",
    max(apart) < 1e-5,
    over=f"{len(apart)} clips",
)
implied = claim("Steady tags a margin apart cost no L_temper", max(level) == 0, over="30 clips")
plane = claim(
    "In a plane one pull is enough for dogs that stay crossed on a line",
    aligned and 0 < verdict(ends["+ one pull"])[1] < T,
    over="the start of the picture",
)

# %% [markdown]
# ## In the package
#
# `tagvis_lite.losses.temper_loss` does clips, pairs and frames at once and leaves out absent instances. Brute
# force agrees:


# %%
def brute_force(tags, ids, margin):
    total = 0.0
    for t, i in zip(tags, ids, strict=True):
        h = [t[i == n].mean() for n in range(1, 5) if (i == n).any()]
        total += sum(max(0, margin - abs(h[a] - h[b])) for a in range(len(h)) for b in range(a))
    return torch.as_tensor(total, dtype=torch.float64)


gaps = []
for _ in range(20):
    tags = torch.randn(T, 30, dtype=torch.float64)
    ids = torch.randint(0, 5, (T, 30)) * (torch.rand(T, 1) < 0.8)
    means = instance_means(tags.view(1, T, 1, -1), ids.view(1, T, 1, -1))
    package = temper_loss(means, margin=G, reduction="sum")[0]
    gaps.append((package - brute_force(tags, ids, G)).abs().item())

# %% [markdown]
# ## Metrics
#
# What this lesson measures, as numbers, and every claim above with what it rests on.

# %% tags=["fold"]
metrics = {
    "package against brute force": max(gaps),
    **{f"starts solved, {name}": value for name, value in share_solved.items()},
}
record("06", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %% tags=["fold"]
assert metrics["package against brute force"] < 1e-9

# %% [markdown]
# ## Summary
#
# - $L_{temper}$ asks for the margin in every frame; clip means can be far apart while frames are not. <!-- given: the
#   second case under 'By hand' -->
# - Frames decide for themselves who is above. Alone, that swaps identities of crossing tracks. <!-- claim: swaps -->
# - The barrier of the line is overcome by pulls over the whole clip, with L_temper or without. <!-- claim: both, control -->
#
# Reference: Kini and Shah, 2022, section III-E.

# %% [markdown]
# # 06 · L_temper separates in every frame
#
# **One idea:** ask for the margin not only between the clip means of two instances but in every single frame,
# and see why that alone can tie an identity to the wrong object.
#
# Paper: section III-E, equation (5) · Time: under 30 seconds on two CPU cores

# %% [markdown]
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

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose margin is used
SEED = 0  # of every random number below
DATA = ""  # not used in this lesson: its tags are made up
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import torch

from tagvis_lite.config import PROFILES
from tagvis_lite.course import check, explore, record, show, subplots
from tagvis_lite.course.checks.lesson_06 import check_temper
from tagvis_lite.losses import instance_means, temper_loss
from tagvis_lite.views import TagLine
from tagvis_lite.views.free_tags import descend, draw_frames

torch.manual_seed(SEED)
G = PROFILES[PROFILE].loss.margin

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
# The same with tensors; the mean over pairs and frames will be handier below. Here `h_nt` is T x N, one row
# per frame.


# %%
def temper(tracks, margin=G):
    """Mean hinge over pairs and frames: T x N frame means to a scalar."""
    n, other = torch.triu_indices(tracks.shape[1], tracks.shape[1], 1)
    return (margin - (tracks[:, n] - tracks[:, other]).abs()).clamp(min=0).mean()


tracks = torch.randn(5, 4)
torch.testing.assert_close(temper(tracks) * 6 * 5, temper_with_loops(tracks.T))

# %% [markdown]
# ## By hand
#
# Two instances, three frames: instance 1 has 0, 1, 2 and instance 2 has 2, 1, 0. The distances are 2, 0 and 2,
# so with G = 3 equation (5) gives $1 + 3 + 1 = 5$. Both clip means are 1: equation (3) gives 3.
#
# Now instance 1 has 0, 0, 9 and instance 2 has 0, 0, 0. The clip means are 3 apart: equation (3) gives **0**,
# all is well. Equation (5) gives $3 + 3 + 0 = 6$: in two of the three frames nobody can tell the two apart.

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
# The two dogs, one free tag per dog and frame. Four losses, all as means: eq. (5) alone; with the pull of all
# frames to the clip mean (eqs. 2 and 4 are the same for one pixel per frame, and the pull is counted *once*
# here; the whole loss counts it twice); with the push of the clip means (eq. 3); with both.


# %%
def pull(tracks):
    return (tracks - tracks.mean(0)).square().mean()


def specter(tracks):
    return temper(tracks.mean(0, keepdim=True))


losses = {
    "temper": temper,
    "temper + pull": lambda x: temper(x) + pull(x),
    "temper + specter": lambda x: temper(x) + specter(x),
    "all": lambda x: temper(x) + pull(x) + specter(x),
}
T = 9


def crossing(offset, slope=2.0):
    """Tracks of two instances: rising and falling, their clip means `offset` apart."""
    rise = slope * torch.linspace(-1, 1, T)
    return torch.stack([rise - offset / 2, -rise + offset / 2], dim=1)


def roll(name, start, steps=600):
    return descend(start, losses[name], steps=steps, learning_rate=0.3)


# %%
start = crossing(0.3)
ends = {name: roll(name, start)[-1] for name in losses}
ids = torch.tensor([[1, 2]]).expand(T, -1)
figure, axes = subplots(1, 5, width=9, height=2.6, sharey=True)
draw_frames(axes[0], start, ids)
axes[0].set_title("start")
for axis, (name, end) in zip(axes[1:], ends.items(), strict=True):
    draw_frames(axis, end, ids)
    axis.set_title(name)
    axis.set_ylabel("")
for axis in axes:
    axis.set_xticks([0, 8])
figure.suptitle("Alone, L_temper separates the dogs in every frame and swaps them half-way")
show(
    figure,
    alt="""Tags of two dogs against frames in five panels. At the start two crossing lines. Temper alone:
    3 apart in every frame, but dog 1 is below in the first half and above in the second. With a pull to
    the clip mean: nearly level, close together and still crossed. With specter: farther apart in the
    first half, swapped in the second. With all terms: two level lines.""",
)


# %%
def verdict(tracks):
    """Smallest gap over the frames, and in how many frames dog 1 is below dog 2."""
    gap = tracks[:, 1] - tracks[:, 0]
    return gap.abs().min().item(), int((gap > 0).sum())


for name, end in ends.items():
    gap, below = verdict(end)
    print(f"{name:<17} smallest gap {gap:.1f}, dog 1 below dog 2 in {below} of {T} frames")

# %% [markdown]
# **Alone**, L_temper is content: 3 apart in every frame. But on a line there are only two ways to be apart,
# above and below, and each frame takes the one that is nearer. Dog 1 is below in the first frames and above in
# the last. If we find objects by their tag, dog 1's name passes to dog 2 half-way: *separated, and wrong*.
#
# To repair it, one dog's tags would have to pass through the other's in half of the frames, and in every one of
# them the hinge is highest where they meet. That is the **barrier**. A single pull does not get over it
# here: the tracks stay crossed. (Counted twice, as in the whole loss, it does.) The push on the clip means alone does not
# either: it moves the frames that are in the right order farther out, until the clip means are 3 apart, and
# leaves the swap as it is. **Together they do**: the push moves the clip means apart, the pull drags every
# frame along. This is a picture of the barrier, not of what L_temper is needed for: on these tracks push and
# pull over the clip, without L_temper, part them as well.

# %% [markdown]
# ## Try it
#
# How much does the start decide? The slider is the distance of the clip means at the start, for all terms.


# %%
def from_start(figure, offset):
    before, after = figure.subplots(2, 1, sharex=True)
    draw_frames(before, crossing(offset), ids)
    draw_frames(after, roll("all", crossing(offset))[-1], ids)
    before.set(xlabel="", ylabel="start", xticks=[0, 8])
    after.set(ylabel="end", xticks=[0, 8])


explore(
    from_start,
    values=[-1.0, -0.3, 0.0, 0.3, 1.0, 2.0],
    label="offset",
    title="The sign of the offset decides who ends above; at 0 nobody can decide",
    alt="""Tracks at the start and at the end for offsets of -1, 0, 0.3 and 2. For a negative offset
    dog 1 ends above, for a positive one below; for 0 the tracks stay crossed.""",
    size=(2.2, 3.0),
)

# %% [markdown]
# Now yourself: drag dots, or move them by keys, until the crossing tracks come apart; then switch terms off.

# %%
TagLine(
    crossing(0.3),
    ids,
    title="From an offset of 0.3 the tracks still come apart",
    alt="""Tags of two dogs against frames after 0, 20 and 80 steps with all four terms: two crossing
    tracks turn level and end a margin apart.""",
)

# %% [markdown]
# ## The paper does not say
#
# **From which starts does it work?** A grid: the offset of the clip means against the slope of the tracks. A start
# counts as solved if at the end the dogs are at least 2.9 apart in every frame *and* the same one is below in
# all of them.

# %%
offsets, slopes = torch.linspace(0.05, 2, 8), torch.linspace(0, 3, 7)


def solved(name):
    """Which starts of the grid end well: slopes x offsets, all in one descent."""
    grid = torch.stack([crossing(o, s) for s in slopes for o in offsets])  # K x T x 2

    def loss(x):
        return torch.stack([losses[name](tracks) for tracks in x]).sum()

    end = descend(grid, loss, steps=200, learning_rate=0.5)[-1]
    good = [verdict(x)[0] > 2.9 and verdict(x)[1] in (0, T) for x in end]
    return torch.tensor(good).view(len(slopes), len(offsets))


grids = {name: solved(name) for name in losses}

# %%
figure, axes = subplots(1, 4, width=9, height=2.6, sharey=True)
for axis, (name, good) in zip(axes, grids.items(), strict=True):
    edges = [offsets[0], offsets[-1], slopes[0], slopes[-1]]
    axis.imshow(good, cmap="cividis", vmin=0, vmax=1, origin="lower", aspect="auto", extent=edges)
    axis.set(xlabel="offset at the start")
    axis.set_title(f"{name}: {good.float().mean():.0%}")
axes[0].set_ylabel("slope of the tracks")
figure.suptitle("Yellow: solved. The barrier is overcome by push and pull over the clip together")
show(
    figure,
    alt="""Four maps of starts, offset against slope. With temper alone only flat or distant tracks are
    solved; with more terms the solved region grows.""",
)

# %% [markdown]
# **Which pairs** ([D11](../docs/decisions.md)). 'An arbitrary subset' may be drawn anew at every step. As a *mean*,
# a random subset of pairs gives the right loss on average; as a *sum*, one that is smaller by the share drawn.

# %%
h_nt = torch.randn(6, T, generator=torch.Generator().manual_seed(SEED))
n, other = torch.triu_indices(6, 6, 1)
hinges = (G - (h_nt[n] - h_nt[other]).abs()).clamp(min=0)
draws = [hinges[torch.randperm(15)[:5]] for _ in range(2000)]
ratio = {
    "mean": (torch.stack([d.mean() for d in draws]).mean() / hinges.mean()).item(),
    "sum": (torch.stack([d.sum() for d in draws]).mean() / hinges.sum()).item(),
}

# %% tags=["nbval-check-output"]
print({name: round(value, 1) for name, value in ratio.items()})

# %% [markdown]
# With at most a few dozen objects in a clip all pairs are cheap, so we take all.
#
# **Absent instances** ([D12](../docs/decisions.md)). A dog that is not in frame $t$ has no $h_{nt}$. The pair is left
# out in that frame. Two dogs that are never seen together are separated by eq. (3) alone. **Sum or mean**
# ([D10](../docs/decisions.md)): as printed the loss grows with N² and T; our default is the mean over the frames
# that both are in.

# %% [markdown]
# ## Exercise
#
# **Vectorise over T** (8 minutes). Write eq. (5) as printed, a sum over pairs and frames, without a Python loop.
#
# <details><summary>Hint</summary><code>h_nt[:, None] - h_nt</code> is N x N x T. Which of the N x N entries
# count? <code>torch.triu_indices</code> knows.</details>


# %% tags=["exercise"]
def temper_without_loops(h_nt, margin):
    """Sum over pairs n < n' and frames of max(0, margin - |h_nt - h_n't|): N x T to a scalar."""
    ### BEGIN SOLUTION
    n, other = torch.triu_indices(len(h_nt), len(h_nt), 1)
    return (margin - (h_nt[n] - h_nt[other]).abs()).clamp(min=0).sum()
    ### END SOLUTION


# %% tags=["check"]
check(temper_without_loops, check_temper)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. All frame means of two instances are 3 apart, with the same one below. What is
# L_specter?</summary>
#
# 0 if both have the same share of their pixels in every frame. Otherwise not surely: a clip mean weighs frames
# by pixels. One pixel at tag 0 and 99 at 3, against 99 at 3 and one at 6: every frame is 3 apart, the clip
# means 2.97 and 3.03 are not.
# </details>
#
# <details><summary>2. And the other way round: L_specter, L_spectra (clip) and L_tempra are 0. What is
# L_temper?</summary>
#
# 0: every pixel is at its clip mean, so frame means are clip means. In the minimum L_temper adds nothing; on the
# way there it can.
# </details>
#
# <details><summary>3. With tags of two numbers per pixel, would there be a barrier?</summary>
#
# Not of this kind: in a plane two points can walk around each other. That is the price of one-dimensional tags,
# whose reward is a histogram that one can read.
# </details>

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
# The claims of this lesson as numbers.

# %%
metrics = {
    "package against brute force": max(gaps),
    "smallest gap, temper alone": verdict(ends["temper"])[0],
    "frames with dog 1 below, temper alone": verdict(ends["temper"])[1],
    "frames with dog 1 below, all": verdict(ends["all"])[1],
    "starts solved, temper alone": grids["temper"].double().mean().item(),
    "starts solved, all": grids["all"].double().mean().item(),
}
record("06", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %%
assert metrics["package against brute force"] < 1e-9
assert metrics["smallest gap, temper alone"] > 2.8
assert 0 < metrics["frames with dog 1 below, temper alone"] < T, "alone, it swaps the two"
assert metrics["frames with dog 1 below, all"] == T
assert verdict(ends["temper + pull"])[0] < 2, "the pull alone does not overcome the barrier"
assert metrics["starts solved, all"] > metrics["starts solved, temper alone"]
assert abs(ratio["mean"] - 1) < 0.05
assert abs(ratio["sum"] - 1 / 3) < 0.03

# %% [markdown]
# ## Summary
#
# - $L_{temper}$ asks for the margin in every frame; clip means can be far apart while frames are not.
# - Frames decide for themselves who is above. Alone, that swaps identities of crossing tracks.
# - The barrier of the line is overcome by terms that look at the whole clip.
#
# Reference: Kini and Shah, 2022, section III-E.

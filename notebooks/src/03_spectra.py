# %% [markdown]
# # 03 · L_spectra pulls the pixels of an instance together
#
# **One idea:** give every pixel of an object the same number, by pulling each pixel's tag to the
# object's mean tag.
#
# Paper: section III-E, equations (1) and (2) · Time: 25 minutes to read, 20 for the exercises; 10 seconds
# on two CPU cores
#
# Below, each dot is the tag of one pixel, each colour an object. Press play: the dots slide downhill on the
# loss of this lesson.

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: which configuration the comparisons at the end use
SEED = 0  # of every random number below
DATA = ""  # not used in this lesson: its tags are made up
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import torch

from tagvis_lite.config import PROFILES, LossConfig
from tagvis_lite.course import check, claim, record, show, subplots
from tagvis_lite.course.checks.lesson_03 import (
    check_bad_pixel,
    check_largest_step,
    check_spectra_gradient,
)
from tagvis_lite.losses import instance_means, spectra_loss, tagging_terms
from tagvis_lite.views import TagLine
from tagvis_lite.views.free_tags import descend, draw_line, draw_paths

torch.manual_seed(SEED)
config = PROFILES[PROFILE].loss

# %% tags=["fold"]
ids = torch.tensor([1, 2, 3]).repeat_interleave(12)
start = torch.randn(36) * 1.5 + torch.tensor([-1.0, 0.0, 1.5])[ids - 1]
TagLine(
    start[None],
    ids[None],
    on=["spectra"],
    title="L_spectra at work",
    alt="""Three pictures of the tags on a line after 0, 20 and 80 steps of L_spectra: the dots of
    each of the three instances shrink to a point.""",
)

# %% [markdown]
# Which dots move fastest? Drag a dot far away (or focus the line, choose a dot with the arrow keys up and
# down and move it left and right) and play again: its instance follows a little, the others not at all.
# The switches show the three losses of the next lessons.
#
# ## What you will learn
#
# You will be able to
#
# - write equations (1) and (2) in four lines of PyTorch,
# - derive the gradient of $L_{spectra}$ with respect to one pixel's tag, and say why the mean stays,
# - explain why this loss alone is worthless.
#
# You need: tensors and `autograd`. Nothing about video, and no network.
#
# Live, in your browser: [watch tags of one object heap up](../docs/live.md)
#
# Previous: [02 · a name per pixel](02_names.ipynb) ·
# Next: [04 · L_tempra holds an instance over time](04_tempra.ipynb)

# %% [markdown]
# ## A question
#
# Three pixels belong to one cat. At the moment the network gives them the tags **1, 2 and 6**.
# We now let the three tags slide downhill on $L_{spectra}$, without any network in between.
#
# Write down before you go on: *Where do the three meet? Which of them moves first, and which
# fastest? Would a fourth pixel with tag 100 change your answer?*

# %% [markdown] tags=["eq-1", "eq-2"]
# ## The paper
#
# A *tag* is one real number that the network gives to one pixel. Equation (1) takes the mean tag of
# an instance, equation (2) the squared distance of its pixels from that mean:
#
# $$h_n = \frac{1}{M}\sum_{m=1}^{M} h'_{nm} \qquad (1) \qquad\qquad
# L_{spectra} = \frac{1}{N}\sum_{n=1}^{N}\sum_{m=1}^{M'} (h_n - h'_{nm})^2 \qquad (2)$$
#
# | symbol | meaning | shape here |
# |---|---|---|
# | $h'_{nm}$ | tag of pixel $m$ of instance $n$: what the network predicts | `tags`: P |
# | $n = 1 \dots N$ | instance; which pixel belongs to which | `ids`: P, int64 |
# | $M$ | pixels of instance $n$, in all frames of the clip | |
# | $M'$ | how many of them enter the sum, drawn at random | |
# | $h_n$ | mean tag of instance $n$ | N |
#
# The name is short for *spatial-intra-instance*. No pixel is compared with a ground-truth tag:
# there is none. Ground truth only says *which pixels belong together*.

# %% [markdown]
# ## In code
#
# Equation (1), written as it is read: for each instance, the mean over its pixels.


# %%
def mean_tags(tags, ids):
    """h_n of eq. (1): P tags and P ids to N means."""
    return torch.stack([tags[ids == n].mean() for n in ids.unique()])


# %% [markdown]
# Equation (2): for each instance the squared distances, summed over pixels, averaged over instances.


# %%
def spectra(tags, ids):
    """L_spectra of eq. (2), with all pixels: P tags and P ids to a scalar."""
    h = mean_tags(tags, ids)
    per_instance = [(h[k] - tags[ids == n]).square().sum() for k, n in enumerate(ids.unique())]
    return torch.stack(per_instance).mean()


# %% [markdown]
# The tags of the picture above: 36 pixels in, 3 means out, one number for the loss.

# %%
mean_tags(start, ids).shape, spectra(start, ids).shape

# %% [markdown]
# ## By hand
#
# The cat: tags 1, 2, 6, so $h = 9/3 = 3$ and
# $L = (3-1)^2 + (3-2)^2 + (3-6)^2 = 4 + 1 + 9 = 14$.
#
# For the gradient, note that $h$ itself moves when a pixel moves. Still,
#
# $$\frac{\partial L}{\partial h'_m} = 2(h'_m - h) + \frac{\partial h}{\partial h'_m}
# \underbrace{\sum_k 2(h - h'_k)}_{=\,0} = 2\,(h'_m - h),$$
#
# since distances from a mean sum to zero. That gives $-4, -2, +6$. Does autograd agree?

# %% tags=["nbval-check-output"]
cat = torch.tensor([1.0, 2.0, 6.0], requires_grad=True)
loss = spectra(cat, torch.tensor([1, 1, 1]))
loss.backward()
print(f"loss {loss.item():.1f}, gradient {cat.grad.tolist()}")

# %% [markdown]
# The three derivatives sum to zero, so a step of gradient descent leaves the mean where it is. **They
# meet at 3**, all start at once, and the farthest moves fastest. A fourth pixel at 100 would move the
# meeting point to 27.25: a squared distance is not robust, a few mislabelled pixels count a lot.

# %% [markdown]
# ## The picture
#
# The three instances of the first picture again, twelve pixels each, their tags thrown at random and mixed
# up. We make the tags themselves the parameters and descend.

# %%
history = descend(start, lambda tags: spectra(tags, ids), steps=40, learning_rate=0.1)

# %% tags=["fold"]
throws = [3 * torch.randn(36) for _ in range(20)]
ways = [descend(x, lambda t: spectra(t, ids), steps=40, learning_rate=0.1) for x in throws]


def spread(tags):
    """Mean over instances of the standard deviation of their tags."""
    return torch.stack([tags[ids == n].std() for n in ids.unique()]).mean().item()


drift = max((mean_tags(way[-1], ids) - mean_tags(way[0], ids)).abs().max().item() for way in ways)
shrunk = max(spread(way[-1]) / spread(way[0]) for way in ways)
factors = torch.tensor([spread(way[k + 1]) / spread(way[k]) for way in ways for k in range(40)])
over = f"{len(ways)} random starts"
meet = claim("Each tag runs to its mean", shrunk < 0.1, over=over)
stay = claim("The means stay where they were", drift < 1e-4, over=over)
factor = claim(
    "The spread shrinks by one and the same factor at every step",
    (factors.max() - factors.min()) < 1e-3,
    over=f"{len(factors)} steps of {over}",
)

# %% tags=["fold"]
figure, (left, right) = subplots(1, 2, width=8, height=3)
draw_paths(left, history, ids)
left.legend()
left.set_title(meet)
draw_line(right, history[-1], ids)
right.set_xlim(left.get_ylim())
right.set_title(stay)
show(
    figure,
    alt="""Left: 36 tags against 40 steps of gradient descent; those of each of three instances
    close in on their mean. Right: the tags at the end, one narrow heap per instance; two of the
    three heaps are close together.""",
)

# %% [markdown]
# Within an instance the tags are nearly equal at the end, and they get there evenly: a step multiplies every
# distance from the mean by the same number, $1 - 2\eta/N$ for a step size $\eta$. <!-- claim: factor --> Between instances nothing
# happened: where the means lay at the start, chance has put them, and there they lie now.

# %% [markdown]
# ## Try it
#
# In the picture at the top, switch $L_{spectra}$ off and on, drag one dot far out and play. Then look for a start
# in which two instances end on the same spot. You need not search long: put them there.
#
# Can the loss tell you that this has happened? It is the question of quiz 1.

# %% [markdown]
# ## The paper does not say
#
# **How many pixels, and sum or mean** ([D10, D11](../docs/decisions.md)). Equation (2) sums over
# $M'$ random pixels and gives no $M'$. We draw 1 to 64 pixels from instances that have 12 (with replacement, as
# the package draws, so some count twice), 200 times each, and look at the loss as a sum and as a mean.

# %%
batch_tags, batch_ids = start.view(1, 1, 1, -1), ids.view(1, 1, 1, -1)
means = instance_means(batch_tags, batch_ids)
numbers = [1, 2, 4, 8, 16, 32, 64]
draws = {"sum": [], "mean": []}
for reduction, values in draws.items():
    for number in numbers:
        options = {"reduction": reduction, "pixels_per_instance": number}
        drawn = [spectra_loss(batch_tags, means, **options).item() for _ in range(200)]
        values.append(torch.tensor(drawn))

# %% tags=["fold"]
centre = {name: torch.stack(values).mean(1) for name, values in draws.items()}
noise = {name: torch.stack(values).std(1) for name, values in draws.items()}
over = "200 draws each"
grows = claim(
    "The sum is as large as M'",
    ((centre["sum"] / centre["mean"][-1] / torch.tensor(numbers) - 1).abs() < 0.25).all(),
    over=over,
)
level = claim(
    "The mean stays, with less noise",
    (centre["mean"] / centre["mean"][-1] - 1).abs().max() < 0.25
    and noise["mean"][-1] < 0.25 * noise["mean"][0],
    over=over,
)

# %% tags=["fold"]
figure, axes = subplots(1, 2, width=8, height=2.8)
for axis, name in zip(axes, draws, strict=True):
    axis.errorbar(numbers, centre[name], noise[name], marker="o", capsize=3)
    axis.set(xscale="log", xlabel="M', pixels drawn per instance", ylabel=f"L_spectra, {name}")
axes[0].set_title(grows)
axes[1].set_title(level)
show(
    figure,
    alt="""L_spectra against the number of pixels drawn, with error bars over 200 draws. As a sum
    it grows in proportion to that number; as a mean it stays level and its error bars shrink.""",
)

# %% [markdown]
# As a *sum* the loss grows in proportion to $M'$, so its weight against the other losses silently depends on a
# number that the paper does not give. As a *mean* more pixels only make it less noisy. Both are options here
# (`loss.reduction`); `mean` is the default.
#
# **Over what $h_n$ is the mean** ([D9](../docs/decisions.md)): over the whole clip, or each frame by
# itself? Here there is no time yet; lesson [04](04_tempra.ipynb) shows what hangs on it.
#
# **Which tags are allowed** ([D8](../docs/decisions.md)). The abstract wants tags between 0 and 1. For
# this loss it makes no difference; for the loss of [lesson 05](05_specter.ipynb) it is fatal.

# %% [markdown]
# ## Exercise
#
# **Predict** (3 minutes). One instance, eq. (2) as a sum over its pixels, plain gradient descent with step size
# $\eta$. For small $\eta$ the tags creep to their mean. From which $\eta$ on do they *not* arrive any more?
# Write it down before you try anything; the check then runs the descent just below and just above your answer.


# %% tags=["exercise"]
def largest_step():
    """The step size from which on descent on sum_m (h - h'_m)^2 no longer arrives."""
    ### BEGIN SOLUTION
    # A step multiplies the distance from the mean by 1 - 2 eta, whose size is below 1 for eta < 1.
    return 1.0
    ### END SOLUTION


# %% tags=["check"]
check(largest_step, check_largest_step)

# %% [markdown]
# **Code** (10 minutes). Write the whole gradient of eq. (2), for all instances at once, without calling autograd.
# `ids` has 0 for background, which belongs to no instance. The derivation above is for one instance and N = 1:
# what changes?


# %% tags=["exercise"]
def spectra_gradient(tags, ids):
    """Derivative of eq. (2), with all pixels, by each tag: P tags and P ids to P values."""
    ### BEGIN SOLUTION
    instances = ids[ids > 0].unique()
    gradient = torch.zeros_like(tags)
    for n in instances:
        own = ids == n
        gradient[own] = 2 * (tags[own] - tags[own].mean()) / len(instances)
    return gradient
    ### END SOLUTION


# %% tags=["check"]
check(spectra_gradient, check_spectra_gradient)

# %% [markdown]
# **Break** (5 minutes). Twelve pixels of a cat have the tag 0. By mistake a thirteenth pixel is labelled as cat as
# well, with a tag of its own. All other instances are 3 away, so a cat whose mean has moved by 1.5 is half-way to
# another name. Which tag must the one bad pixel have to carry the mean that far?


# %% tags=["exercise"]
def bad_pixel():
    """Tag of the thirteenth pixel with which descent on eq. (2) ends at 1.5."""
    ### BEGIN SOLUTION
    return 13 * 1.5
    ### END SOLUTION


# %% tags=["check"]
check(bad_pixel, check_bad_pixel)

# %% [markdown]
# **Open.** Replace the square by the absolute value, and the mean by the median. What do you win against bad
# pixels, and what do you lose (think of the gradient when all tags are nearly equal, and of a network that is
# to be trained with it)? Judge yourself: your answer should predict the picture of `draw_paths` before you
# draw it, for a start with one tag at 100.

# %% [markdown]
# ## Quiz
#
# <details><summary>1. What is the smallest value of L_spectra, and when is it reached?</summary>
#
# Zero, when all pixels of each instance share a tag; *also when all pixels of all instances share
# one*. A network that always says 0 has a perfect L_spectra. So there has to be a loss that pushes instances
# apart: lesson 05. <!-- claim: worthless -->
# </details>
#
# <details><summary>2. Add 10 to every tag. How does the loss change?</summary>
#
# Not at all: mean and pixels move together. All four terms of the tagging loss see differences only,
# so the place of zero on the tag line means nothing. <!-- claim: same -->
# </details>
#
# <details><summary>3. A background pixel has tag 7. What does L_spectra do to it?</summary>
#
# Nothing. Background belongs to no instance (D13). The tags out there may be anything, and the
# semantic branch must say where to ignore them. <!-- claim: ignored -->
# </details>

# %% tags=["fold"]
translated, outside = [], []
options = LossConfig(pixels_per_instance=None)
for _ in range(20):
    tags, who = torch.randn(1, 4, 1, 60, dtype=torch.float64), torch.randint(0, 4, (1, 4, 1, 60))
    before, after = (tagging_terms(x, who, options) for x in (tags, tags + 10))
    translated += [(before[name] - after[name]).abs().max().item() for name in before]
    thrown = tagging_terms(torch.where(who == 0, 7.0, tags), who, options)
    outside.append((thrown["spectra"] - before["spectra"]).abs().max().item())
over = "20 random clips"
worthless = claim(
    "It is zero when all pixels of all instances share one tag",
    spectra(torch.zeros(36), ids) == 0,
    over="36 pixels of 3 instances",
)
same = claim("All four terms ignore a shift of all tags", max(translated) < 1e-9, over=over)
ignored = claim("L_spectra ignores the tags of background", max(outside) < 1e-12, over=over)

# %% [markdown]
# ## In the package
#
# `tagvis_lite.losses.spectra_loss` does all clips, instances and frames at once, by adding pixels into
# groups instead of looping over instances. Same numbers:

# %%
ours = spectra(start, ids)
package = spectra_loss(batch_tags, means, reduction="sum", pixels_per_instance=None)
torch.testing.assert_close(package, ours.view(1))
torch.testing.assert_close(means.h_n[0], mean_tags(start, ids))

# %% [markdown]
# ## Metrics
#
# What this lesson measures, as numbers, and every claim above with what it rests on.

# %% tags=["fold", "nbval-check-output"]
metrics = {
    "spread before": spread(history[0]),
    "spread after": spread(history[-1]),
    "loss of the cat": loss.item(),
}
record("03", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %% tags=["fold"]
assert metrics["loss of the cat"] == 14
assert cat.grad.tolist() == [-4, -2, 6]
assert config.spectra > 0, "every profile trains with this loss"

# %% [markdown]
# ## Summary
#
# - $L_{spectra}$ pulls every pixel to the mean tag of its instance; the mean itself stays. <!-- claim: meet, stay -->
# - It is zero when all pixels of the *world* share one tag, so it cannot stand alone. <!-- claim: worthless -->
# - As printed it is a sum whose size depends on an unnamed $M'$; we take means unless told
#   otherwise. <!-- claim: grows, level -->
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, section III-E. The idea of pulling to a mean and pushing means apart comes from
# De Brabandere et al., *Semantic Instance Segmentation with a Discriminative Loss Function*, 2017, and,
# with one-dimensional tags, from Newell et al., *Associative Embedding*, 2017.

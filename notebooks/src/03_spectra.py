# %% [markdown]
# # 03 · L_spectra pulls the pixels of an instance together
#
# **One idea:** give every pixel of an object the same number, by pulling each pixel's tag to the
# object's mean tag.
#
# Paper: section III-E, equations (1) and (2) · Time: under 20 seconds on two CPU cores

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - write equations (1) and (2) in four lines of PyTorch,
# - derive the gradient of $L_{spectra}$ with respect to one pixel's tag, and say why the mean stays,
# - explain why this loss alone is worthless.
#
# You need: tensors and `autograd`. Nothing about video.
#
# Live, in your browser: [watch tags of one object heap up](../docs/live.md)
#
# Previous: [01 · the task](01_task.ipynb) ·
# Next: [04 · L_tempra holds an instance over time](04_tempra.ipynb)

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: which configuration the comparisons at the end use
SEED = 0  # of every random number below
DATA = ""  # not used in this lesson: its tags are made up
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import torch

from tagvis_lite.config import PROFILES
from tagvis_lite.course import check, record, show, subplots
from tagvis_lite.course.checks.lesson_03 import check_spectra_gradient
from tagvis_lite.losses import instance_means, spectra_loss
from tagvis_lite.views import TagLine
from tagvis_lite.views.free_tags import descend, draw_line, draw_paths

torch.manual_seed(SEED)
config = PROFILES[PROFILE].loss

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
# A shape check beside it: P pixels in, N means out, one number for the loss.

# %%
tags = torch.randn(12)
ids = torch.tensor([1, 2, 3]).repeat_interleave(4)
assert mean_tags(tags, ids).shape == (3,)
assert spectra(tags, ids).shape == ()

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
# because distances from a mean sum to zero. That gives $-4, -2, +6$. Let autograd disagree:

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
# Three instances with twelve pixels each, their tags thrown at random and mixed up. We make the tags
# themselves the parameters and descend.

# %%
ids = torch.tensor([1, 2, 3]).repeat_interleave(12)
start = torch.randn(36) * 1.5 + torch.tensor([-1.0, 0.0, 1.5])[ids - 1]
history = descend(start, lambda tags: spectra(tags, ids), steps=40, learning_rate=0.1)

figure, (left, right) = subplots(1, 2, width=8, height=3)
draw_paths(left, history, ids)
left.legend()
left.set_title("each tag runs to the mean of its instance")
draw_line(right, history[-1], ids)
right.set_title("three points, where chance put the means")
show(
    figure,
    alt="""Left: 36 tags against 40 steps of gradient descent; those of each of three instances
    close in on their mean. Right: the tags at the end, one point per instance; two of the three
    points are close together.""",
)

# %% [markdown]
# Within an instance the tags are now equal. Between instances nothing happened: where the means lay
# at the start, there they lie now.

# %% [markdown]
# ## Try it
#
# Play, or take one step at a time: which dots move fastest? Then drag a dot far away (or focus the line,
# choose a dot with the arrow keys up and down and move it left and right) and play again: its instance
# follows a little, the others not at all. The switches show the three losses of the next lessons.

# %%
TagLine(
    start[None],
    ids[None],
    on=["spectra"],
    title="The spread shrinks by the same factor at every step",
    alt="""Three pictures of the tags on a line after 0, 20 and 80 steps of L_spectra: the dots of
    each of the three instances shrink to a point.""",
)

# %% [markdown]
# ## The paper does not say
#
# **How many pixels, and sum or mean** ([D10, D11](../docs/decisions.md)). Equation (2) sums over
# $M'$ random pixels and gives no $M'$. Draw more pixels and the *sum* grows in proportion, so the
# weight of this loss against the others silently depends on $M'$. The *mean* does not: more pixels
# only make it less noisy. Both are options here (`loss.reduction`); `mean` is the default.

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

# %%
figure, axes = subplots(1, 2, width=8, height=2.8)
for axis, (reduction, values) in zip(axes, draws.items(), strict=True):
    centre = torch.stack(values).mean(1)
    spread = torch.stack(values).std(1)
    axis.errorbar(numbers, centre, spread, marker="o", capsize=3)
    axis.set(xscale="log", xlabel="M', pixels drawn per instance", ylabel=f"L_spectra, {reduction}")
axes[0].set_title("the sum is as large as M' is")
axes[1].set_title("the mean stays, and gets less noisy")
show(
    figure,
    alt="""L_spectra against the number of pixels drawn, with error bars over 200 draws. As a sum
    it grows in proportion to that number; as a mean it stays level and its error bars shrink.""",
)

# %% [markdown]
# **Over what $h_n$ is the mean** ([D9](../docs/decisions.md)): over the whole clip, or each frame by
# itself? Here there is no time yet; lesson [04](04_tempra.ipynb) shows what hangs on it.
#
# **Which tags are allowed** ([D8](../docs/decisions.md)). The abstract wants tags between 0 and 1. For
# this loss it makes no difference; for eq. (3), lesson [05](05_specter.ipynb), it is fatal.

# %% [markdown]
# ## Exercise
#
# **Gradient by hand** (5 minutes). Write the gradient of eq. (2) for *one* instance with respect to
# each of its pixels' tags, as a sum, without calling autograd.
#
# <details><summary>Hint</summary>The derivation is above; the answer is one line.</details>


# %% tags=["exercise"]
def spectra_gradient(tags):
    """Derivative of sum_m (h - tags[m])^2 by each tag: P tags to P values."""
    ### BEGIN SOLUTION
    return 2 * (tags - tags.mean())
    ### END SOLUTION


# %% tags=["check"]
check(spectra_gradient, check_spectra_gradient)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. What is the smallest value of L_spectra, and when is it reached?</summary>
#
# Zero, when all pixels of each instance share a tag; *also when all pixels of all instances share
# one*. A network that always says 0 has a perfect L_spectra. [Lesson 05](05_specter.ipynb) has the term against it.
# </details>
#
# <details><summary>2. Add 10 to every tag. How does the loss change?</summary>
#
# Not at all: mean and pixels move together. All four terms of the tagging loss see differences only,
# so the place of zero on the tag line means nothing.
# </details>
#
# <details><summary>3. A background pixel has tag 7. What does L_spectra do to it?</summary>
#
# Nothing. Background belongs to no instance (D13). The tags out there may be anything, and the
# semantic branch must say where to ignore them.
# </details>

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
# What this lesson claims, as numbers. If a change of the package breaks a claim, the notebook fails.


# %% tags=["nbval-check-output"]
def spread(tags):
    return torch.stack([tags[ids == n].std() for n in ids.unique()]).mean().item()


drift = (mean_tags(history[-1], ids) - mean_tags(start, ids)).abs().max().item()
metrics = {
    "spread before": spread(history[0]),
    "spread after": spread(history[-1]),
    "loss of the cat": loss.item(),
}
record("03", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %%
assert metrics["loss of the cat"] == 14
assert cat.grad.tolist() == [-4, -2, 6]
assert metrics["spread after"] < 0.1 * metrics["spread before"]
assert drift < 1e-5, "the means must not move"
assert config.spectra > 0, "every profile trains with this loss"

# %% [markdown]
# ## Summary
#
# - $L_{spectra}$ pulls every pixel to the mean tag of its instance; the mean itself stays.
# - It is zero when all pixels of the *world* share one tag, so it cannot stand alone.
# - As printed it is a sum whose size depends on an unnamed $M'$; we take means unless told otherwise.
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, section III-E. The idea of pulling to a mean and pushing means apart comes from
# De Brabandere et al., *Semantic Instance Segmentation with a Discriminative Loss Function*, 2017, and,
# with one-dimensional tags, from Newell et al., *Associative Embedding*, 2017.

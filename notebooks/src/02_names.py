# %% [markdown]
# # 02 · A name per pixel: one number, or more
#
# **One idea:** let every pixel write down a *name* for its object, as one number or as several. What the
# losses of all such methods share is a pull and a push; how many numbers there are decides who can get past
# whom.
#
# Paper: section II, on bottom-up methods · Time: 25 minutes to read, 25 for the exercises; half a minute on
# two CPU cores
#
# Press play. Left a clip; in the middle one number for each pixel, drawn as a shade; right two numbers,
# drawn as a colour. These names are made up from the truth.

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose margin is used
SEED = 0  # of every random number below
DATA = ""  # empty: a toy video; or a DAVIS or YouTube-VIS root, whose first video is shown
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import numpy as np
import torch

from tagvis_lite.config import PROFILES
from tagvis_lite.course import check, claim, explore, lesson_video, record, show, subplots
from tagvis_lite.course.checks.lesson_02 import check_ends, check_push, check_stuck
from tagvis_lite.data.toy import toy_split
from tagvis_lite.losses import instance_means, specter_loss
from tagvis_lite.study.oracles import nearest_true_mean, position
from tagvis_lite.views import play
from tagvis_lite.views.figures import tag_pictures
from tagvis_lite.views.free_tags import descend
from tagvis_lite.views.objects import colour_of

torch.manual_seed(SEED)
G = PROFILES[PROFILE].loss.margin

# %% tags=["fold"]
video = lesson_video(DATA, 0 if DATA else 4 + SEED)
frames, truth = (read(range(len(video))) for read in (video.read_frames, video.read_ids))
truth = np.where(truth == 255, 0, truth)
names = [int(n) for n in np.unique(truth) if n > 0]
turn = 2 * np.pi * np.arange(256) / len(names)
one, two = G * truth.astype(float), G * np.stack([np.cos(turn), np.sin(turn)], 1)[truth]
play(
    {"frames": frames, "one number": tag_pictures(one, truth), "two": tag_pictures(two, truth)},
    title="A name for every pixel, and it stays",  # given: these names are made up
    alt="""A clip of moving shapes; the same clip with every object in one shade, and in one colour,
    both unchanged from frame to frame.""",
)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - write the two forces, pull and push, of three methods and of this paper in a line each,
# - say what a second number buys, and why nobody on a line gets past anybody,
# - judge where a first difference between two alike pixels could come from.
#
# You need: lesson [01](01_task.ipynb), and gradients by `autograd`.
#
# Previous: [01 · the task](01_task.ipynb) · Next: [03 · L_spectra pulls pixels together](03_spectra.ipynb)

# %% [markdown]
# ## A question
#
# Three people stand on a narrow footpath, at 0, 1 and 10 metres. Each wants to be at least 3 metres from
# every other, and walks away from whoever is nearer. Then the same three stand on a lawn.
#
# Write down before you go on: *where do the three on the path end? Suppose the one at 0 would rather be
# on the far side of the one at 10: can she get there on the path, and on the lawn?*

# %% [markdown]
# ## The paper
#
# A bottom-up method predicts something for each pixel by which pixels can be grouped afterwards: an
# *embedding*. The paper's *tag* is an embedding of one number. It stands in a row:
#
# | method | numbers | pull of a pixel at distance $d$ from its mean | push of two means at distance $d$ |
# |---|---|---|---|
# | Associative embedding (Newell, 2017) | 1 | $d^2$ | $e^{-d^2/2}$ |
# | Discriminative loss (De Brabandere, 2017) | 8 or so | $\max(0, d - 0.5)^2$ | $\max(0, 3 - d)^2$ |
# | STEm-Seg (Athar, 2020) | 3 to 5, some of them x, y, t | a Gaussian with a learnt width | the same Gaussian |
# | this paper (2022) | 1 | $d^2$ | $\max(0, 3 - d)$ |
#
# $e$ is an embedding of $K$ numbers, $h_n$ the mean of instance $n$ and $d$ a Euclidean distance. The paper
# says of STEm-Seg that its instances have 'insufficient separation', and of its own tags that they are
# 'well-separated'. It does not say why one number should do better than five.

# %% [markdown]
# ## In code
#
# Free embeddings, no network: N instances of P pixels, each pixel K numbers. First the two means that
# everything is built from.

# %%
N, P = 5, 12
first, second = torch.triu_indices(N, N, 1)


def means(e):
    """h_n: N * P x K embeddings to N x K means."""
    return e.view(N, P, -1).mean(1)


def length(difference):
    """Euclidean length whose gradient at zero is zero, and not NaN."""
    return difference.square().sum(-1).clamp(min=1e-9).sqrt()


# %% [markdown]
# Now three of the four rows of the table. Each is a pull plus a push, as means over pixels and over pairs.
# (The second method also has a very small pull of all means to zero, which we leave out.)


# %%
def distances(e):
    """Of each pixel from its own mean, N x P, and of each pair of means."""
    h = means(e)
    return length(e.view(N, P, -1) - h[:, None]), length(h[first] - h[second])


def associative(e):
    to_mean, apart = distances(e)
    return to_mean.square().mean() + torch.exp(-apart.square() / 2).mean()


def discriminative(e):
    to_mean, apart = distances(e)
    return (to_mean - 0.5).clamp(min=0).square().mean() + (3 - apart).clamp(min=0).square().mean()


def tags(e):
    to_mean, apart = distances(e)
    return to_mean.square().mean() + (G - apart).clamp(min=0).mean()


LOSSES = {"associative": associative, "discriminative": discriminative, "this paper": tags}

# %% [markdown]
# ## By hand
#
# How hard do two means push each other? The push is the slope of the last column of the table:
#
# | distance $d$ | associative, $d\,e^{-d^2/2}$ | discriminative, $2(3-d)$ | this paper |
# |---|---|---|---|
# | 0.5 | 0.44 | 5 | 1 |
# | 1 | 0.61 | 4 | 1 |
# | 2 | 0.27 | 2 | 1 |
# | 4 | 0.00 | 0 | 0 |
#
# The first is weak where it is needed most, and never quite ends. The second is strongest up close. The
# third is the same at every distance below the margin, and then ends.

# %% tags=["nbval-check-output"]
d = torch.tensor([0.5, 1.0, 2.0, 4.0], requires_grad=True)
pushes = [torch.exp(-(d**2) / 2), (3 - d).clamp(min=0) ** 2, (3 - d).clamp(min=0)]
slopes = torch.stack([-torch.autograd.grad(push.sum(), d)[0] for push in pushes])
for row in (slopes.T + 0.0).tolist():
    print(*[f"{value:.2f}" for value in row])

# %% [markdown]
# ## The picture
#
# The same starts for all: twelve times five instances, thrown at random, so that many lie on each other.
# They roll down each loss for 400 steps, once with one number and once with two.


# %%
def scatter(numbers, seed):
    """N instances of P pixels around random means: N * P x K."""
    generator = torch.Generator().manual_seed(1000 * SEED + seed)
    centres = 3 * torch.rand(N, numbers, generator=generator) - 1.5
    noise = 0.4 * torch.randn(N * P, numbers, generator=generator)
    return centres.repeat_interleave(P, dim=0) + noise


STARTS = 12
ways = {
    (name, k): torch.stack(
        [descend(scatter(k, s), loss, steps=400, learning_rate=1.0)[::8] for s in range(STARTS)]
    )
    for name, loss in LOSSES.items()
    for k in (1, 2)
}

# %% [markdown]
# For each start we ask three things: how far apart the closest two instances end, how wide the widest
# instance is, and whether the instances, by their first number, are in the order in which they began.

# %%
closest, spread, same_order = {}, {}, {}
for key, way in ways.items():
    ends = [distances(e[-1]) for e in way]
    closest[key] = np.array([apart.min().item() for _, apart in ends])
    spread[key] = np.array([to_mean.mean().item() for to_mean, _ in ends])
    orders = [[means(e[t])[:, 0].argsort() for t in (0, -1)] for e in way]
    same_order[key] = np.array([torch.equal(*pair) for pair in orders])

# %% tags=["fold"]
over = f"{STARTS} starts"
line = [same_order[name, 1].all() for name in LOSSES]
no_passing = claim("On a line nobody gets past anybody", all(line), over=f"{over}, three losses")
plane = np.mean([same_order[name, 2].mean() for name in LOSSES])
passing = claim("In a plane most crowds change their order", plane < 0.7, over=f"{over}, 3 losses")
free = [(closest["this paper", k] > 0.97 * G).mean() for k in (1, 2)]
sooner = claim(
    "In 400 steps a plane parts all instances, a line does not",
    free[1] > 0.9 and free[0] < 0.1,
    over=f"{over}, this paper's loss",
)
fades = claim(
    "A push without a margin leaves the closest pair closer",
    (closest["associative", 2] < closest["discriminative", 2]).mean() > 0.9,
    over=f"{over} in a plane",
)
slack = claim(
    "A pull with slack leaves a width, a square leaves none",
    spread["discriminative", 2].min() > 0.1 > spread["this paper", 2].max(),
    over=f"{over} in a plane",
)

# %% tags=["fold"]
ids = np.repeat(np.arange(1, N + 1), P)
hues = [colour_of(int(n)) for n in ids]
figure, axes = subplots(2, 3, width=8.5, height=4.6)
for column, name in enumerate(LOSSES):
    for n in range(N):
        track = torch.stack([means(e)[n, 0] for e in ways[name, 1][0]])
        axes[0, column].plot(8 * np.arange(len(track)), track, color=colour_of(n + 1))
        track = torch.stack([means(e)[n] for e in ways[name, 2][0]])
        axes[1, column].plot(*track.T, color=colour_of(n + 1), linewidth=1)
    axes[1, column].scatter(*ways[name, 2][0][-1].T, s=8, c=hues)
    axes[0, column].set(title=name, xlabel="step", ylim=(-7, 7))
    axes[1, column].set(xlim=(-4.5, 4.5), ylim=(-4.5, 4.5), aspect="equal", xlabel="first number")
axes[0, 0].set_ylabel("the number")
axes[1, 0].set_ylabel("second number")
figure.suptitle(no_passing)
show(
    figure,
    alt="""Above, the means of five instances against steps for three losses with one number: lines
    that spread like a fan and never cross. Below, their ways in a plane with two numbers: curved
    paths that end in points a margin apart.""",
)

# %% [markdown]
# Why is that so? On a line, two means that want to change places have to be equal on the way, and there the
# push turns them back: it always points away from the other. In a plane they can walk around each
# other. <!-- claim: no_passing, passing -->
#
# So with one number the order of the names is settled at the start. For free tags the start is a throw of
# dice; for a network it has to be read off the picture. Lesson [09](09_twins.ipynb) looks at what trained
# networks read off it.

# %% [markdown]
# ## Try it
#
# How many instances have found their place? The slider is the step; the plane is that of the paper's loss
# with two numbers, another start.


# %%
def at_step(figure, step):
    axis = figure.subplots()
    e = ways["this paper", 2][1][step // 8]
    axis.scatter(*e.T, s=10, c=hues)
    axis.set(xlim=(-4.5, 4.5), ylim=(-4.5, 4.5), aspect="equal")


# %% tags=["fold"]
explore(
    at_step,
    values=[0, 24, 48, 96, 160, 240, 320, 400],
    label="step",
    title=sooner,
    alt="""Four pictures of sixty dots in five colours in a plane: first mixed, then five tight
    groups that move apart until no two are nearer than the margin.""",
)

# %% [markdown]
# ## The paper does not say
#
# **Why one number?** ([D23](../docs/decisions.md)) The norms in equations (3) and (5) are written for
# vectors, but tags are maps of 112 x 112 x 1. Here one number is the default; `model.tag_channels` makes it
# a vector of up to four.
#
# **Where does the first difference come from?** Two alike objects look alike to any filter. STEm-Seg adds
# something that differs for sure: each pixel's own x, y and t. How far would *only* the place get us? We
# name every object's pixel by its (y, x) and give it to the object whose mean place is nearest.

# %%
clips = [video.read_ids(range(len(video))) for video in toy_split("test", 24)]
right = []
for labels in clips:
    named = nearest_true_mean(position(labels.shape), labels > 0, labels)
    right.append((named == labels)[labels > 0].mean())

# %% tags=["fold"]
by_place = claim(
    "The place alone names most pixels of these videos rightly",
    np.mean(right) > 0.8,
    over=f"objects of {len(clips)} test videos",
)
figure, axis = subplots(width=6, height=2.2)
axis.bar(range(len(right)), sorted(right))
axis.set(ylim=(0, 1), xlabel="test video, worst first", ylabel="share named rightly")
axis.set_title(by_place)
show(
    figure,
    alt="""Bars for the test videos, sorted: the share of object pixels that are nearest to the mean
    place of their own object; most bars are near one, a few near a half.""",
)

# %% [markdown]
# That is a warning for every method, this one included: where objects move little, a name that is only a
# place scores well. Videos in which objects change places tell such a name from a real one.

# %% [markdown]
# ## Exercise
#
# **1. Predict** (3 minutes). The three on the footpath, at 0, 1 and 10, with G = 3, are moved by the push of
# this paper alone: pairs nearer than 3 push each other with equal force. Where do they end? Write the three
# places.
#
# <details><summary>Hint</summary>Which pairs push at all? And does their middle move?</details>


# %% tags=["exercise"]
def ends_of_three():
    """Where the three end, in the order in which they began."""
    ### BEGIN SOLUTION
    return -1.0, 2.0, 10.0
    ### END SOLUTION


# %% tags=["check"]
check(ends_of_three, check_ends)

# %% [markdown]
# **2. Code** (10 minutes). The push of this paper for names of any length K: the mean, over all pairs, of
# $\max(0, G - \lVert h_n - h_{n'}\rVert)$. Two equal means must not give a gradient of NaN.
#
# <details><summary>Hint</summary><code>torch.triu_indices(N, N, 1)</code> has every pair once. A square root has no slope at
# zero: keep its argument above a tiny number.</details>


# %% tags=["exercise"]
def push(h, margin):
    """Mean hinge over all pairs: N x K means to a scalar."""
    ### BEGIN SOLUTION
    n, other = torch.triu_indices(len(h), len(h), 1)
    squared = (h[n] - h[other]).square().sum(-1)
    return (margin - squared.clamp(min=1e-12).sqrt()).clamp(min=0).mean()
    ### END SOLUTION


# %% tags=["check"]
check(push, check_push)

# %% [markdown]
# **3. Break it** (5 minutes). The push does not always part what it should. Name a start of three means, K =
# 1, not all equal, from which descent on your `push` never gets two of them apart. Then explain why a
# network would not stay there.
#
# <details><summary>Hint</summary>Which way should two people step who stand on the same spot?</details>


# %% tags=["exercise"]
def stuck_start():
    """Three means, as a list of three numbers, that the push never parts."""
    ### BEGIN SOLUTION
    return [0.0, 0.0, 5.0]
    ### END SOLUTION


# %% tags=["check"]
check(stuck_start, check_stuck)

# %% [markdown]
# **4. Open.** A camera looks down on a crowd of two hundred people in equal coats. How would you name their
# pixels: how many numbers, which push, which margin? Sketch it in ten lines. *Judge your own sketch*: can
# two people who change places keep their names? How large do the names get, and what must a network do to
# write them exactly? What tells a person who comes back from a new one?

# %% [markdown]
# ## Quiz
#
# <details><summary>1. All embeddings of a clip are turned by 30 degrees in their plane. Which of the losses change?</summary>
#
# None. All are made of distances, so turning, mirroring and shifting change nothing: there is no right name,
# only equal and different ones. <!-- claim: turned -->
# </details>
#
# <details><summary>2. Why does the pull of the discriminative loss stop at 0.5?</summary>
#
# It asks no more than the push can pay for: pixels within 0.5 of a mean and means 3 apart can be told from
# each other. So instances keep a width, which costs nothing until somebody clusters with a narrower kernel.
# <!-- claim: slack -->
# </details>
#
# <details><summary>3. Five instances on a line, G = 3. How long is the line at least, and in a plane how wide the picture?</summary>
#
# Four gaps of 3, so 12, and it grows with every instance. In a plane five means fit on a ring of about 5
# across. <!-- claim: room -->
# </details>

# %% tags=["fold"]
angle = torch.tensor(np.pi / 6)
rotation = torch.tensor([[angle.cos(), angle.sin()], [-angle.sin(), angle.cos()]])
e = scatter(2, 0)
change = max(abs(loss(e @ rotation) - loss(e)).item() for loss in LOSSES.values())
turned = claim("Losses of distances do not see a turn", change < 1e-4, over="three losses")
wide = [means(way[-1]) for way in ways["this paper", 2]]
extent = [(h.max(0).values - h.min(0).values).max().item() for h in wide]
room = claim(
    "Five instances need about half as much room in a plane as on a line",
    np.median(extent) < 0.6 * 4 * G,
    over=over,
)

# %% [markdown]
# ## In the package
#
# The equations of the paper are written once, for tags of one number and of several. Its push is ours:

# %%
h = means(e)
labels = torch.arange(1, N + 1).repeat_interleave(P)
batch = e.view(1, 1, 1, N * P, 2), labels.view(1, 1, 1, N * P)
package = specter_loss(instance_means(*batch), margin=G)
ours = (G - length(h[first] - h[second])).clamp(min=0).mean()
torch.testing.assert_close(package.squeeze(), ours, rtol=1e-4, atol=1e-4)

# %% [markdown]
# ## Metrics
#
# What the claims rest on, as numbers.

# %% tags=["fold"]
metrics = {
    "crowds that keep their order on a line": np.mean(line),
    "crowds that keep their order in a plane": plane,
    "parted in 400 steps on a line": free[0],
    "parted in 400 steps in a plane": free[1],
    "pixels named rightly by place": np.mean(right),
}
record("02", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert np.isfinite(list(metrics.values())).all()

# %% [markdown]
# ## Summary
#
# - A name per pixel needs a pull within objects and a push between them. Methods differ in where
#   either stops. <!-- claim: fades, slack -->
# - On a line the order of the start is the order of the end; a second number lets names get past each
#   other. <!-- claim: no_passing, passing -->
# - A first difference has to come from somewhere. The place of a pixel is the cheapest source, and on these
#   videos a good one. <!-- claim: by_place -->
#
# Reference: Newell, Huang and Deng, *Associative Embedding*, 2017; De Brabandere, Neven and Van Gool,
# *Semantic Instance Segmentation with a Discriminative Loss Function*, 2017; Athar and others, *STEm-Seg*,
# 2020; Kini and Shah, 2022, section II.

# %% [markdown]
# # 08 · Sixty seconds of training
#
# **One idea:** put a real network under the four losses and watch its tags part. What it finds first is not
# objects. It is a ramp.
#
# Paper: section III-E and IV, 'Training' · Time: 20 minutes to read, 25 for the exercises; a minute of
# training on two CPU cores
#
# Below a small network learns from scratch. From left to right: a frame that it is never trained on, its
# tags for it, the tags of each true object, and the loss. In a notebook of your own this picture moves.

# %% tags=["parameters"]
PROFILE = "toy"  # toy: 240 steps, about a minute; smoke: 80; paper: as toy, a real one takes days
SEED = 0  # of the weights, the videos' order and every other random number
DATA = ""  # not used in this lesson: it trains on toy videos
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from dataclasses import replace

import numpy as np
import torch

from tagvis_lite.clips import ClipDataset, clip_loader, make_clip, to_device
from tagvis_lite.config import TOY
from tagvis_lite.course import check, claim, explore, record, show, subplots
from tagvis_lite.course.checks.lesson_08 import check_first_map, check_no_push, check_own_name
from tagvis_lite.data.toy import ToyConfig, toy_split
from tagvis_lite.inference import predict_clip
from tagvis_lite.losses import overall_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.training import learning_rate, step
from tagvis_lite.views import LiveTraining
from tagvis_lite.views.objects import colour_of, draw_objects

torch.manual_seed(SEED)
STEPS = {"smoke": 80}.get(PROFILE, 240)

# %% tags=["fold"]
SIDE, FRAMES = 32, 4
config = replace(
    TOY,
    data=replace(TOY.data, clip_frames=FRAMES, size=(SIDE, SIDE)),
    train=replace(TOY.train, steps=STEPS, learning_rate=2e-3, precision="32-true", seed=SEED),
)
kind = ToyConfig((SIDE, SIDE), FRAMES, min_instances=2, max_instances=3, difficulty="easy")
videos = toy_split("train", STEPS * config.train.batch_size, kind)
classes = config.model.num_classes
held_out = [make_clip(v, range(FRAMES), config.data, classes) for v in toy_split("test", 16, kind)]
frames = toy_split("test", 16, kind)[0].read_frames(range(FRAMES))

# %% [markdown]
# The loop is all there is: take four clips, take a step down the gradient, look. Every tenth of the way it
# keeps what the network says about the sixteen held-out clips.

# %%
network = TagVIS(config.model)
optimizer = torch.optim.Adam(network.parameters())
stops = {round(STEPS * k / 10) for k in range(1, 11)}
seen = {0: [predict_clip(network, clip.frames).tags for clip in held_out]}
network.train()
with LiveTraining(
    network,
    held_out[0],
    frames,
    steps=STEPS,
    live=not OUT,
    alt="""A held-out frame with outlined shapes, its tag map, the histogram of the tags of each true
    object, and falling loss curves""",
) as watch:
    for number, (_, clips) in enumerate(clip_loader(ClipDataset(videos, config)), 1):
        optimizer.param_groups[0]["lr"] = learning_rate(config.train, number, STEPS)
        losses = step(network, optimizer, clips, config)
        watch(
            spectra=losses["spectra"], specter=losses["specter"], semantic=losses["cross_entropy"]
        )
        if number in stops:
            seen[number] = [predict_clip(network, clip.frames).tags for clip in held_out]
        if number == STEPS:
            break

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - write the loop that trains a network, and say what each line of a step does,
# - tell from a tag map and a histogram how far a training is,
# - name a baseline that any tag has to beat, and test whether yours does.
#
# You need: lesson [07](07_tagging_loss.ipynb). What is inside the network comes in lessons
# [11](11_encoder.ipynb) to [16](16_network.ipynb); here it is a box that turns frames into tags.
#
# Previous: [07 · the tagging loss](07_tagging_loss.ipynb) ·
# Next: [09 · where names come from](09_twins.ipynb)

# %% [markdown]
# ## A question
#
# The free tags of lesson 07 were numbers that could go where the loss sent them. A network's tags hang
# together: one set of weights makes them all, for every pixel of every video.
#
# Write down before you go on: *what is the easiest way for a network to give different objects of one
# picture different numbers? Draw the tag map that you expect after a few seconds of training, and after a
# day.*

# %% [markdown]
# ## The paper
#
# 'We train the network end-to-end', says section IV, with Adam and a learning rate of $10^{-3}$, on clips of
# 32 frames of 224 x 224 pixels. Its overall loss is equation (7):
#
# $$L_{overall} = L_{tag} + L_{cross\text{-}entropy}$$
#
# | symbol | meaning | here |
# |---|---|---|
# | clip | what is shown in one step | 4 clips of 4 x 32 x 32 |
# | $L_{tag}$ | the four terms of lesson 07 | `spectra`, `specter`, `tempra`, `temper` |
# | $L_{cross-entropy}$ | what class each pixel is | `cross_entropy` |
# | step | one move of all weights | 240 of them, not 100 epochs |

# %% [markdown]
# ## In code
#
# What does `step` do? Here it is without what long runs need. Further down, under 'In the package', both take one
# step from the same weights and give the same loss.


# %%
def one_step(network, optimizer, clips, config):
    optimizer.zero_grad()
    clips = to_device(clips, config.data)
    losses = overall_loss(network(clips.frames), clips, config.loss)
    losses.overall.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), config.train.clip_gradient)
    optimizer.step()
    return losses.overall.item()


# %% [markdown]
# Two numbers tell how far a training is: how many pixels of an object are nearest to the mean tag of *their
# own* object, and how much of a tag map is a plain ramp, $a x + b y + c$.


# %%
def own_name(tags, ids):
    """Share of object pixels whose tag is nearest to the mean of their own object."""
    names = [n for n in ids.unique().tolist() if n not in (0, 255)]
    means = torch.stack([tags[ids == n].mean() for n in names])
    inside = torch.isin(ids, torch.tensor(names))
    nearest = (tags[inside][:, None] - means).abs().argmin(1)
    return (torch.tensor(names)[nearest] == ids[inside]).double().mean().item()


def ramp_share(tags):
    """Share of the variance of a clip's tags that a ramp over the frame explains."""
    y, x = np.indices(tags.shape[1:]) / tags.shape[1]
    ramp = np.stack([x, y, np.ones_like(x)], axis=-1).reshape(-1, 3)
    values = tags.mean(0).numpy().reshape(-1)
    left = values - ramp @ np.linalg.lstsq(ramp, values, rcond=None)[0]
    return 1 - left.var() / values.var()


# %% [markdown]
# ## By hand
#
# Two objects with the tags 0, 0, 1 and 4, 2. Their means are 1/3 and 3, half-way lies 1.67. All three of the
# first are on their own side, and both of the second. Now the last tag is 1 instead of 2: the means are 1/3
# and 2.5, half-way is 1.42, and the 1 goes to the wrong object. Four of five are named rightly.

# %% tags=["nbval-check-output"]
of = torch.tensor([1, 1, 1, 2, 2])
for last in (2.0, 1.0):
    print(round(own_name(torch.tensor([0.0, 0.0, 1.0, 4.0, last]), of), 2))

# %% [markdown]
# ## The picture
#
# Both measures along the training, on the sixteen clips that the network never learnt from. The dashed line
# is the *ruler*: a tag that is nothing but the pixel's row, with no network at all.

# %%
named = {
    number: [own_name(t, c.ids) for t, c in zip(tags, held_out, strict=True)]
    for number, tags in seen.items()
}
ramps = {number: np.mean([ramp_share(t) for t in tags]) for number, tags in seen.items()}
rows = torch.arange(SIDE, dtype=torch.float64)[None, :, None].expand(FRAMES, SIDE, SIDE)
ruler = np.mean([own_name(rows, clip.ids) for clip in held_out])
gaps = {
    number: np.concatenate(
        [
            np.diff(np.sort([t[c.ids == n].mean() for n in c.ids.unique() if n not in (0, 255)]))
            for t, c in zip(tags, held_out, strict=True)
        ]
    )
    for number, tags in seen.items()
}

# %% tags=["fold"]
over = f"{len(gaps[STEPS])} neighbouring pairs of objects of {len(held_out)} held-out videos"
parted = claim(
    "In a minute most neighbours in tag are half a margin apart or more",
    (gaps[STEPS] > 1.5).mean() > 0.5 > (gaps[0] > 1.5).mean(),
    over=over,
)
learnt = claim(
    "More pixels bear their own object's name than before",
    np.mean(named[STEPS]) > np.mean(named[0]) + 0.1,
    over=f"{len(held_out)} held-out videos",
)
a_ramp = claim(
    "What is learnt first is mostly a ramp over the frame",
    max(ramps[number] for number in list(seen)[1:]) > 0.5,
    over=f"{len(held_out)} held-out videos, {len(seen)} moments",
)
no_better = claim(
    "After a minute a network is no more than a little better than a ruler",
    np.mean(named[STEPS]) < ruler + 0.12,
    over=f"{len(held_out)} held-out videos",
)

# %% tags=["fold"]
figure, (left, right) = subplots(1, 2, width=8, height=2.8)
left.plot(list(named), [np.mean(values) for values in named.values()], "o-", label="network")
left.axhline(ruler, color="black", linestyle="--", linewidth=1, label="ruler: the row")
left.set(xlabel="step", ylabel="pixels named rightly", ylim=(0, 1.02))
left.legend(loc="lower right")
right.plot(list(ramps), list(ramps.values()), "o-")
right.set(xlabel="step", ylabel="share of the map that is a ramp", ylim=(0, 1.02))
figure.suptitle(learnt)
show(
    figure,
    alt="""Left: the share of pixels named rightly against steps rises quickly and comes near a dashed
    line, the ruler. Right: the share of the tag maps that a ramp explains, against steps.""",
)

# %% [markdown]
# The easiest way to give different objects different numbers needs no objects: write down *where* you are. A
# ramp over the frame separates whatever lies apart along it, in every video, with hardly any weights. Only
# what a ramp gets wrong is left for the losses to teach, and that takes much longer. <!-- claim: a_ramp,
# no_better -->

# %% [markdown]
# ## Try it
#
# The slider is the step. Above the tag map of the first held-out clip, below the tags of its objects.


# %%
def at_step(figure, number):
    above, below = figure.subplots(2, 1, height_ratios=[2, 1])
    tags, ids = seen[number][0].numpy(), held_out[0].ids.numpy()
    above.imshow(tags[0])
    draw_objects(above, ids[0].astype(np.uint8), numbers=False)
    above.set_axis_off()
    for n in np.unique(ids[(ids > 0) & (ids < 255)]):
        below.hist(tags[ids == n], bins=30, color=colour_of(int(n)), alpha=0.7)
    below.set(yticks=[], xlabel="tag")


# %% tags=["fold"]
explore(
    at_step,
    values=list(seen),
    label="step",
    title="Tags, step by step",
    alt="""Four tag maps with outlined objects, each above a histogram of the objects' tags: nearly
    constant at first, then a ramp, then a ramp with bends where objects are.""",
    size=(1.8, 2.6),
)

# %% [markdown]
# ## The paper does not say
#
# **How many clips a step has** ([D20](../docs/decisions.md)). Here four; one in the `paper` profile.
#
# **How much each term weighs** ([D14](../docs/decisions.md)). Equations (6) and (7) weigh all alike. The toy
# profile weighs pushes 4 and cross-entropy 12, as it does here: a minute is short, and what is worth most
# has to be learnt first.
#
# **Two numbers?** ([D23](../docs/decisions.md)) Change `config.model` to `replace(config.model,
# tag_channels=2)` in a notebook of your own and watch again: the histogram becomes a plane. Lesson
# [09](09_twins.ipynb) says why that helps.

# %% [markdown]
# ## Exercise
#
# **1. Predict** (2 minutes). Look at the tag map after a few steps, before you move the slider to the end.
# What will it look like: `"noise"`, `"ramp"` or `"objects"`?


# %% tags=["exercise"]
def first_map():
    """What a tag map looks like after the first seconds: 'noise', 'ramp' or 'objects'."""
    ### BEGIN SOLUTION
    return "ramp"
    ### END SOLUTION


# %% tags=["check"]
check(first_map, check_first_map)

# %% [markdown]
# **2. Code** (10 minutes). Write the measure of the left curve: of all pixels of objects, the share whose
# tag is nearest to the mean of their own object. Means are over the clip. Background (0) and void (255) are
# no objects.
#
# <details><summary>Hint</summary>A matrix of distances, pixels by objects, and <code>argmin</code>.</details>


# %% tags=["exercise"]
def named_rightly(tags, ids):
    """Two tensors, T x H x W, to a share from 0 to 1, as a float."""
    ### BEGIN SOLUTION
    names = torch.tensor([n for n in ids.unique().tolist() if n not in (0, 255)])
    means = torch.stack([tags[ids == n].mean() for n in names])
    inside = torch.isin(ids, names)
    nearest = (tags[inside][:, None] - means).abs().argmin(1)
    return (names[nearest] == ids[inside]).double().mean().item()
    ### END SOLUTION


# %% tags=["check"]
check(named_rightly, check_own_name)

# %% [markdown]
# **3. Break it** (5 minutes). Return a `LossConfig`, changed from the one you get, under which tags still
# gather but two objects that begin close together never part. Which switches are enough, and why is one of
# the two not?
#
# <details><summary>Hint</summary><code>replace(loss, temper=0.0)</code> switches one term off. Who else pushes?</details>


# %% tags=["exercise"]
def without_push(loss):
    """A LossConfig that gathers tags and parts nobody."""
    ### BEGIN SOLUTION
    return replace(loss, specter=0.0, temper=0.0)
    ### END SOLUTION


# %% tags=["check"]
check(without_push, check_no_push)

# %% [markdown]
# **4. Open.** You have another minute. Spend it: larger frames, more clips a step, longer training, another
# weight, two numbers. *Judge it* by the share named rightly on the held-out clips, with three seeds of each,
# against the ruler. Is your difference larger than that between seeds?

# %% [markdown]
# ## Quiz
#
# <details><summary>1. Before the first step nearly all tags are equal. Where does the first difference come from?</summary>
#
# From the edge of the picture. Convolutions pad with zeros, so random weights already answer a little
# differently at the border, and the push makes the most of any difference. <!-- claim: at_first -->
# </details>
#
# <details><summary>2. The share named rightly is high after seconds. Has the network understood objects?</summary>
#
# A ruler scores about as well. Always compare with the cheapest thing that could do the same. <!-- claim:
# no_better -->
# </details>
#
# <details><summary>3. Why does one look at held-out clips?</summary>
#
# Each training clip is new as well here, so the two hardly differ. With few videos a network learns them by
# heart. <!-- given: every toy video is drawn once -->
# </details>

# %% tags=["fold"]
spread_at_first = np.mean([t.std().item() for t in seen[0]])
spread_at_end = np.mean([t.std().item() for t in seen[STEPS]])
at_first = claim(
    "Tags are nearly equal at first and far apart in the end",
    spread_at_first < 0.2 * spread_at_end,
    over=f"{len(held_out)} held-out videos",
)

# %% [markdown]
# ## In the package
#
# `training.step` is `one_step` with precision, devices and a check for NaN. From the same weights and clips
# both give the same loss.

# %%
clips = next(iter(clip_loader(ClipDataset(videos, config))))[1]
values = []
for take in (lambda *parts: step(*parts)["overall"], one_step):
    torch.manual_seed(SEED)
    fresh = TagVIS(config.model).train()
    values.append(take(fresh, torch.optim.Adam(fresh.parameters()), clips, config))
np.testing.assert_allclose(*values, rtol=1e-4)

# %% [markdown]
# ## Metrics
#
# What the claims rest on, as numbers.

# %% tags=["fold"]
metrics = {
    "named rightly, before": np.mean(named[0]),
    "named rightly, after": np.mean(named[STEPS]),
    "named rightly by a ruler": ruler,
    "neighbours more than half a margin apart": (gaps[STEPS] > 1.5).mean(),
    "share of ramp, most": max(ramps.values()),
    "share of ramp, at the end": ramps[STEPS],
}
record("08", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert np.isfinite(list(metrics.values())).all()

# %% [markdown]
# ## Summary
#
# - A training is a loop of four lines; the losses of lessons 03 to 07 part a network's tags in a
#   minute. <!-- claim: parted, learnt -->
# - The first tag map is a ramp: a place for a name. <!-- claim: a_ramp -->
# - A measure means something beside a baseline; here the baseline is a ruler. <!-- claim: no_better -->
#
# Reference: Kini and Shah, 2022, sections III-E and IV. Karpathy, *A Recipe for Training Neural Networks*,
# 2019, on looking first.

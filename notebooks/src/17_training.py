# %% [markdown]
# # 17 · Training: from noise to tags
#
# **One idea:** the whole method in motion. We start from random weights, train for a few minutes and
# watch the tags of a video that is never trained on part into one heap per object.
#
# Paper: section IV · Time: about 3 minutes on two CPU cores

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - write the training loop of this paper in a dozen lines,
# - read its loss curves: which term falls first, which last, and why,
# - tell what the paper leaves open about its training, and what that changes.
#
# You need: [07](07_tagging_loss.ipynb) for the losses, [16](16_network.ipynb) for the network.
#
# Previous: [16 · the whole network](16_network.ipynb) · Next: [18 · inference](18_inference.ipynb)

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: the network, the losses and the budget of training
SEED = 0  # of the weights and of every clip
DATA = ""  # empty: toy videos; or a DAVIS or YouTube-VIS root to train on
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from tagvis_lite.clips import ClipDataset, clip_loader, make_clip, spread_indices
from tagvis_lite.config import PROFILES
from tagvis_lite.course import COLOURS, check, explore, record, show, subplots
from tagvis_lite.course.checks.lesson_17 import check_training_step
from tagvis_lite.data.find import find_training_data, toy_training_data
from tagvis_lite.inference import predict_clip
from tagvis_lite.losses import overall_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network
from tagvis_lite.training import learning_rate, step, total_steps, train, validate
from tagvis_lite.video import Clip
from tagvis_lite.views.free_tags import draw_frames
from tagvis_lite.views.objects import colour_of

# %% [markdown]
# ## A question
#
# The network starts with random weights, so its tags mean nothing. Two pressures act at every step:
# pull the pixels of an object together, push objects apart.
#
# Write down: *which of the two wins first? Will the tags of the objects part one by one, or all at
# once? And what will the tag map look like half-way: noise, or something smooth?*

# %% [markdown]
# ## The paper
#
# Section IV, in full: clips of 32 frames, made new in every epoch by dropping 1 to 5 consecutive
# frames; random crops, spatial and temporal flips; Adam with a learning rate of $10^{-4}$; 100 epochs
# on a V100; the objective is equation (7). That is all. The `toy` profile keeps the recipe and shrinks
# the rest:
#
# | | `paper` | `toy` |
# |---|---|---|
# | clip | 32 x 224 x 224 | 8 x 64 x 64 |
# | encoder | R(2+1)D-18, Kinetics-400 weights | the same blocks, narrower, random weights |
# | optimiser | Adam, 1e-4, constant | Adam, 1e-3, warm-up and cosine |
# | budget | 100 epochs | 1,800 steps of 4 clips; in this lesson 240 |
#
# The second difference in each row is ours and is listed in
# [the decisions](../docs/decisions.md).

# %%
steps = {"toy": 240, "smoke": 4}.get(PROFILE)
config = PROFILES[PROFILE]
config = replace(config, train=replace(config.train, steps=steps, seed=SEED))
device = "cuda" if torch.cuda.is_available() else "cpu"

# %% [markdown]
# ## In code
#
# First the data. Each toy video is drawn once and seen once, so what the network learns cannot be
# learnt by heart.

# %%
if DATA:
    data = find_training_data(Path(DATA))
else:
    number = (config.train.steps or 1) * config.train.batch_size
    data = toy_training_data(number, 16, config.data.clip_frames)
config = replace(config, model=replace(config.model, num_classes=data.num_classes))
total = total_steps(config.train, len(data.train))

# %% [markdown]
# `ClipDataset` gives one augmented clip of each video in every epoch
# ([lesson 10](10_clips.ipynb)), in an order drawn from the seed; `clip_loader` makes batches of them,
# each with the numbers of its clips in the run.


# %%
def batches(videos, config):
    """The clips of one step after the other, without end."""
    for _numbers, clips in clip_loader(ClipDataset(videos, config)):
        yield clips


# %% [markdown]
# One step, as the package has it; gradients are clipped in the toy profile, where the learning rate is
# high:
#
# ```python
# optimizer.zero_grad()
# part = to_device(clip, config.data, device)           # bytes become normalised floats
# losses = overall_loss(network(part.frames), part, config.loss)
# losses.overall.backward()                             # equation (7)
# clip_grad_norm_(network.parameters(), config.train.clip_gradient)
# optimizer.step()
# ```
#
# `tagvis_lite.training.step` is these lines, with what several devices and 16-bit numbers need between
# them. `tagvis train` calls it, and so do we.


# %%
def train_step(network, optimizer, clip, config, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate
    return step(network, optimizer, clip, config)


# %% [markdown]
# And the loop. Five times we stop and keep what the network says about one held-out video, the
# *probe*.

# %%
probe = data.validation[3 % len(data.validation)]
indices = spread_indices(len(probe), config.data.clip_frames)
stride = config.model.label_stride
probe_clip = make_clip(probe, indices, config.data, data.num_classes, label_stride=stride)
torch.manual_seed(SEED)
network = TagVIS(replace(config.model, pretrained=False)).to(device)
network = network.to(memory_format=torch.channels_last_3d)
optimizer = torch.optim.Adam(network.parameters(), lr=config.train.learning_rate)

# %%
history, snapshots = [], {0: predict_clip(network, probe_clip.frames)}
stops = {max(1, round(share * total)) for share in (0.08, 0.25, 0.5, 1.0)}
source = batches(data.train, config)
network.train()
for number in range(1, total + 1):
    rate = learning_rate(config.train, number, total)
    history.append(train_step(network, optimizer, next(source), config, rate))
    if number in stops:
        snapshots[number] = predict_clip(network, probe_clip.frames)

# %% tags=["fold"]
assert len(history) == total
assert all(np.isfinite(list(terms.values())).all() for terms in history)
assert snapshots[0].tags.shape == probe_clip.ids.shape

# %% [markdown]
# ## By hand
#
# *How many steps is '100 epochs'?* DAVIS'19 has 60 training videos. One clip per video and epoch, one
# clip per step, makes 60 steps an epoch and 6,000 in all. With 4 clips a step it would be 15 an epoch
# and 1,500. The paper does not give the batch size.
#
# *What is the learning rate at step 90 of the toy profile's 1,800?* The warm-up takes a tenth, 180
# steps, so half-way it is half of 1e-3. At the end of the cosine it is zero.

# %% tags=["nbval-check-output"]
paper, toy = PROFILES["paper"].train, PROFILES["toy"].train
print("steps of the paper profile on 60 videos:", total_steps(paper, 60))
print("with 4 clips a step:", total_steps(replace(paper, batch_size=4), 60))
print("toy learning rate at step 90:", learning_rate(toy, 90, 1800))
print("and at the last:", learning_rate(toy, 1800, 1800))

# %% [markdown]
# ## The picture
#
# First the loss terms, unweighted, smoothed over 20 steps.


# %% tags=["fold"]
def smooth(values, width=20):
    width = min(width, len(values))
    return np.convolve(values, np.ones(width) / width, mode="valid")


figure, axis = subplots(width=7, height=3)
for colour, name in zip(COLOURS, list(history[0])[:5], strict=False):
    axis.plot(smooth([terms[name] for terms in history]), color=colour, label=f"L_{name}")
axis.set(xlabel="step", ylabel="loss term, not weighted", yscale="log")
axis.set_title("Separation comes first and is paid for with spread, which falls later")
axis.legend(ncols=2)
show(
    figure,
    alt="""Five loss terms against training steps on a logarithmic axis. Specter and temper, which
    separate instances, fall at once; spectra and tempra rise from near zero and then fall slowly;
    cross-entropy falls steadily.""",
)

# %% [markdown]
# The hinges are at their worst at the start, and they fall first: **separation wins first**. Tags spread out in
# order to get two means apart, and the spread within each object rises with it. Only then does the network
# learn which pixels belong together. (The first point of each curve is a mean over the first steps. The tag map
# of step 0 below is nearly constant because batch norm in evaluation mode has seen nothing yet; in training
# mode the same random weights already spread the tags.)
#
# The same story in the tags of the probe: the tag map of one frame above, and below the histogram of
# the tags, coloured by the *true* instance.

# %% tags=["fold"]
ids = probe_clip.ids.numpy()
objects = [n for n in np.unique(ids) if n not in (0, 255)]
middle = len(ids) // 2
figure, axes = subplots(2, len(snapshots), width=9, height=3.6, squeeze=False)
for column, (number, prediction) in enumerate(snapshots.items()):
    tags = prediction.tags.cpu().numpy()
    inside = tags[ids > 0]
    axes[0, column].imshow(tags[middle], cmap="viridis")
    axes[0, column].set_axis_off()
    axes[0, column].set_title(f"step {number}")
    bins = np.linspace(inside.min(), inside.max(), 40)
    groups = [tags[ids == n] for n in objects]
    axes[1, column].hist(groups, bins=bins, stacked=True, color=[colour_of(n) for n in objects])
    axes[1, column].set(xlabel="tag", yticks=[])
axes[1, 0].set_ylabel("pixels")
figure.suptitle("First a ramp over the frame, then one heap for each object")
show(
    figure,
    alt="""Tag map of a held-out frame and histogram of its tags at five moments of training. The
    map turns from near constant to a smooth ramp and then to blurred patches where the objects are;
    the histogram from one narrow heap to a broad mixture and then to heaps of one colour.""",
)

# %% [markdown]
# Half-way the tag map is neither noise nor objects: it is **smooth**, a ramp over the frame. Position is a
# cheap way to give different objects different tags. A ramp is not a stage that passes: the tags of the shipped
# network, after far more steps, still follow the place of an object, bent into patches where objects are.
# This probe, three objects side by side, is an easy case. The chessboard of the first panel is the tag
# generator's own pattern (lesson [13](13_tags.ipynb)).

# %% [markdown]
# ## Try it
#
# The same moments, tags against frames: dots are pixels, lines the mean $h_{nt}$ of each true instance.


# %% tags=["fold"]
def tracks_at(figure, step):
    axis = figure.subplots()
    flat_ids = probe_clip.ids.flatten(1).numpy()
    flat_tags = snapshots[step].tags.cpu().flatten(1).numpy()
    some = np.random.default_rng(0).permutation(flat_ids.shape[1])[:300]
    draw_frames(axis, flat_tags[:, some], np.where(flat_ids == 255, 0, flat_ids)[:, some])


explore(
    tracks_at,
    values=list(snapshots),
    label="step",
    title="The bands narrow and move apart, in all frames at once",
    alt="""Tags of the probe's pixels against frames at four moments of training: one thin band of
    all colours, then broad overlapping bands, then bands of single colours that lie apart.""",
)

# %% [markdown]
# ## The paper does not say
#
# **Batch size and schedule** ([D20](../docs/decisions.md)). One clip
# per step is our starting point for `paper`; nothing in the text speaks for or against. For `toy` two
# clips a step instead of four were tried once, at as many *steps*, so with half of the clips: no evidence about
# the size of a batch ([what was tried](../docs/decisions.md)).
#
# **Balance of the terms** ([D14](../docs/decisions.md)). Equations (6) and (7) give every term the
# weight 1. Which one then steers the shared features? Let us ask the gradients at the features $q_t$,
# for this lesson's network as it is now:


# %%
def gradient_norm(name):
    """Norm of the gradient of one loss term at the shared features q_t."""
    q = []
    hook = network.bottleneck.register_forward_hook(lambda _module, _inputs, out: q.append(out))
    prediction = network(probe_clip.frames[None].to(device))
    hook.remove()
    losses = overall_loss(prediction, Clip.collate([probe_clip]), config.loss)
    (gradient,) = torch.autograd.grad(getattr(losses, name), q)
    return gradient.norm().item()


names = ("spectra", "specter", "tempra", "temper", "cross_entropy")
norms = {name: gradient_norm(name) for name in names}

# %% tags=["fold"]
figure, axis = subplots(width=6, height=2.4)
weights = [getattr(config.loss, name) for name in norms]
places = np.arange(len(norms))
plain, weighted = np.array(list(norms.values())), np.array(list(norms.values())) * weights
axis.bar(places - 0.2, plain, 0.4, color=COLOURS[0], label="weight 1, as printed")
axis.bar(places + 0.2, weighted, 0.4, color=COLOURS[1], label=f"weights of the {PROFILE} profile")
axis.set_xticks(places, [f"L_{name}" for name in norms])
axis.set(ylabel="gradient norm at q_t", yscale="log", ylim=(None, 3 * weighted.max()))
axis.set_title("With weights of 1 the tag terms drown cross-entropy")
axis.legend(loc="upper center", ncols=2)
show(
    figure,
    alt="""Gradient norms of the five loss terms at the shared features, on a logarithmic axis, once
    with all weights at 1 and once with the weights of the profile.""",
)

# %% [markdown]
# The foreground, and with it every mask, comes from the semantic branch; the toy profile therefore
# weighs cross-entropy up. (The network is still in training mode here, so these five passes also move the running
# statistics of batch norm by the probe, and the score at the end carries that: a small leak. In work of your own call
# `network.eval()` first.) One clip and one network show the balance of gradients, not what it costs; the
# report's rows of weights do ([D14](../docs/decisions.md)); `paper` keeps the printed 1.

# %% [markdown]
# ## Exercise
#
# **One step** (5 minutes). Write a training step for any network: `loss` is a function without arguments
# that runs the network and returns the loss tensor. Return the loss as a plain number.
#
# <details><summary>Hint</summary>Four calls in the right order. Two steps in a row must be two
# independent steps.</details>


# %% tags=["exercise"]
def training_step(network, optimizer, loss):
    """Move the parameters once; return the loss before the step as a float."""
    ### BEGIN SOLUTION
    optimizer.zero_grad()
    value = loss()
    value.backward()
    optimizer.step()
    return value.item()
    ### END SOLUTION


# %% tags=["check"]
check(training_step, check_training_step)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. Why do L_spectra and L_tempra rise while the hinges fall?</summary>
#
# The hinges force tags apart before the network knows which pixels belong together, so spread appears
# within objects too.
# </details>
#
# <details><summary>2. Each toy video is seen once. What would change if there were only 100?</summary>
#
# The training loss would fall further and the held-out J&F would stop early: the network would learn
# the hundred by heart. Our first 8,000 steps on 2,000 videos did just that.
# </details>
#
# <details><summary>3. The loss of a step is NaN. What does the package do, and why not skip it?</summary>
#
# It stops before any parameter has taken part of that step and names the clips. A skipped step hides a
# broken video or a diverging run until the budget is gone.
# </details>

# %% [markdown]
# ## In the package
#
# `tagvis_lite.training.train` is this loop with what a long run needs around it: resume, checkpoints,
# metrics, several devices. Two steps of it, from the same seed, end in the same weights as two steps of
# ours.

# %%
small = PROFILES["smoke"]
small = replace(small, train=replace(small.train, steps=2, validate_every=2, seed=SEED))
few = toy_training_data(4, 1)
torch.manual_seed(SEED)
ours = TagVIS(small.model).to(memory_format=torch.channels_last_3d).train()
ours_optimizer = torch.optim.Adam(ours.parameters(), lr=small.train.learning_rate)
for number, clip in zip((1, 2), batches(few.train, small), strict=False):
    train_step(ours, ours_optimizer, clip, small, learning_rate(small.train, number, 2))

# %%
with tempfile.TemporaryDirectory() as folder:
    fabric = Fabric(accelerator="cpu", devices=1)
    result = train(small, few.train, few.validation, Path(folder) / "run", fabric=fabric)
    theirs, _ = load_network(result.weights)
for (name, a), b in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
    torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5, msg=f"{name} differs")

# %% [markdown]
# ## Metrics
#
# J&F on held-out videos, by the DAVIS protocol ([lesson 19](19_davis.ipynb)), after these few minutes.
# The shipped weights were trained fifty times longer.

# %% tags=["fold"]
scores = validate(network, data.validation, config, device)


def spread_over_gap(prediction):
    """Mean spread within instances over the smallest gap between their means."""
    tags = prediction.tags.cpu().numpy()
    means = np.sort([tags[ids == n].mean() for n in objects])
    return np.mean([tags[ids == n].std() for n in objects]) / np.diff(means).min()


# %% tags=["fold"]
first, last = history[: max(1, len(history) // 10)], history[-max(1, len(history) // 10) :]
metrics = {
    "loss, first tenth": np.mean([terms["overall"] for terms in first]),
    "loss, last tenth": np.mean([terms["overall"] for terms in last]),
    "J&F held out": scores.jf_mean,
}
if len(objects) > 1:  # a probe of the reader's own may show one
    metrics["probe: spread over gap, before"] = spread_over_gap(snapshots[0])
    metrics["probe: spread over gap, after"] = spread_over_gap(snapshots[len(history)])
record("17", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %% tags=["fold"]
assert all(np.isfinite(value) for value in metrics.values())
if PROFILE == "toy" and not DATA:
    assert metrics["loss, last tenth"] < 0.75 * metrics["loss, first tenth"]
    assert metrics["J&F held out"] > 0.2

# %% [markdown]
# ## Summary
#
# - The loop is a dozen lines; what is special about this paper is all in the loss.
# - Separation comes first, by a ramp over the frame; objects come later.
# - The paper gives optimiser, rate and epochs; batch, schedule and balance are open, and they matter.
#
# Reference: Kini and Shah, 2022, section IV.

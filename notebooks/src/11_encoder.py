# %% [markdown]
# # 11 · The encoder: R(2+1)D, with every frame kept
#
# **One idea:** a stride is not a weight. Setting a few strides to 1 turns a network that recognises
# actions into one that describes every frame, and its trained weights still fit.
#
# Paper: section III-A, the encoder Enc of figure 1 · Time: 30 minutes to read, 10 for the exercise; 20 seconds on two
# CPU cores
#
# Below, the whole network; this lesson is its first box, Enc, which turns frames into features $f$.


# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose encoder is measured at the end
SEED = 0  # of the random weights and frames
DATA = ""  # not used in this lesson: shapes do not depend on the picture
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from collections import OrderedDict

import torch
from IPython.display import display
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.video import r2plus1d_18

from tagvis_lite.config import PROFILES
from tagvis_lite.course import COLOURS, check, claim, explore, record, show, subplots
from tagvis_lite.course.checks.lesson_11 import check_keep_time
from tagvis_lite.model.encoder import Encoder
from tagvis_lite.views.diagrams import draw_network

torch.manual_seed(SEED)
config = PROFILES[PROFILE]

# %% tags=["fold"]
display(draw_network(config))

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - build R(2+1)D up to conv_4 from plain convolutions, and count its weights and multiplications,
# - say which strides decide the shape of the features, and set them so that T stays,
# - explain what keeping T costs, and what it takes away.
#
# You need: convolutions, strides and padding. Residual networks help.
#
# Previous: [10 · clips](10_clips.ipynb) · Next: [12 · spatio-temporal attention](12_attention.ipynb)

# %% [markdown]
# ## A question
#
# torchvision has an R(2+1)D network with 18 layers, trained on Kinetics-400 to recognise actions. Show
# it 32 frames of 224 x 224. After its third stage, conv_4, there are **8 x 28 x 28** positions. The
# paper uses the same network up to the same stage and reports **32 x 14 x 14**: four times as many
# frames, and a quarter of the positions in each.
#
# Write down before you go on: *Can both come from the same weights? What has to change, and where?
# What might get worse for it?*

# %% [markdown] tags=["fig-1"]
# ## The paper
#
# Section III-A: the clip is encoded by the 'initial layers till conv_4' of R(2+1)D, pre-trained on
# Kinetics-400. T x H x W becomes T x H/16 x W/16, and with 224 x 224 frames, 14 x 14 with 256
# channels.
#
# | symbol | meaning | shape in the paper |
# |---|---|---|
# | $I_1 \dots I_T$ | RGB frames of the clip | 3 x 32 x 224 x 224 |
# | Enc | stem (conv_1), layer1 (conv_2), layer2 (conv_3), layer3 (conv_4) | |
# | $f_1 \dots f_T$ | features of each frame | 256 x 32 x 14 x 14 |
#
# 'R' is for residual, '(2+1)D' for what it does to a 3-D convolution: it takes it apart into a 2-D
# one over space and a 1-D one over time.

# %% [markdown]
# ## In code
#
# **Step 1: a 3-D convolution in two.** A kernel of 1 x 3 x 3 looks at one frame, then one of 3 x 1 x 1
# looks along time. Between them lie $M$ channels and one more ReLU.


# %%
def factorised(channels_in, channels, middle, space, time):
    """A (2+1)D convolution; `space` and `time` are its strides."""
    return nn.Sequential(
        nn.Conv3d(channels_in, middle, (1, 3, 3), (1, space, space), (0, 1, 1), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(),
        nn.Conv3d(middle, channels, (3, 1, 1), (time, 1, 1), (1, 0, 0), bias=False),
    )


# %% [markdown]
# $M$ is chosen so that the two kernels together have as many weights as the one they replace:
# $9\,C_{in} M + 3\,M C_{out} = 27\,C_{in} C_{out}$, solved for $M$ and rounded down.


# %%
def middle_channels(channels_in, channels):
    return 27 * channels_in * channels // (9 * channels_in + 3 * channels)


# %% [markdown]
# **Step 2: a residual block.** Two such convolutions, and a shortcut around them. Where channels or
# strides change, the shortcut must change too: it is a 1 x 1 x 1 convolution *with the same strides*.
# (torchvision computes $M$ once per block and uses it twice; to load its weights, so do we.)


# %%
class Block(nn.Module):
    def __init__(self, channels_in, channels, space, time):
        super().__init__()
        middle = middle_channels(channels_in, channels)
        first = factorised(channels_in, channels, middle, space, time)
        second = factorised(channels, channels, middle, 1, 1)
        self.conv1 = nn.Sequential(first, nn.BatchNorm3d(channels), nn.ReLU())
        self.conv2 = nn.Sequential(second, nn.BatchNorm3d(channels))
        self.downsample = nn.Identity()
        if (channels_in, space, time) != (channels, 1, 1):
            shortcut = nn.Conv3d(channels_in, channels, 1, (time, space, space), bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm3d(channels))

    def forward(self, features):
        return torch.relu(self.conv2(self.conv1(features)) + self.downsample(features))


# %% [markdown]
# **Step 3: the stem**, which is (2+1)D as well, with a larger kernel in space.


# %%
def stem():
    return nn.Sequential(
        nn.Conv3d(3, 45, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
        nn.BatchNorm3d(45),
        nn.ReLU(),
        nn.Conv3d(45, 64, (3, 1, 1), padding=(1, 0, 0), bias=False),
        nn.BatchNorm3d(64),
        nn.ReLU(),
    )


# %% [markdown]
# **Step 4: stem and three layers of two blocks.** Two switches are left open: `pool`, a pool over space
# after the stem, which torchvision does not have, and `time`, the temporal stride of layer2 and layer3.


# %%
def my_encoder(pool, time):
    stages = {"stem": stem(), "pool": nn.MaxPool3d((1, pool, pool))}
    channels_in = 64
    for number, channels in enumerate((64, 128, 256), start=1):
        strides = (1, 1) if number == 1 else (2, time)
        first = Block(channels_in, channels, *strides)
        stages[f"layer{number}"] = nn.Sequential(first, Block(channels, channels, 1, 1))
        channels_in = channels
    return nn.Sequential(OrderedDict(stages)).eval()


# %% [markdown]
# Is it the real thing? With `pool=1, time=2` it should be torchvision's network, weight for weight.
# We take the weights of one, here random, and load them by name into the other. Names and shapes must
# agree exactly, or `load_state_dict` raises; then the features must agree too.

# %%
torchvision_network = r2plus1d_18(weights=None).eval()
weights = {
    name: value
    for name, value in torchvision_network.state_dict().items()
    if not name.startswith(("layer4.", "fc."))
}
as_torchvision = my_encoder(pool=1, time=2)
_ = as_torchvision.load_state_dict(weights)

# %% [markdown]
# The same eight frames through both:

# %%
small = torch.randn(1, 3, 8, 32, 32)
with torch.no_grad():
    expected = small
    for name in ("stem", "layer1", "layer2", "layer3"):
        expected = getattr(torchvision_network, name)(expected)
    features = as_torchvision(small)
torch.testing.assert_close(features, expected)
print(tuple(features.shape))

# %% [markdown]
# ## By hand
#
# **Weights.** A 3 x 3 x 3 convolution from 64 to 64 channels has $27 \cdot 64 \cdot 64 = 110592$
# weights. In two parts, $M$ channels between: $9 \cdot 64\,M + 3\,M \cdot 64 = 768\,M$. Equal for
# $M = 144$.
#
# **Multiplications.** Each weight is used once per output position, so with stride 1 equal weights
# mean equal work. With stride 2 they do not: the part over space comes first, and it still computes
# *all* frames; only the part over time skips half of them.
#
# **Strides.** $n$ frames, padding 1, kernel 3, stride $s$ give $\lfloor (n - 1)/s \rfloor + 1$. For
# $n = 32$: with $s = 2$ it is 16, with $s = 1$ it is 32.
#
# We let the machine count. Tensors on the device `meta` have a shape and no content, so this is
# instant, at any size.


# %%
def macs(module, *shape):
    """Multiply-accumulates of one forward pass, from shapes alone."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module.to("meta")(torch.empty(shape, device="meta"))
    return counter.get_total_flops() / 2


def weights_of(module):
    return sum(p.numel() for p in module.parameters() if p.ndim == 5)


# %% [markdown]
# A full kernel against the two parts, without a stride and with one:

# %% tags=["nbval-check-output"]
work_ratio = {}
for c_in, c_out, stride in ((64, 64, 1), (64, 128, 2)):
    full = nn.Conv3d(c_in, c_out, 3, stride, 1, bias=False)
    two = factorised(c_in, c_out, middle_channels(c_in, c_out), stride, stride)
    work = [macs(m, 1, c_in, 32, 56, 56) for m in (full, two)]
    work_ratio[stride] = work[1] / work[0]
    print(f"{c_in} to {c_out} channels, stride {stride}:", end=" ")
    print(f"weights {weights_of(full)} and {weights_of(two)}, work x {work_ratio[stride]:.2f}")

# %% [markdown]
# So factorising saves nothing, <!-- claim: no_saving --> neither weights nor work, and with a stride in time it even costs more.
# What it buys is one more ReLU in each convolution and, its authors report, easier training.

# %% tags=["fold"]
no_saving = claim(
    "Factorising saves no work, and with a stride in time it costs more",
    abs(work_ratio[1] - 1) < 0.01 < work_ratio[2] - 1,
    over="2 convolutions",
)

# %% [markdown]
# ## The picture
#
# Walk down the network and note the shape at each stage: the *shape ladder*.


# %%
def ladder(encoder, frames, size):
    """T x h x w after each stage of an encoder, from shapes alone."""
    features = torch.empty(1, 3, frames, size, size, device="meta")
    rungs = {"frames": tuple(features.shape[2:])}
    for name, stage in encoder.to("meta").named_children():
        features = stage(features)
        rungs[name] = tuple(features.shape[2:])
    return rungs


# %% [markdown]
# A bar for each stage: as wide as the map, as thick as there are frames.


# %% tags=["fold"]
def draw_ladder(axis, rungs):
    for k, (frames, height, width) in enumerate(rungs.values()):
        axis.barh(-k, width, frames / 40, left=-width / 2, color=COLOURS[0])
        axis.text(125, -k, f"{frames} × {height} × {width}", va="center", fontsize=8)
    axis.set(xlim=(-115, 245), xticks=[], ylim=(-len(rungs) + 0.4, 0.6))
    axis.set_yticks(range(0, -len(rungs), -1), list(rungs))
    axis.spines[["left", "bottom"]].set_visible(False)


# %% [markdown]
# Three encoders with the same weights. The first is torchvision's. The other two are readings of the
# paper ([D1](../docs/decisions.md)): (a) 224 x 224 frames and a pool, (b) 112 x 112 frames without.

# %%
readings = {
    "torchvision": {"pool": 1, "time": 2, "size": 224},
    "(a) pool, T kept": {"pool": 2, "time": 1, "size": 224},
    "(b) small frames, T kept": {"pool": 1, "time": 1, "size": 112},
}
ladders = {
    name: ladder(my_encoder(r["pool"], r["time"]), 32, r["size"]) for name, r in readings.items()
}
figure, axes = subplots(1, 3, width=9, height=2.9)
for axis, (name, rungs) in zip(axes, ladders.items(), strict=True):
    draw_ladder(axis, rungs)
    axis.set_title(f"{name}:\n{' × '.join(map(str, rungs['layer3']))}")

# %% tags=["fold"]
three = claim(
    "The same weights, and three shapes",
    [rungs["layer3"] for rungs in ladders.values()] == [(8, 28, 28), (32, 14, 14), (32, 14, 14)]
    and len({weights_of(my_encoder(r["pool"], r["time"])) for r in readings.values()}) == 1,
    over="3 readings, which start from frames of 2 sizes",
)
figure.suptitle(three)
show(
    figure,
    alt="""Three ladders of bars for frames, stem, pool and layers 1 to 3. torchvision: from
    32 × 224 × 224 to 8 × 28 × 28, the bars get thinner in layer2 and layer3. Readings (a) and (b) end
    at 32 × 14 × 14 with bars as thick as at the start; (b) starts from 112 × 112.""",
)

# %% [markdown]
# This answers the first part of the question. The same weights give 32 x 14 x 14: set the temporal
# strides of layer2 and layer3 to 1, *in their shortcuts too*, and halve the map once more at the start.
# What gets worse is below.

# %% [markdown]
# ## Try it
#
# Two switches, four networks. Guess the last rung before you move the slider. Only one of the four
# fits the paper.

# %% tags=["fold"]
toggles = {f"pool {pool}, time {time}": (pool, time) for pool in (1, 2) for time in (2, 1)}


last = {name: ladder(my_encoder(*way), 32, 224)["layer3"] for name, way in toggles.items()}
only = claim(
    "From 224 x 224 frames, only pool 2 with time 1 ends at 32 × 14 × 14",
    [name for name, rung in last.items() if rung == (32, 14, 14)] == ["pool 2, time 1"],
    over=f"{len(last)} networks",
)


def toggled(figure, name):
    draw_ladder(figure.subplots(), ladder(my_encoder(*toggles[name]), 32, 224))


explore(
    toggled,
    values=list(toggles),
    label="strides",
    title=only,
    alt="""Four shape ladders, for spatial pool 1 or 2 and temporal stride 2 or 1. Their last rungs
    are 8 × 28 × 28, 32 × 28 × 28, 8 × 14 × 14 and 32 × 14 × 14.""",
    size=(2.25, 2.1),
)

# %% [markdown]
# ## The paper does not say
#
# **Where the missing factor of 2 comes from** ([D1](../docs/decisions.md)) and **what happens to
# temporal strides** ([D2](../docs/decisions.md)). We compare by what one feature can see, its *reach*.
# Take a feature in the middle, send a gradient back, and look where it arrives.


# %% tags=["fold"]
def gradient_along(encoder, axis):
    """Size of the gradient of a central feature along time (2) or height (3) of the frames."""
    shape = [1, 3, 1, 16, 16]
    shape[axis] = 64 if axis == 2 else 256
    frames = torch.randn(shape, requires_grad=True)
    features = encoder(frames)
    features.select(axis, features.shape[axis] // 2).sum().backward()
    return frames.grad.abs().sum([k for k in range(5) if k != axis])


def reach(encoder, axis):
    """From the first to the last frame (or row) that a gradient arrives at."""
    arrived = gradient_along(encoder, axis).nonzero()
    return int(arrived.max() - arrived.min()) + 1


# %% [markdown]
# The three readings, with the same weights, in time and in height:

# %%
encoders = {name: my_encoder(r["pool"], r["time"]) for name, r in readings.items()}
for encoder in encoders.values():
    encoder.load_state_dict(weights)
reaches = {name: [reach(encoder, axis) for axis in (2, 3)] for name, encoder in encoders.items()}

# %% [markdown]
# What they cost, beside what they see:

# %% tags=["nbval-check-output"]
giga_macs = {}
for name, r in readings.items():
    giga_macs[name] = macs(my_encoder(r["pool"], r["time"]), 1, 3, 32, r["size"], r["size"]) / 1e9
    frames, rows = reaches[name]
    share = rows / r["size"]
    print(
        f"{name:<25} {giga_macs[name]:4.0f} GMAC, sees {frames} frames, {share:.0%} of the height"
    )

# %% tags=["fold"]
narrows = claim(
    "Keeping T narrows what a feature sees of its neighbours in time",
    reaches["torchvision"][0] == 53
    and reaches["(a) pool, T kept"][0] == reaches["(b) small frames, T kept"][0] == 27,
    over="the gradient of one feature in each of 3 encoders, random weights",
)
offsets = torch.arange(64) - 32
figure, axis = subplots(width=7, height=2.6)
for name in ("torchvision", "(a) pool, T kept"):
    arrived = gradient_along(encoders[name], 2)
    axis.plot(offsets, arrived / arrived.sum(), marker=".", label=name)
axis.legend()
axis.set(xlabel="frame, counted from the feature's own", ylabel="share of the gradient")
axis.set_title(narrows)
show(
    figure,
    alt="""Gradient of one feature of layer3 against the frames of the clip. With T kept it is a narrow
    peak within 13 frames on either side; with torchvision's temporal strides it is wider and reaches
    26 frames on either side.""",
)

# %% [markdown]
# Three things to take from it.
#
# - *(a) or (b)* hardly matters to the encoder. The maps from layer1 on are the same, 56, 28 and 14, the
#   very sizes that Kinetics training had at 112 x 112. The work differs by the stem alone, and a feature
#   sees about the same share of the frame. What differs is the input, and so the tags: at half the
#   resolution of the frames in (a), at full resolution in (b). We take (a): it alone meets every
#   printed number, H/16 among them.
# - *Keeping T* fits the weights, but not what they were trained on. A kernel of layer3 learnt to compare
#   features 2 or 4 frames apart and now compares neighbours: <!-- claim: narrows --> 27 frames of reach instead of 53. Spatio-temporal
#   attention, the next lesson, asks all frames, though in the paper's words its values come from one.
# - *Which scores higher* is not shown here. It takes the Kinetics weights and a training on real video,
#   and we have not run that.

# %% [markdown]
# ## Exercise
#
# **Fix the strides** (8 minutes). You are given torchvision's `r2plus1d_18`. Change it in place so that
# every frame is kept up to layer3. Leave the strides in space as they are, and leave every weight where
# it is.
#
# <details><summary>Hint</summary>The stride of a convolution is an attribute that you can set:
# <code>convolution.stride = (1, 2, 2)</code>. Time comes first.</details>
# <details><summary>Hint</summary><code>network.modules()</code> walks through everything, shortcuts
# included.</details>


# %% tags=["exercise"]
def keep_time(network):
    """Set the temporal strides of torchvision's r2plus1d_18 to 1, in place."""
    ### BEGIN SOLUTION
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.stride = (1, *module.stride[1:])
    ### END SOLUTION


# %% tags=["check"]
check(keep_time, check_keep_time)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. You set the temporal strides to 1 everywhere but in the shortcut of layer2. What
# happens?</summary>
#
# The block adds 32 frames to 16 and PyTorch raises an error. That is the lucky case. With one frame in
# the shortcut it would broadcast silently. <!-- claim: lucky -->
# </details>
#
# <details><summary>2. Does keeping T cost more work?</summary>
#
# Yes. In layer2 there are twice as many frames and in layer3 four times as many. Reading (a) keeps the
# bill in check: its pool cuts every map to a quarter. <!-- claim: dearer -->
# </details>
#
# <details><summary>3. Why not reach the stride of 16 by going on to conv_5?</summary>
#
# It would fit H/16 = 14 for 224 x 224 frames without a pool. But conv_5 has 512 channels, and the paper
# says conv_4 and 256. <!-- given: section III-A -->
# </details>

# %% tags=["fold"]
forgotten = my_encoder(pool=1, time=1)
forgotten.layer2[0].downsample[0].stride = (2, 2, 2)
try:
    forgotten(torch.randn(1, 3, 8, 32, 32))
    raised = False
except RuntimeError:
    raised = True
lucky = claim(
    "A forgotten shortcut raises, but for two frames, where it broadcasts",
    raised and forgotten(torch.randn(1, 3, 2, 32, 32)).shape[2] == 2,
    over="clips of 8 and of 2 frames",
)
kept, dropped = (macs(my_encoder(1, time), 1, 3, 32, 112, 112) for time in (1, 2))
dearer = claim(
    "Keeping T costs more work, and the pool pays for it",
    kept > 1.3 * dropped and giga_macs["(a) pool, T kept"] < giga_macs["torchvision"],
    over="3 encoders, counted",
)

# %% [markdown]
# ## In the package
#
# `tagvis_lite.model.encoder.Encoder` is built from torchvision's own blocks and has the same two
# changes. The same state dict goes in, and the same features come out as from ours:

# %%
package_encoder = Encoder().eval()
package_encoder.load_kinetics(torchvision_network.state_dict())
with torch.no_grad():
    ours = encoders["(a) pool, T kept"](small)
    theirs = package_encoder(small)
torch.testing.assert_close(theirs, ours)

# %% tags=["fold"]
fits = claim(
    "torchvision's weights load into an encoder that keeps every frame",
    ours.shape == (1, 256, 8, 2, 2)
    and {k: v.shape for k, v in package_encoder.state_dict().items()}
    == {k: v.shape for k, v in weights.items()},
    over=f"{len(weights)} tensors, 8 frames",
)

# %% [markdown]
# All widths and strides are options. This is the ladder of the profile this lesson runs with:

# %%
model, data = config.model, config.data
with torch.device("meta"):
    profile_encoder = Encoder(model.widths, model.blocks, model.spatial_strides).eval()
profile_ladder = ladder(profile_encoder, data.clip_frames, data.size[0])
for name, rung in profile_ladder.items():
    print(f"{name:<8} {' x '.join(map(str, rung))}")

# %% [markdown]
# ## Metrics
#
# What this lesson measures, as numbers, and every claim above with what it rests on.

# %% tags=["fold", "nbval-check-output"]
metrics = {
    "million weights": weights_of(package_encoder) / 1e6,
    "T after layer3": ladders["(a) pool, T kept"]["layer3"][0],
    "h after layer3": ladders["(a) pool, T kept"]["layer3"][1],
    "GMAC (a)": giga_macs["(a) pool, T kept"],
    "GMAC torchvision": giga_macs["torchvision"],
    "reach in time, T kept": reaches["(a) pool, T kept"][0],
    "reach in time, torchvision": reaches["torchvision"][0],
}
record("11", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %% tags=["fold"]
assert profile_ladder["layer3"][0] == data.clip_frames, "every profile keeps T"

# %% [markdown]
# ## Summary
#
# - R(2+1)D takes a 3-D convolution apart into space and time, with as many weights as before. <!-- claim: no_saving -->
# - Strides are not weights: set those in time to 1, shortcuts included, and torchvision's Kinetics-400
#   weights load into an encoder that keeps every frame. <!-- claim: fits, lucky -->
# - The price is reach: 27 frames instead of 53. And a pool after the stem gives the printed 14 x 14. <!-- claim: narrows, only -->
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, section III-A. R(2+1)D is from Tran et al., *A Closer Look at Spatiotemporal
# Convolutions for Action Recognition*, 2018.

# %% [markdown]
# # 13 · Bottleneck and tag generator: from 14 to 7 to 112
#
# **One idea:** squeeze the features of a clip through a small map, then unfold them into one number per
# pixel, its *tag*.
#
# Paper: section III-A · Time: 30 minutes to read, 25 for the exercises; 20 seconds on two CPU cores
#
# Press play: a clip that the shipped network never saw, and the number that it writes on each pixel, as a shade.

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose bottleneck and generator are compared
SEED = 0  # of the weights built here
DATA = ""  # empty: a toy video; or a video, a folder of frames, a DAVIS or YouTube-VIS root
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import numpy as np
import torch
from torch import nn

from tagvis_lite.clips import make_clip, spread_indices
from tagvis_lite.config import PROFILES
from tagvis_lite.course import COLOURS, check, claim, explore, lesson_video, record, show, subplots
from tagvis_lite.course.checks.lesson_13 import check_bilinear, check_pattern, check_stamps
from tagvis_lite.data.toy import CATEGORIES
from tagvis_lite.inference import predict_clip
from tagvis_lite.model.network import Bottleneck, TagGenerator
from tagvis_lite.runs import load_network, shipped
from tagvis_lite.study.oracles import nearest_true_mean
from tagvis_lite.views import TagSpace, play
from tagvis_lite.views.figures import tag_pictures

torch.manual_seed(SEED)
config = PROFILES[PROFILE].model

# %% tags=["fold"]
network, trained = load_network(shipped("checkpoints/toy.safetensors"))
video = lesson_video(DATA, 0 if DATA else 1)
indices = spread_indices(len(video), trained.data.clip_frames)
stride = trained.model.label_stride
clip = make_clip(video, indices, trained.data, trained.model.num_classes, label_stride=stride)
prediction = predict_clip(network, clip.frames)
tags = prediction.tags.numpy()
ids = clip.ids.numpy()
assert tags.shape == ids.shape
frames = video.read_frames(indices.tolist())
play(
    {"frames": frames, "tags": tag_pictures(tags, np.full(ids.shape, 1, np.uint8))},
    title="Frames and their tags",
    alt="""A clip of moving shapes, and its tag map: every shape in nearly one shade, which stays while
    it moves, over a background that is a slow ramp.""",
)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - compute the size that a transposed convolution gives, and choose its padding,
# - say where checkerboards come from, and what the size of a kernel can and cannot do about them,
# - read a tag map and a tag histogram.
#
# You need: convolutions with stride and padding; the features $u_t$ of
# [lesson 12](12_attention.ipynb).
#
# Previous: [12 · spatio-temporal attention](12_attention.ipynb) ·
# Next: [14 · tag-based attention](14_tag_attention.ipynb)

# %% [markdown]
# ## A question
#
# The features of a frame are a map of 14 x 14. Tags are wanted on a map of 112 x 112, eight times as fine
# on each side. A transposed convolution ('deconvolution') writes, for each input pixel, a stamp the size of
# its kernel into the output, and neighbouring stamps lie one stride apart.
#
# Write down before you go on: *with a stride of 4, how large should the stamp be? What will the output look
# like if it is 4, 6 or 8 wide, for an input that is the same everywhere?*

# %% [markdown]
# ## The paper
#
# Section III-A gives sizes, and nothing else:
#
# | what | size per frame | channels |
# |---|---|---|
# | $u_t$, from attention | 14 x 14 | 258 |
# | 'compressed in the next layer' | 7 x 7 | 512 |
# | $q_t$, 'first deconvolution' | 14 x 14 | 256 |
# | $p_t$, 'two-layered tag generator' | 112 x 112 | 1 |
#
# $p_t$ holds the tags: one real number $h'_{nm}$ per pixel, the quantity that all losses of lessons 03 to
# 07 are about. A tag is no probability and no class. It is a *name*: pixels with equal names are the same
# object.

# %% [markdown]
# ## In code
#
# The bottleneck halves height and width, and keeps time: stride (1, 2, 2). The first deconvolution doubles
# them again. Everything in between has seen a 3 x 3 x 3 neighbourhood of a coarse map, so it knows a good
# part of the frame.


# %%
def bottleneck(channels_in, narrow, channels):
    """u_t to q_t: B x channels_in x T x h x w to B x channels x T x h x w."""
    return nn.Sequential(
        nn.Conv3d(channels_in, narrow, 3, stride=(1, 2, 2), padding=1, bias=False),
        nn.BatchNorm3d(narrow),
        nn.ReLU(),
        nn.ConvTranspose3d(narrow, channels, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1)),
        nn.BatchNorm3d(channels),
        nn.ReLU(),
    )


# %% [markdown]
# The tag generator: scale 4, then scale 2, then there is one channel left. No activation at the end: tags
# may be any number.


# %%
def generator(channels, head, scales=(4, 2)):
    """q_t to p_t: B x channels x T x h x w to B x 1 x T x 8h x 8w."""

    def deconvolution(wide, narrow, scale):
        size = {"kernel_size": (1, 2 * scale, 2 * scale), "stride": (1, scale, scale)}
        return nn.ConvTranspose3d(wide, narrow, **size, padding=(0, scale // 2, scale // 2))

    first, second = scales
    return nn.Sequential(
        deconvolution(channels, head, first),
        nn.BatchNorm3d(head),
        nn.ReLU(),
        deconvolution(head, 1, second),
    )


# %% [markdown]
# The shapes of the paper, on the *meta* device: shapes without numbers, so that 32 frames cost nothing.

# %%
with torch.device("meta"):
    u = torch.empty(1, 258, 32, 14, 14)
    squeeze, unfold = bottleneck(258, 512, 256), generator(256, 64)
    seven, q = squeeze[0](u), squeeze(u)
    p = unfold(q)
ladder = {"u": u.shape, "compressed": seven.shape, "q": q.shape, "p": p.shape}
assert [tuple(shape[1:]) for shape in ladder.values()] == [
    (258, 32, 14, 14),
    (512, 32, 7, 7),
    (256, 32, 14, 14),
    (1, 32, 112, 112),
]

# %% [markdown]
# ## By hand
#
# A transposed convolution of one dimension, stride 2, on the input **1, 2, 3** with the kernel (1, 1, 1):
# stamps of width 3 begin at 0, 2 and 4 and are added up.
#
# | | 0 | 1 | 2 | 3 | 4 | 5 | 6 |
# |---|---|---|---|---|---|---|---|
# | from 1 | 1 | 1 | 1 | | | | |
# | from 2 | | | 2 | 2 | 2 | | |
# | from 3 | | | | | 3 | 3 | 3 |
# | sum | **1** | **1** | **3** | **2** | **5** | **3** | **3** |
#
# Seven numbers: $(3 - 1)\cdot 2 + 3$. Padding 1 cuts one off at each end and leaves five. In general
#
# $$\text{out} = (\text{in} - 1)\cdot\text{stride} - 2\cdot\text{padding} + \text{kernel}.$$

# %% tags=["nbval-check-output"]
layer = nn.ConvTranspose1d(1, 1, kernel_size=3, stride=2, bias=False)
nn.init.ones_(layer.weight)
print(layer(torch.tensor([[[1.0, 2.0, 3.0]]])).int().flatten().tolist())

# %% [markdown]
# Note the sum in the overlaps: position 2 got two stamps, position 1 only one. That is the checkerboard.

# %% [markdown]
# ## The picture
#
# First the answer to the question: the response of a stride-4 deconvolution with a kernel of ones to an
# input of ones. How many stamps does each output pixel get?


# %%
def stamps(kernel, stride=4, size=8):
    """How many kernel positions write to each output pixel, away from the border."""
    layer = nn.ConvTranspose1d(1, 1, kernel, stride, bias=False)
    nn.init.ones_(layer.weight)
    out = layer(torch.ones(1, 1, size)).detach().flatten()
    return out[kernel : len(out) - kernel]


# %% tags=["fold"]
figure, axes = subplots(1, 3, width=8, height=2.2, sharey=True)
for axis, kernel in zip(axes, (4, 6, 8), strict=True):
    axis.bar(range(len(stamps(kernel))), stamps(kernel), color=COLOURS[0])
    axis.set(xlabel="output pixel", title=f"kernel {kernel}", yticks=[0, 1, 2])
axes[0].set_ylabel("stamps")
show(
    figure,
    alt="""Number of stamps per output pixel for kernels of 4, 6 and 8 at stride 4. Kernels 4 and 8
    give the same number everywhere, 1 and 2; kernel 6 alternates between 1 and 2.""",
)

# %% [markdown]
# A kernel of 6 writes stripes into every output, in two dimensions a checkerboard, before it has learned anything. Kernels of 4 and 8 give
# every output as many stamps; that much counting can promise. But a stamp of a network is not all ones, and equal *numbers*
# of stamps are not equal *sums* of weights. So once more in two dimensions, input all ones, 64 channels: how much do the
# outputs differ, as a share of their size? For random weights of several sizes; for the two ways to draw larger without a
# pattern, the nearest pixel or a bilinear one with a plain convolution behind it; and for the trained generator.


# %%
def pattern(layer, channels=64):
    """Spread of the outputs to a constant input, away from the border, over their mean size."""
    out = layer(torch.ones(1, channels, 1, 12, 12))[0, 0, 0]
    inside = out[16:-16, 16:-16]
    return (inside.std() / inside.abs().mean()).item()


def stamped(kernel):
    return nn.ConvTranspose3d(64, 1, (1, kernel, kernel), (1, 4, 4), bias=False)


def resized(mode):
    enlarge = nn.Upsample(scale_factor=(1, 4, 4), mode=mode)
    return nn.Sequential(enlarge, nn.Conv3d(64, 1, (1, 3, 3), padding=(0, 1, 1)))


# %% [markdown]
# Eight draws of each, and the trained generator on features that are the same everywhere:

# %%
with torch.no_grad():
    patterns = {f"stamps of {k}": [pattern(stamped(k)) for _ in range(8)] for k in (4, 6, 8)}
    patterns["nearest, conv"] = [pattern(resized("nearest")) for _ in range(8)]
    patterns["bilinear, conv"] = [pattern(resized("trilinear")) for _ in range(8)]
    even = torch.ones(1, trained.model.feature_channels, 1, 16, 16)
    written = network.tag_generator(even)[..., 32:-32, 32:-32]
print({name: f"{np.median(values):.2f}" for name, values in patterns.items()})
print(f"trained generator, even features: tags {written.min():.1f} to {written.max():.1f}")

# %% tags=["fold"]
any_size = claim(
    "Random stamps of every size leave a pattern",
    min(min(patterns[f"stamps of {k}"]) for k in (4, 6, 8)) > 0.1,
    over="8 draws of each of 3 sizes",
)
none = claim(
    "To enlarge first and convolve then leaves none",
    max(patterns["nearest, conv"] + patterns["bilinear, conv"]) < 1e-3,
    over="8 draws of each of 2 kinds",
)
figure, axis = subplots(width=6.5, height=2.4)
for k, values in enumerate(patterns.values()):
    axis.plot([k] * len(values), values, "o", color=COLOURS[k], alpha=0.6)
axis.set_xticks(range(len(patterns)), list(patterns))
axis.set(ylabel="spread over size", ylim=(-0.05, None))
axis.set_title(any_size)
show(
    figure,
    alt="""Dots for eight random draws each: deconvolutions with kernels of 4, 6 and 8 have outputs that
    differ by about their own size; enlarging and then convolving gives outputs that are all equal.""",
)

# %% [markdown]
# So 'kernel twice the stride' removes the uneven count, not the pattern; only training, another start or another way to enlarge does.
# We keep deconvolutions, since the paper names them, with kernels of **twice the stride**, so that neighbouring
# stamps overlap. <!-- claim: any_size, none -->
#
# Now the real tags of the clip above, with the ladder of sizes that leads to them.

# %% tags=["fold"]
figure, (ladder_axis, map_axis, histogram) = subplots(1, 3, width=9, height=2.9)
sides = [shape[-1] for shape in ladder.values()]
ladder_axis.plot(sides, "o-", color=COLOURS[0])
for k, shape in enumerate(ladder.values()):
    place = "right" if k == 2 else "center"
    text = f"{shape[-1]}² x {shape[1]}"
    ladder_axis.annotate(text, (k, shape[-1] + 5), ha=place, fontsize=8)
ladder_axis.set_xticks(range(4), ["u", "compr.", "q", "tags p"])
ladder_axis.set(ylabel="pixels a side", xlim=(-0.6, 3.6), ylim=(0, 132))
_ = ladder_axis.set_title("sizes in the paper")

# %% tags=["fold"]
image = map_axis.imshow(tags[0], cmap="viridis")
map_axis.set(xticks=[], yticks=[], title="tags of a frame")
figure.colorbar(image, ax=map_axis, label="tag", shrink=0.8)
labelled = [n for n in np.unique(ids) if n not in (0, 255)]
for n in labelled or [0, 255]:
    label = f"object {n}" if labelled else "no truth given"
    histogram.hist(tags[ids == n], bins=60, color=COLOURS[(n - 1) % 7], alpha=0.7, label=label)
histogram.set(xlabel="tag", ylabel="pixels of the clip")
histogram.legend()
histogram.set_title("tags by true object")
show(
    figure,
    alt="""Left: side of the feature map from 14 to 7 to 14 to 112 with channels 258, 512, 256, 1.
    Middle: tag map of a toy frame, each object in its own shade. Right: histogram of the tags of the
    clip's object pixels, a heap for each true object.""",
)

# %% [markdown]
# The heaps are coloured by the *true* objects, which the network does not know. They need not be narrow or smooth: what counts is that
# a pixel is nearer to the heap of its own object than to any other. To find the objects is to find the heaps; that is
# [lesson 18](18_inference.ipynb).

# %%
known = (ids > 0) & (ids < 255)
own = (nearest_true_mean(tags, known, ids) == ids)[known].mean() if known.any() else np.nan

# %% tags=["fold"]
heaps = "No label maps: not known"
if known.any():
    heaps = claim(
        "Most object pixels are nearest to their own object's tag",
        own > 0.8,
        over=f"{known.sum()} pixels of {len(labelled)} objects",
    )

# %% [markdown]
# ## Try it
#
# Run the histogram backwards. Point at a heap, or focus the histogram and use the arrow keys: the pixels
# whose tags lie there light up, most of them of one object. Then point at a pixel and move through the frames:
# the places of an object change, its level in the tags of all frames does not. (Threshold and bandwidth are
# those of [lesson 18](18_inference.ipynb).)

# %% tags=["fold"]
TagSpace(
    frames,
    prediction,
    trained.inference,
    title=heaps,
    alt="""Four panels of a toy clip: a frame with its objects in colour, its map of tags, a histogram
    of its tags with a heap for each object, and tags against frames, nearly level lines.""",
    categories=None if DATA else CATEGORIES,
)

# %% [markdown]
# And the same tags under three ranges: as they are, through a sigmoid, and stretched to [0, 1] for display.

# %%
ranges = {
    "unbounded": lambda x: x,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "stretched to [0, 1]": lambda x: (x - tags.min()) / (tags.max() - tags.min()),
}


# %% tags=["fold"]
def in_range(figure, name):
    axis = figure.subplots()
    for n in labelled or [0, 255]:
        axis.hist(ranges[name](tags[ids == n]), bins=40, color=COLOURS[(n - 1) % 7], alpha=0.7)
    axis.set(xlabel="tag", yticks=[])


# %% tags=["fold"]
explore(
    in_range,
    values=list(ranges),
    label="range",
    title="Three ranges",
    alt="""Histogram of the tags by object in three ranges. Unbounded and stretched show the same
    separate heaps; through a sigmoid, heaps are pressed against 0 and 1.""",
    shown=3,
    size=(2.8, 2.2),
)

# %% [markdown]
# ## The paper does not say
#
# **Which range** ([D8](../docs/decisions.md)). 'Any value between 0 and 1' can be a sigmoid, as above. It
# was not trained for it, so the picture is unfair; [lesson 05](05_specter.ipynb) trains with it and shows
# that a margin of 3 makes it impossible. Our default is unbounded, and [0, 1] is a matter of display.
#
# **Which scales** ([D7](../docs/decisions.md)). 8 = 4 x 2 or 2 x 4? Both give 112. What do they cost?


# %%
def cost(scales, channels=256, head=64, size=14):
    """Parameters, and multiply-adds per frame, of the two deconvolutions."""
    parameters = multiply_adds = 0
    for wide, narrow, scale in zip((channels, head), (head, 1), scales, strict=True):
        weights = wide * narrow * (2 * scale) ** 2
        parameters += weights + narrow
        multiply_adds += weights * size**2
        size *= scale
    return parameters, multiply_adds


# %% [markdown]
# Counted for both orders:

# %% tags=["nbval-check-output"]
for scales in [(4, 2), (2, 4)]:
    parameters, multiply_adds = cost(scales)
    print(
        f"{scales}: {parameters / 1e3:.0f} k parameters, {multiply_adds / 1e6:.0f} M multiply-adds"
    )
real = sum(p.numel() for layer in (unfold[0], unfold[3]) for p in layer.parameters())
assert real == cost((4, 2))[0]

# %% [markdown]
# Scale 4 first costs four times as much, where there are 256 channels to choose from; scale 2 first decides
# on the fine detail with what one layer of 64 channels left over. `paper` takes (4, 2), `toy` the cheap
# (2, 4). Which of them scores higher is not measured yet.
#
# **How to compress** ([D6](../docs/decisions.md)). A strided convolution, a pool: any of them gives 7 x 7.
# We take one 3 x 3 x 3 convolution, so that time is mixed here too.

# %% [markdown]
# ## Exercise
#
# **1. Predict** (3 minutes). A deconvolution of stride 3. Which of the kernels 3, 4, 5, 6, 7 and 9 give every output pixel, away from
# the border, the same number of stamps?


# %% tags=["exercise"]
def even_kernels():
    """Those of 3, 4, 5, 6, 7 and 9, as a list."""
    ### BEGIN SOLUTION
    return [3, 6, 9]
    ### END SOLUTION


# %% tags=["check"]
check(even_kernels, check_stamps)

# %% [markdown]
# **2. Code** (10 minutes). Make a stamp that leaves no pattern: the `2 * stride` weights of one dimension with which a deconvolution,
# padding stride / 2, turns a constant into the same constant and a straight ramp into a straight ramp.
#
# <details><summary>Hint</summary>A triangle. Its top lies between the two middle weights, and weights that are a stride
# apart sum to 1.</details>


# %% tags=["exercise"]
def straight_stamp(stride):
    """2 * stride weights, for an even stride."""
    ### BEGIN SOLUTION
    places = torch.arange(2 * stride) + 0.5
    return 1 - (places - stride).abs() / stride
    ### END SOLUTION


# %% tags=["check"]
check(straight_stamp, check_bilinear)

# %% [markdown]
# **3. Break it** (5 minutes). 'With a kernel of twice the stride there is no checkerboard.' Give eight positive weights, none zero, with
# which a deconvolution of stride 4 turns a constant into stripes of which the brightest is at least twice the darkest.
#
# <details><summary>Hint</summary>Output pixel k gets the weights k and k + 4.</details>


# %% tags=["exercise"]
def striped_stamp():
    """Eight positive weights."""
    ### BEGIN SOLUTION
    return [1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 3.0]
    ### END SOLUTION


# %% tags=["check"]
check(striped_stamp, check_pattern)

# %% [markdown]
# **4. Open.** Would you replace the deconvolutions of the tag generator? *Judge it*: what does a pattern of half a bandwidth do to a heap of
# tags, what does an enlarged map do to the border of two objects, and which training would decide?

# %% [markdown]
# ## Quiz
#
# <details><summary>1. Stride 2, kernel 4: which padding doubles the size exactly?</summary>
#
# 1. $(n-1)\cdot 2 - 2 + 4 = 2n$. In general kernel = 2 stride and padding = stride / 2. <!-- given: the formula above -->
# </details>
#
# <details><summary>2. Two objects have the tags 1.0 and 1.1. Is that bad?</summary>
#
# Not in itself: only the gap against the spread counts. But the loss asks for a gap of 3, so it would push
# them apart. <!-- given: eq. (3) -->
# </details>
#
# <details><summary>3. Can the tag of the same object differ between two clips of one video?</summary>
#
# Yes. A tag is a name within one clip; nothing ties names of two clips together. The paper therefore
# processes a long video as one clip of 32 frames. <!-- given: the losses compare within a clip -->
# </details>

# %% [markdown]
# ## In the package
#
# `tagvis_lite.model.network` holds the same two parts. With the same weights they give the same numbers.

# %%
small = {"channels": 6, "head": 5}
mine, theirs = generator(6, 5), TagGenerator(6, 5, (4, 2))
theirs.layers.load_state_dict(mine.state_dict())
q = torch.randn(2, 6, 3, 4, 4)
torch.testing.assert_close(mine(q), theirs(q))

# %% [markdown]
# And the bottleneck:

# %%
mine, theirs = bottleneck(7, 8, 6), Bottleneck(7, 8, 6)
for source, target in zip(mine.parameters(), theirs.parameters(), strict=True):
    target.data.copy_(source.data)
u = torch.randn(2, 7, 3, 4, 4)
torch.testing.assert_close(mine(u), theirs(u))

# %% [markdown]
# And the profile of this run keeps its sizes, whatever they are:

# %%
with torch.device("meta"):
    head = TagGenerator(config.feature_channels, config.head_channels, config.upsampling)
    size = head(torch.empty(1, config.feature_channels, 4, 14, 14)).shape
assert size == (1, 1, 4, 112, 112)

# %% [markdown]
# ## Metrics
#
# The claims of this lesson as numbers.

# %% tags=["fold"]
uneven = {kernel: (stamps(kernel).max() - stamps(kernel).min()).item() for kernel in (4, 6, 8)}
metrics = {
    "tag map, pixels a side": ladder["p"][-1],
    "unevenness, kernel 6": uneven[6],
    "unevenness, kernel 8": uneven[8],
    "pattern of random stamps of 8": float(np.median(patterns["stamps of 8"])),
    "pattern of the trained generator": written.std().item(),
}
if known.any():
    metrics["pixels nearest to their own object's tag"] = own
record("13", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert metrics["tag map, pixels a side"] == 112
assert uneven == {4: 0, 6: 1, 8: 0}

# %% [markdown]
# ## Summary
#
# - 14 to 7 to 14 to 112: a coarse map to think on, a fine map to write on. <!-- given: the paper, section III-A -->
# - Kernels of twice the stride give every output as many stamps; random weights leave a pattern all the same.
#   <!-- claim: any_size -->
# - A tag is a name, valid within one clip; its range is not bounded here. <!-- given: D8 -->
#
# Reference: Kini and Shah, 2022, section III-A. On checkerboards: Odena, Dumoulin and Olah, *Deconvolution
# and Checkerboard Artifacts*, Distill, 2016.

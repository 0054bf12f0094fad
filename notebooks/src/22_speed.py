# %% [markdown]
# # 22 · Speed and memory
#
# **One idea:** count before you time. Operations are exact and the same on every machine; seconds are
# neither, and only mean something next to other seconds of the same run.
#
# Paper: Table II, column fps, and section III-B · Time: under 25 seconds on two CPU cores

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - count the operations of a layer on paper, and those of the whole network without running it,
# - say from a roofline whether arithmetic or memory holds a layer back,
# - write a timer that does not lie, and doubt a 'frames per second' that does not say what it counts.
#
# You need: convolution and attention as operations; lesson [12](12_attention.ipynb) for the latter.
#
# Previous: [21 · ablations](21_ablations.ipynb) · Next: [23 · the explorer](23_explorer.ipynb)

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose network is timed, always on clips of 8 x 64 x 64
SEED = 0  # of the network's weights (paper) and of the toy video
DATA = ""  # empty: a toy video, enlarged; else your video, folder of frames or root
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from dataclasses import replace
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch.nn import BatchNorm3d, Conv3d
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

# %% tags=["imports"]
from tagvis_lite.config import PAPER, TOY
from tagvis_lite.course import check, explore, lesson_network, lesson_video, record, show, subplots
from tagvis_lite.course.checks.lesson_22 import check_median_seconds
from tagvis_lite.data.toy import ToyConfig, render_video
from tagvis_lite.inference import look, predict_clip, read_clip
from tagvis_lite.instances import cluster_instances
from tagvis_lite.interpolation import interpolate_ids
from tagvis_lite.model.attention import literal_attention, pooled_attention
from tagvis_lite.model.network import TagVIS
from tagvis_lite.study.speed import profile_inference
from tagvis_lite.video import Video

torch.manual_seed(SEED)
device = "cuda" if torch.cuda.is_available() else "cpu"

# %% [markdown]
# ## A question
#
# Table II says that this method runs at 17 frames per second on DAVIS'19.
#
# Write down before you go on: *Per second of what? List the steps from a video file to masks that a
# stopwatch could include. And: make the clip twice as long, or its frames twice as wide and high. How
# many times as much work is that for the encoder, and how many times for attention?*

# %% [markdown]
# ## The paper
#
# Everything said about speed is that number, and a half-sentence in section III-B: 1 x 1 convolutions
# reduce the dimensionality 'to manage model complexity'. What attention costs can be read off its
# definition. Each of $T$ frames asks each frame: $T^2$ pairs, each with a map of $S \times S$.
#
# | symbol | meaning | paper profile |
# |---|---|---|
# | $T$ | frames of a clip | 32 |
# | $S = h\,w$ | positions of a frame where attention works | 14 x 14 = 196 |
# | $d$ | channels of queries, keys, values | 128 |
# | FLOP | one addition or multiplication of real numbers | |
# | intensity | FLOP for each byte moved from or to memory | |

# %% [markdown]
# ## In code
#
# A convolution makes each output number from $k$ kernel places and $C_{in}$ channels, one
# multiplication and one addition each.


# %%
def convolution_flops(module, output_shape):
    """2 x outputs x kernel x input channels, for a convolution without groups."""
    return 2 * output_shape.numel() * np.prod(module.kernel_size) * module.in_channels


# %% [markdown]
# Attention multiplies matrices twice: queries with keys, maps with values. As section III-B says it
# (*literal*), both are done for every pair of frames. As this package does it (*pooled*), the maps are
# averaged over the asking frames first, so the second is done once per frame.


# %%
def attention_flops(T, S, d, form):
    """FLOP of the two products; softmax and averages are left out, as counters do."""
    maps = 2 * T * T * S * S * d
    values = 2 * (T * T if form == "literal" else T) * S * S * d
    return maps + values


# %% [markdown]
# For the whole network, let PyTorch count. On the `meta` device tensors have shapes and no numbers, so
# even the paper's network at 32 x 224 x 224 takes no time and no memory.


# %%
def count(config, T=None, size=None):
    """FLOP of one clip, by part of the network."""
    data = config.data
    T, (H, W) = T or data.clip_frames, size or data.size
    with torch.device("meta"):
        network = TagVIS(replace(config.model, pretrained=False)).eval()
        clip = torch.empty(1, 3, T, H, W)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(clip)
    by_module = counter.get_flop_counts()
    return {name: sum(by_module[f"TagVIS.{name}"].values()) for name, _ in network.named_children()}


# %% tags=["fold"]
paper, toy = count(PAPER), count(TOY)
assert set(paper) == set(toy)
assert min(paper.values()) > 0

# %% [markdown]
# For seconds we need a clock. Nothing below is timed alone: functions run *in turn*, so that whatever
# else the machine does disturbs all alike. The first round does not count, the median of the others
# does. What comes out is only ever divided by something of the same run.


# %%
def wait():
    """A GPU works on after a call has returned; a clock must wait for it."""
    if device == "cuda":
        torch.cuda.synchronize()


# %%
def seconds_in_turn(functions, rounds=5, summary=median):
    """Median seconds (or another summary) of each function, after a round that does not count."""
    times = [[] for _ in functions]
    for _ in range(rounds + 1):
        for function, own in zip(functions, times, strict=True):
            start = perf_counter()
            function()
            wait()
            own.append(perf_counter() - start)
    return np.array([summary(own[1:]) for own in times])


# %% [markdown]
# ## By hand
#
# A convolution of kernel 1 x 3 x 3 from 3 channels to 2, over 2 frames of 4 x 4, padded: 64 outputs, each
# from 27 numbers. $2 \cdot 64 \cdot 27 = 3456$ FLOP. Attention with $T = 2$, $S = 4$, $d = 3$:
#
# - literal: $2 \cdot 2^2 \cdot 4^2 \cdot 3 = 384$ for the maps and 384 for the values, 768 together;
# - pooled: 384 for the maps, but only $2 \cdot 2 \cdot 4^2 \cdot 3 = 192$ for the values, 576 together.

# %% tags=["nbval-check-output"]
layer = Conv3d(3, 2, (1, 3, 3), padding=(0, 1, 1))
qkv = [torch.randn(1, 2, 4, 3) for _ in range(3)]
works = {
    "convolution": (partial(layer, torch.randn(1, 3, 2, 4, 4)), 3456),
    "literal attention": (partial(literal_attention, *qkv), attention_flops(2, 4, 3, "literal")),
    "pooled attention": (partial(pooled_attention, *qkv), attention_flops(2, 4, 3, "pooled")),
}
for name, (work, by_hand) in works.items():
    with FlopCounterMode(display=False) as counter:
        work()
    print(f"{name}: {by_hand} by hand, {counter.get_total_flops()} counted")
    assert counter.get_total_flops() == by_hand

# %% [markdown]
# Now the whole network, in GFLOP (a thousand million) for each clip:

# %% tags=["nbval-check-output"]
print(f"{'':<26} toy  share   paper  share")
for name in paper:
    numbers = (toy[name] / 1e9, toy[name] / sum(toy.values()))
    numbers += (paper[name] / 1e9, paper[name] / sum(paper.values()))
    print("{:<25} {:.2f}   {:>4.0%}   {:>5.0f}   {:>4.0%}".format(name, *numbers))
print(f"{'sum':<25} {sum(toy.values()) / 1e9:.2f}          {sum(paper.values()) / 1e9:>5.0f}")

# %% [markdown]
# The encoder does most of it. Next, in the paper's profile, comes the *decoder* with a quarter: its
# first layer has a 3 x 8 x 8 kernel on 512 channels. All attention together is a few percent.

# %% [markdown]
# ## The picture
#
# Counts are not seconds. First, where does time go from a video to its masks? We time the four stages
# of inference on a video with large frames, of which the network sees only some.

# %%
network, config = lesson_network(PROFILE, clip_frames=8)
network = network.to(device)
small = replace(config.data, clip_frames=8, size=(64, 64))
config = replace(config, data=small)

# %%
if DATA:
    video = lesson_video(DATA)
else:
    tiny = render_video(SEED, ToyConfig(num_frames=32))
    large = tiny.read_frames(range(32)).repeat(7, axis=1).repeat(7, axis=2)
    video = Video("a toy video, each pixel 7 x 7 times", large)

# %% [markdown]
# The four stages, as functions without arguments. What one needs of another is made beforehand.

# %%
frames, _, size = read_clip(video, config.data)
seen = look(network, video, config, device)
prediction, kept = seen.prediction, seen.kept
found = cluster_instances(prediction, config.inference)
stages = {
    "read and resize": partial(read_clip, video, config.data),
    "network": partial(predict_clip, network, frames, device),
    "tags to instances": partial(cluster_instances, prediction, config.inference),
    "masks to full size": partial(interpolate_ids, found.ids, kept, len(video), size),
}
stage_seconds = seconds_in_turn(stages.values(), rounds=3)

# %% [markdown]
# Second, inside the network: does a part's share of the time equal its share of the operations? Hooks
# before and after each part write down the clock.

# %%
clip = frames[None].to(device)
spent = {name: [] for name in toy}


def start_clock(_module, _inputs, name):
    wait()
    spent[name].append(-perf_counter())


def stop_clock(_module, _inputs, _output, name):
    wait()
    spent[name][-1] += perf_counter()


# %%
hooks = []
for name, module in network.named_children():
    hooks.append(module.register_forward_pre_hook(partial(start_clock, name=name)))
    hooks.append(module.register_forward_hook(partial(stop_clock, name=name)))
with torch.inference_mode():
    for _ in range(6):
        network(clip)
for hook in hooks:
    hook.remove()
part_seconds = np.array([median(times[1:]) for times in spent.values()])

# %%
figure, (left, right) = subplots(1, 2, width=9, height=3, width_ratios=[1, 1.25])
left.barh(list(stages), 100 * stage_seconds / stage_seconds.sum())
left.set(xlabel="percent of the time", title="the network is one of four stages")
left.invert_yaxis()
part_flops = np.array(list(count(config).values()))
for shift, values in ((-0.2, part_flops), (0.2, part_seconds)):
    right.barh(np.arange(len(toy)) + shift, 100 * values / values.sum(), height=0.38)

# %% tags=["fold"]
right.set_yticks(range(len(toy)), [name.replace("_", " ") for name in toy])
right.invert_yaxis()
right.legend(["operations", "time"])
right.set(xlabel="percent of the network", title="time is not just operations")
show(
    figure,
    alt="""Left: share of time of the four stages of inference, for a video of large frames, of which
    a small network sees eight. Right: for each part of the network its share of operations and its
    share of time, which are alike but not equal.""",
)

# %% [markdown]
# The two are alike but not equal: arithmetic is not the only thing that takes time. Numbers must be
# fetched. A *roofline* shows both limits. A layer that does $I$ FLOP for each byte it moves
# cannot run faster than $I$ times the memory's speed, nor faster than the fastest multiplication of
# matrices. We measure both limits in this run: a large product, and a copy too large for any cache.

# %%
matrix = torch.randn(1024, 1024, device=device)
source = torch.randn(16 * 2**20, device=device)
target = torch.empty_like(source)
limits = [lambda: matrix @ matrix, lambda: target.copy_(source)]

# %% [markdown]
# Then each convolution and each batch normalisation of the encoder, by itself. A layer moves at least
# its input, its output and its weights, four bytes a number. Batch normalisation has two FLOP for each
# number.

# %%
layers = []


def note(module, inputs, output):
    layers.append((module, inputs[0].shape, output.shape))


# %%
hooks = [
    m.register_forward_hook(note)
    for m in network.encoder.modules()
    if isinstance(m, (Conv3d, BatchNorm3d))
]
with torch.inference_mode():
    network.encoder(clip)
for hook in hooks:
    hook.remove()


# %%
def flops_and_bytes(module, input_shape, output_shape):
    weights = sum(p.numel() for p in module.parameters())
    moved = 4 * (input_shape.numel() + output_shape.numel() + weights)
    if isinstance(module, Conv3d):
        return convolution_flops(module, output_shape), moved
    return 2 * output_shape.numel(), moved


# %% [markdown]
# A limit is the best that a machine can do, so here we take the *shortest* time seen, of limits and
# layers alike, all in turn.

# %%
work = np.array([flops_and_bytes(*layer) for layer in layers])
with torch.inference_mode():
    calls = [partial(m, torch.randn(shape, device=device)) for m, shape, _ in layers]
    shortest = seconds_in_turn(limits + calls, rounds=8, summary=min)
flops_per_second = 2 * 1024**3 / shortest[0]
bytes_per_second = 2 * 4 * source.numel() / shortest[1]
intensity, speed = work[:, 0] / work[:, 1], work[:, 0] / shortest[2:]

# %%
figure, axis = subplots(width=6.5, height=3.6)
roof = np.logspace(-1.2, 2.5, 100)
axis.plot(roof, 100 * np.minimum(1, roof * bytes_per_second / flops_per_second), color="0.6")
kernels = [tuple(m.kernel_size) if isinstance(m, Conv3d) else "batch norm" for m, *_ in layers]
for kernel in dict.fromkeys(kernels):
    own = [k == kernel for k in kernels]
    axis.plot(intensity[own], 100 * speed[own] / flops_per_second, "o", label=str(kernel))

# %% tags=["fold"]
axis.set(xscale="log", yscale="log", xlabel="intensity, FLOP per byte moved")
axis.set_ylabel("speed, percent of\na matrix product")
axis.set_title("Batch norm far left, on the slope; convolutions right")
figure.legend(loc="outside right center", title="kernel (T, H, W)")
show(
    figure,
    alt="""Roofline on logarithmic axes: speed of the layers of the encoder, in percent of that of a
    matrix product, against FLOP per byte. The roof rises with intensity and then is flat. Batch
    normalisation lies far left, by the slope; convolutions lie right, by the flat part.""",
)

# %% [markdown]
# Read it so: a point on the slope is held back by memory. Faster arithmetic, such as a GPU's tensor cores
# or bfloat16 products, moves the flat roof up and leaves that point where it is. A point far *under*
# the roof could be faster on this very machine; a temporal kernel of few channels, say. A point above the
# slope found its numbers in a cache, and one above the flat roof is better written than the product.

# %% [markdown]
# ## Try it
#
# More frames, or larger ones, in the paper's network: which part gets a larger share of the work?

# %%
lengths, sides = [8, 16, 32, 64], [64, 128, 224, 320, 448]
by_length = {T: count(PAPER, T=T) for T in lengths}
by_side = {side: count(PAPER, size=(side, side)) for side in sides}


# %% tags=["fold"]
def shares(figure, parts):
    axis = figure.subplots()
    percent = 100 * np.array(list(parts.values())) / sum(parts.values())
    axis.barh([name.replace("_", " ") for name in parts], percent)
    axis.invert_yaxis()
    axis.set(xlabel="percent", xlim=(0, 70))


# %% tags=["fold"]
explore(
    lambda figure, T: shares(figure, by_length[T]),
    values=lengths,
    label="T",
    title="With more frames, attention across frames gains",
    alt="""Share of operations by part of the network for clips of 8, 32 and 64 frames: those of
    spatio-temporal and tag attention grow, all others fall a little.""",
    shown=3,
    size=(2.7, 2.2),
)

# %% tags=["fold"]
explore(
    lambda figure, side: shares(figure, by_side[side]),
    values=sides,
    label="side",
    title="With larger frames, too, and faster",
    alt="""Share of operations by part of the network for frames of side 64, 224 and 448: those of
    spatio-temporal and tag attention grow, all others fall.""",
    shown=3,
    size=(2.7, 2.2),
)

# %% [markdown]
# That answers the second part of the question. Twice as long: the encoder does 2 times as much, the
# maps of attention 4 times. Twice as wide and high: 4 times, and 16 times. (What attention's
# 1 x 1 convolutions do grows like the encoder.) At small sizes attention is cheap, and the paper's sizes are
# small. Does the clock agree? Counts as lines and seconds as dots, of the network of this `PROFILE`, both
# over their value at 8 x 64 x 64.

# %%
clips = [(2, 64), (4, 64), (8, 64), (16, 64), (8, 32), (8, 96)]
inputs = [torch.randn(1, 3, T, side, side, device=device) for T, side in clips]
with torch.inference_mode():
    clip_seconds = seconds_in_turn([partial(network, x) for x in inputs], rounds=3)
clip_flops = np.array([sum(count(config, T, (side, side)).values()) for T, side in clips])
time_ratio, flop_ratio = clip_seconds / clip_seconds[2], clip_flops / clip_flops[2]

# %% tags=["fold"]
figure, axes = subplots(1, 2, width=8, height=2.8)
for axis, chosen, k, name in (
    (axes[0], [0, 1, 2, 3], 0, "frames T, at 64 x 64"),
    (axes[1], [4, 2, 5], 1, "side of a frame, at T = 8"),
):
    x = [clips[c][k] for c in chosen]
    axis.plot(x, flop_ratio[chosen], color="0.6", label="operations")
    axis.plot(x, time_ratio[chosen], "o", label="seconds")
    axis.set(xscale="log", yscale="log", xlabel=name, ylabel="over that at 8 x 64 x 64")
    axis.set_xticks(x, x)
    axis.set_yticks([0.25, 0.5, 1, 2], [0.25, 0.5, 1, 2])
    axis.minorticks_off()
axes[0].set_title("with T: to the first power, so far")
axes[1].set_title("with the side: to the second")
axes[0].legend()
show(
    figure,
    alt="""Operations as lines and measured seconds as dots, over those at 8 x 64 x 64, on
    logarithmic axes: against the number of frames with slope one, against the side of a frame with
    slope two. Dots lie near the lines.""",
)

# %% [markdown]
# ## The paper does not say
#
# **Literal or pooled** ([D4](../docs/decisions.md)). The paper describes the literal form and does not
# say what it costs. We know that both give the same numbers. Operations differ by less than 2; what
# differs is the largest tensor that must be held. A small spy sees each tensor that is made, on the
# meta device too.


# %%
class Largest(TorchDispatchMode):
    """Remembers the size in bytes of the largest tensor made under it."""

    size = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        output = operation(*args, **(kwargs or {}))
        if isinstance(output, torch.Tensor):
            self.size = max(self.size, output.numel() * output.element_size())
        return output


# %%
def largest(attention, T, S, d):
    qkv = [torch.empty(1, T, S, d, device="meta") for _ in range(3)]
    with Largest() as spy:
        attention(*qkv)
    return spy.size


# %%
T, S, d = PAPER.data.clip_frames, 14 * 14, PAPER.model.attention_channels
held = {f.__name__: largest(f, T, S, d) for f in (literal_attention, pooled_attention)}
assert held["literal_attention"] == 4 * T**2 * S**2, "all maps at once, four bytes a number"
memory_ratio = held["literal_attention"] / held["pooled_attention"]
flop_ratio_forms = attention_flops(T, S, d, "literal") / attention_flops(T, S, d, "pooled")

# %% [markdown]
# And the seconds, at a size that takes no time: 8 frames of 8 x 8 positions.

# %%
qkv = [torch.randn(1, 8, 64, 64, device=device) for _ in range(3)]
forms = [partial(f, *qkv) for f in (literal_attention, pooled_attention)]
torch.testing.assert_close(forms[0](), forms[1](), atol=1e-5, rtol=1e-4)
literal_seconds, pooled_seconds = seconds_in_turn(forms, rounds=20)

# %% tags=["fold"]
figure, axis = subplots(width=6, height=2.2)
names = ("largest tensor, paper size", "operations, paper size", "seconds, toy size, here")
ratios = (memory_ratio, flop_ratio_forms, literal_seconds / pooled_seconds)
axis.barh(names, ratios)
axis.axvline(1, color="0.6")
axis.invert_yaxis()
axis.set(xscale="log", xlabel="literal over pooled", title="The same numbers for less memory")
axis.set_xticks([1, 2, 4, 8, 16, 32], [1, 2, 4, 8, 16, 32])
axis.minorticks_off()
show(
    figure,
    alt="""Literal over pooled attention: the largest tensor is 32 times as large, operations are
    not quite 2 times as many, and the ratio of seconds in this run.""",
)

# %% [markdown]
# **What 17 frames per second count** (Table II). Nothing is said about it, nor on which GPU; training was
# on a V100. A frame could be one that the network saw, or one of the video, many of which get
# their masks by interpolation ([D18](../docs/decisions.md)). A second could hold the network alone, or all four
# stages. Here are the four readings, of one and the same run:

# %%
seen, there = len(kept), len(video)
alone, everything = stage_seconds[1], stage_seconds.sum()
readings = {
    "frames seen, network alone": seen / alone,
    "frames seen, all stages": seen / everything,
    "frames of the video, network alone": there / alone,
    "frames of the video, all stages": there / everything,
}

# %% tags=["fold"]
values = np.array(list(readings.values()))
figure, axis = subplots(width=7, height=2.3)
axis.barh(list(readings), values / values.min())
axis.invert_yaxis()
axis.set(xlabel="frames per second, over the smallest", title="One run, four different 'fps'")
show(
    figure,
    alt="""Frames per second by four ways of counting, over the smallest of them: frames that the
    network saw or frames of the video, each with the network alone or with all stages.""",
)

# %% [markdown]
# Which of them could it be? Counting helps. At 17 frames that the network saw per second, and with our
# reading of the architecture, the network would do

# %% tags=["nbval-check-output"]
per_frame = sum(paper.values()) / PAPER.data.clip_frames
V100 = 14e12  # FLOP per second in float32, from Nvidia's data sheet (PCIe)
print(f"{17 * per_frame / 1e9:.0f} GFLOP a second, {17 * per_frame / V100:.1%} of a V100's float32")

# %% [markdown]
# On the roofline above, most convolutions come far closer to their limit than that. So, if it was a V100, either more was on the stopwatch
# than the network, or the network was held back by something else. We cannot tell, and a number that
# leaves such a choice cannot be compared with the other rows of its column.

# %% [markdown]
# ## Exercise
#
# **A timer that does not lie** (10 minutes). Write the median seconds of one call. Three things must be
# right. The *first call* is slow (memory is fetched, kernels are chosen): make one that does not count.
# A *median* forgives a single interruption. And on a GPU a call returns before its work is done: call
# `synchronise()` so that no work is under way when the clock starts, and none when it stops.
#
# `clock()` gives the time in seconds. The check brings its own clock and its own GPU, so it cannot be
# disturbed by your machine.
#
# <details><summary>Hint</summary>One measurement is: synchronise, read the clock, call, synchronise,
# read the clock. <code>median</code> is imported.</details>


# %% tags=["exercise"]
def median_seconds(function, repeats, clock=perf_counter, synchronise=lambda: None):
    """Median seconds of a call, over `repeats` calls, after one that does not count."""
    ### BEGIN SOLUTION
    function()
    seconds = []
    for _ in range(repeats):
        synchronise()
        start = clock()
        function()
        synchronise()
        seconds.append(clock() - start)
    return median(seconds)
    ### END SOLUTION


# %% tags=["check"]
check(median_seconds, check_median_seconds)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. You buy a GPU with ten times the arithmetic and twice the memory bandwidth. The
# network gets three times as fast. Which layers disappoint?</summary>
#
# Those on the slope: batch normalisation, activations, additions of shortcuts. They gain two times at
# most. Fusing them into the convolution before them saves the trips to memory.
# </details>
#
# <details><summary>2. Pooled attention needs 1/32 of the memory for its maps at T = 32. In training
# it saves far less. Why?</summary>
#
# Backward needs the maps again, so those of all frames are kept, unless they are computed anew. The
# ratio of 32 is that of inference.
# </details>
#
# <details><summary>3. A times 100 calls of the old code, then 100 calls of the new. B takes turns. Whose
# ratio would you trust on a laptop?</summary>
#
# B's. A laptop gets warm and slows down, and other programs come and go; taking turns gives each side the
# same share of it.
# </details>

# %% [markdown]
# ## In the package
#
# `tagvis profile` prints a table of seconds for the machine it runs on, with the same count of operations.
# `profile_inference` is behind it. (Its table is not printed here: seconds do not belong in a text that
# is compared.)

# %% tags=["fold"]
here = count(config)
table = profile_inference(config, device=device, repeats=1)
assert f"{sum(here.values()) / 1e9:,.1f} GFLOP a clip" in table
assert all(stage in table for stage in ("network", "tags to instances", "masks to full size"))

# %% [markdown]
# The convolutions of the encoder, added up by the formula, are the encoder's count:

# %% tags=["fold"]
convolutions = [layer for layer in layers if isinstance(layer[0], Conv3d)]
assert sum(convolution_flops(m, out) for m, _, out in convolutions) == here["encoder"]

# %% [markdown]
# ## Metrics
#
# Counts only. Whoever changes the architecture changes them, and should notice.

# %% tags=["fold", "nbval-check-output"]
metrics = {
    "toy GFLOP": sum(toy.values()) / 1e9,
    "paper GFLOP": sum(paper.values()) / 1e9,
    "paper encoder GFLOP": paper["encoder"] / 1e9,
    "paper decoder GFLOP": paper["decoder"] / 1e9,
    "memory of maps, literal over pooled": memory_ratio,
    "operations, literal over pooled": flop_ratio_forms,
}
record("22", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %% tags=["fold"]
expected = {"toy GFLOP": 3.0404, "paper GFLOP": 410.12, "paper encoder GFLOP": 248.25}
for name, value in expected.items():
    assert abs(metrics[name] / value - 1) < 1e-3, f"{name} was {value} and is {metrics[name]}"
assert memory_ratio == T
doubled = count(PAPER, T=64)
assert doubled["encoder"] == 2 * paper["encoder"]
assert 2 < doubled["spatio_temporal_attention"] / paper["spatio_temporal_attention"] < 4

# %% [markdown]
# Of the seconds we only ask what no noise can hide: eight times the frames take longer, and nothing took
# no time.

# %% tags=["fold"]
assert (shortest > 0).all()
assert (stage_seconds > 0).all()
assert time_ratio[3] > time_ratio[0], "16 frames take longer than 2"

# %% [markdown]
# ## Summary
#
# - Operations can be counted on paper and on the meta device: 3 GFLOP for a toy clip, 410 for the
#   paper's, of which the encoder has 61 % and the decoder 25 %.
# - Convolutions grow with T and with the area of a frame. Attention across frames grows with both squared, and
#   is cheap only while the maps are small.
# - A roofline says whether a faster processor or a faster memory would help.
# - Seconds are for ratios: warm-up, median, in turn, and on a GPU synchronised.
# - 'fps' without a definition can differ by a factor of several in one and the same run.
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, Table II. Williams, Waterman and Patterson, *Roofline: An Insightful Visual
# Performance Model for Multicore Architectures*, 2009.

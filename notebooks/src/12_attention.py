# %% [markdown]
# # 12 · Spatio-temporal attention: all frames ask, one frame answers
#
# **One idea:** read word by word, the paper lets every frame say *where to look* in frame t, but what is
# seen there is frame t alone. The same numbers can be had for half the work.
#
# Paper: section III-B, figure 2 · Time: under 20 seconds on two CPU cores

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - write one attention step with query, key and value, and say over what its softmax runs,
# - prove that pooling the maps first gives the same output, and count what it saves,
# - tell by an experiment which frames a frame's output depends on, and through which door.
#
# You need: matrix products and softmax.
#
# Previous: [11 · the encoder](11_encoder.ipynb) · Next: [13 · bottleneck and tag generator](13_tags.ipynb)

# %% tags=["parameters"]
PROFILE = "toy"  # toy or smoke: the shipped network; paper: its sizes with random weights
SEED = 0  # of random numbers, and which toy test video
DATA = ""  # empty: a toy test video; or a video, a folder of frames, a DAVIS or YouTube-VIS root
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from tagvis_lite.course import COLOURS, check, lesson_network, lesson_video, record, show, subplots
from tagvis_lite.course.checks.lesson_12 import check_non_local_step
from tagvis_lite.inference import read_clip
from tagvis_lite.model.attention import (
    Attention,
    literal_attention,
    non_local_attention,
    pooled_attention,
)
from tagvis_lite.model.network import location_embedding
from tagvis_lite.views import AttentionPicker
from tagvis_lite.views.attention_picker import attention_over_clip

torch.manual_seed(SEED)
_ = torch.set_grad_enabled(False)  # nothing is trained here

# %% [markdown]
# ## A question
#
# In frame 1 a ball is grey. In frame 2 the same ball is red. The paper wants to 'effectively add context
# from other frames in the clip to each frame representation', and for that puts an attention module
# behind the encoder: features $f_1 \dots f_T$ go in, enriched features $u_1 \dots u_T$ come out.
#
# Now read its sentence: all frames, $f_{t=1,\dots,32}$, are 'the query, while $f_{t=1}$ is projected into
# key and value', which makes $u_{t=1}$. Write down before you go on: *Can any red get from frame 2 into
# $u_1$?*

# %% [markdown] tags=["fig-2"]
# ## The paper
#
# Section III-B has no equation. Its steps, with $s$ for an asking frame and $t$ for the one that answers:
# project the features by 1 x 1 convolutions, flatten each frame to its $S = h\,w$ positions, multiply
# query and key, take the softmax, weigh the values, stack over the asking frames, 'use pooling across
# time'. In one line, and with the scale $\sqrt d$ that we add:
#
# $$u_t = \frac{1}{T} \sum_{s=1}^{T} A_{st} V_t, \qquad
# A_{st} = \mathrm{softmax}\!\left(\frac{Q_s K_t^\top}{\sqrt d}\right)$$
#
# | symbol | meaning | shape | in the paper |
# |---|---|---|---|
# | $Q_s$ | queries of frame $s$: what each position looks for | S x d | 196 x d |
# | $K_t$ | keys of frame $t$: what each position offers | S x d | 196 x d |
# | $V_t$ | values of frame $t$: what it hands out | S x d | 196 x d |
# | $A_{st}$ | attention map: a row for each asking position | S x S | 196 x 196 |
# | $u_t$ | output for frame $t$ | S x d | |
#
# (A last 1 x 1 convolution and a residual make $u_t$ as wide as $f_t$; we come to that.)

# %% [markdown]
# ## In code
#
# One map first. The softmax runs along each *row*: an asking position shares out a weight of 1 among the
# positions of the frame that answers.


# %%
def attention_map(query, key):
    """R x d queries and S x d keys to R x S weights; each row sums to 1."""
    scores = query @ key.T / key.shape[-1] ** 0.5
    return scores.softmax(dim=-1)


# %% [markdown]
# The paper's steps, word by word: every frame s asks frame t, the weighted values are stacked, then
# pooled.


# %%
def literal(Q, K, V):
    """Three tensors of T x S x d to u of T x S x d."""
    u = []
    for key, value in zip(K, V, strict=True):
        weighted = [attention_map(query, key) @ value for query in Q]
        u.append(torch.stack(weighted).mean(dim=0))
    return torch.stack(u)


# %% [markdown]
# Look at the inner line. `value` is the same for all queries. The mean of products with one and the same
# matrix is the product with the mean:
#
# $$\frac{1}{T}\sum_s \left(A_{st} V_t\right) = \Big(\frac{1}{T}\sum_s A_{st}\Big) V_t$$
#
# So pool the *maps*, and weigh the values once. Nothing is approximated.


# %%
def pooled(Q, K, V):
    u = []
    for key, value in zip(K, V, strict=True):
        maps = torch.stack([attention_map(query, key) for query in Q])
        u.append(maps.mean(dim=0) @ value)
    return torch.stack(u)


# %%
Q, K, V = torch.randn(3, 5, 12, 8)  # three times T = 5 frames, S = 12 positions, d = 8
assert attention_map(Q[0], K[1]).shape == (12, 12)
assert literal(Q, K, V).shape == (5, 12, 8)
torch.testing.assert_close(literal(Q, K, V), pooled(Q, K, V), rtol=0, atol=1e-5)

# %% [markdown]
# ## By hand
#
# Two frames of two positions, $d = 1$. Frame $t$ answers with keys $(0, \ln 3)$ and values $(0, 4)$. A
# query of 1 has scores $(0, \ln 3)$, and softmax makes weights $1 : 3$.
#
# | asking | queries | map, row by row | weighted values |
# |---|---|---|---|
# | s = 1 | 1 and 0 | (1/4, 3/4), (1/2, 1/2) | 3, 2 |
# | s = 2 | -1 and 1 | (3/4, 1/4), (1/4, 3/4) | 1, 3 |
#
# Stack and pool: $u_t = ((3 + 1)/2,\ (2 + 3)/2) = (2,\ 2.5)$. The other way round, the mean map has rows
# (1/2, 1/2) and (3/8, 5/8), which weigh 0 and 4 to 2 and 2.5. The same.

# %% tags=["nbval-check-output"]
queries = torch.tensor([[[1.0], [0.0]], [[-1.0], [1.0]]])
keys = torch.tensor([[1.0], [3.0]]).log()
values = torch.tensor([[0.0], [4.0]])
for function in (literal, pooled):
    u_t = function(queries, keys.expand(2, -1, -1), values.expand(2, -1, -1))[0]
    print(f"{function.__name__:<8}", [round(x, 3) for x in u_t.flatten().tolist()])

# %% [markdown]
# **What it saves.** A product of a map with values costs as much as making the map, $S^2 d$. Literally
# that is $2\,T^2 S^2 d$, pooled $T^2 S^2 d + T S^2 d$. For T = 32 the ratio is $64/33$. Counted at the
# paper's sizes, on tensors that have a shape and no content:

# %% tags=["nbval-check-output"]
shapes_only = torch.empty(3, 32, 196, 128, device="meta")
giga_macs = {}
for function in (literal, pooled):
    with FlopCounterMode(display=False) as counter:
        function(*shapes_only)
    giga_macs[function.__name__] = counter.get_total_flops() / 2e9
    print(f"{function.__name__:<8} {giga_macs[function.__name__]:.1f} GMAC")

# %% [markdown]
# ## The picture
#
# Real features now. The network that comes with the package has learnt on toy videos; we take its
# encoder and its 1 x 1 convolutions for query, key and value. Between the two, the paper adds two
# channels with the spatial coordinates of each position: its 256 + 2 = 258. Why, we see below.

# %%
network, config = lesson_network(PROFILE, clip_frames=4)
module = network.spatio_temporal_attention
video = lesson_video(DATA, 0 if DATA else 5 + SEED)
frames, indices, _ = read_clip(video, config.data)

# %%
f = network.encoder(frames[None])
f = torch.cat([f, location_embedding(f)], dim=1)
_, _, T, h, w = f.shape


def project(f):
    """1 x C x T x h x w features to queries, keys and values of T x S x d each."""
    projections = (module.query, module.key, module.value)
    return [p(f)[0].flatten(2).permute(1, 2, 0) for p in projections]


Q, K, V = project(f)
assert Q.shape == K.shape == V.shape == (T, h * w, config.model.attention_channels)

# %% [markdown]
# Which positions lie on an object? Ground truth says it, at the centre of each cell of the h x w grid.
# One such position in the middle frame is our query.


# %%
def on_grid(label_map):
    rows = (np.arange(h) + 0.5) * label_map.shape[0] / h
    columns = (np.arange(w) + 0.5) * label_map.shape[1] / w
    return label_map[np.ix_(rows.astype(int), columns.astype(int))]


pictures, s = video.read_frames(indices), T // 2
ids = np.zeros(pictures.shape[:3], int) if video.ids is None else video.read_ids(indices)
objects = np.stack([(on_grid(m) > 0) & (on_grid(m) < 255) for m in ids])
cells = np.argwhere(objects[s] if objects[s].any() else np.ones((h, w))).tolist()
query = cells[len(cells) // 2]

# %% [markdown]
# Row `query` of $A_{st}$, for several t: where one position of frame s looks, in each frame.


# %%
def mark(axis, row, column):
    height, width = pictures.shape[1:3]
    place = (column + 0.5) * width / w, (row + 0.5) * height / h
    axis.plot(*place, marker="o", markersize=9, mfc="none", mec="white", mew=2)
    axis.plot(*place, marker="o", markersize=7, mfc="none", mec="black", mew=1)


def looks_at(t, row, column):
    return attention_map(Q[s], K[t])[row * w + column].view(h, w)


# %%
step = 1 + T // 8
shown = range(s % step, T, step)
maps = torch.stack([looks_at(t, *query) for t in shown])
figure, axes = subplots(2, len(shown), width=7.5, height=3.8)
for t, weights, (above, below) in zip(shown, maps, axes.T, strict=True):
    above.imshow(pictures[t])
    image = below.imshow(weights, vmin=0, vmax=maps.max(), cmap="viridis")
    above.set_title(f"s = {t}" if t == s else f"t = {t}")
    for axis in (above, below):
        axis.set(xticks=[], yticks=[])
mark(axes[0, shown.index(s)], *query)

# %%
figure.colorbar(image, ax=axes[1], label="weight", fraction=0.02)
figure.suptitle("One position asks (ring), and each frame has its own map, of sum 1")
show(
    figure,
    alt=f"""Above: {len(shown)} frames of {video.name}, in frame {s} a ring marks the asking position. Below:
    its attention map in each frame, on a grid of {h} x {w}; brighter cells get more of the weight.""",
)

# %% [markdown]
# It is tempting to expect that the object lights up. Nobody asked for that: no loss looks at the map. How
# much of the weight lies on objects, whoever asks, and how much would by chance?

# %%
everyone = torch.stack([attention_map(Q[s], K[t]) for t in range(T) for s in range(T)])
everyone = everyone.view(T, T, h * w, h * w)
answering = torch.from_numpy(objects).flatten(1).float()
on_objects = torch.einsum("tsij,tj->", everyone, answering) / (T * T * h * w)
print(f"{on_objects:.2f} of the attention on objects, {answering.mean():.2f} of the area is object")
effective = (-torch.special.xlogy(everyone, everyone).sum(-1)).exp().mean()
print(f"a position looks at {effective:.0f} of {h * w} positions in effect")

# %% [markdown]
# If the first number is below the second, the network looks past the objects, at the ground beside and
# between them. It is free to. (The last number is the mean exponential of a row's entropy.)

# %% [markdown]
# ## Try it
#
# The picker: click a cell of the asking frame, or move with the arrow keys, and see where it looks in all
# frames; the slider sets the frame that asks. Do neighbours look at the same place? Does a position look
# at its own object? (The switch *softmax over* is for the next section.)

# %%
maps, shares = attention_over_clip(Q, K)
np.testing.assert_allclose(maps[s, 0, 1], attention_map(Q[s], K[1])[0], atol=1e-5)
AttentionPicker(
    pictures,
    maps,
    shares,
    grid=(h, w),
    frame=T - 1,
    cell=tuple(cells[0]),
    title="Another position, in the last frame, looks at other places",
    alt="""The last frame with one cell marked, and dark copies of all frames with the attention map of
    that cell over each: bright cells get more of the weight, and they are other cells than above.""",
)

# %% [markdown]
# ## The paper does not say
#
# **Who asks whom** ([D4](../docs/decisions.md)). Reading (a) is the sentence quoted above. Reading (b) is
# the usual *non-local* block: frame t asks, and the positions of *all* frames share one softmax and hand
# out their values.
#
# An experiment instead of an argument. Mirror one frame s and see which outputs $u_t$ move. There are two
# ways to mirror it: only its values $V_s$; or its features $f_s$, and so query, key and value.


# %%
def mirrored(features, s):
    """The same features, frame s left-right exchanged: 1 x C x T x h x w."""
    changed = features.clone()
    changed[:, :, s] = changed[:, :, s].flip(-1)
    return changed


def reading_b(Q, K, V):
    return non_local_attention(Q[None], K[None], V[None])[0]


def influence(attention, what):
    """T x T: how far u_t moves, relative to its size, when frame s is mirrored."""
    before, rows = attention(Q, K, V), []
    for s in range(T):
        q, k, v = project(mirrored(f, s))
        after = attention(Q, K, v) if what == "values" else attention(q, k, v)
        rows.append((after - before).norm(dim=(1, 2)) / before.norm(dim=(1, 2)))
    return torch.stack(rows)


# %%
moved = {
    "(a), values of s changed": influence(pooled, "values"),
    "(a), features of s changed": influence(pooled, "features"),
    "(b), values of s changed": influence(reading_b, "values"),
}
figure, axes = subplots(1, 3, width=9, height=2.9)
for axis, (name, matrix) in zip(axes, moved.items(), strict=True):
    others = matrix[~torch.eye(T, dtype=bool)]
    image = axis.imshow(matrix, vmin=0, vmax=others.max() or matrix.max(), cmap="viridis")
    figure.colorbar(image, ax=axis, extend="max", fraction=0.046)
    axis.set(xlabel="output $u_t$", ylabel="changed frame s", title=name)

# %%
figure.suptitle("Under (a), only frame t's own values reach $u_t$")
show(
    figure,
    alt="""Three matrices of changed frame s against output frame t. Values under (a): only the
    diagonal is not zero. Features under (a): small changes everywhere. Values under (b): changes
    everywhere.""",
)

# %% [markdown]
# This answers the question. **This module brings no red into $u_1$.** Under (a) the values of frame 2 never
# enter: left matrix, zero off the diagonal, exactly. Frame 2 only has a say in *where frame 1 is looked
# at*: middle matrix. In (b) values travel: right matrix. That fits the stated aim better; (a) fits the
# sentence. We follow (a) by default and offer both. On toy videos one pair of short runs showed no
# difference beyond noise. One reason may be the encoder: its kernels over time (lesson
# [11](11_encoder.ipynb)) mix neighbouring frames long before, so some red is in $f_1$ already.
#
# One more consequence of (a): each map sums to 1 *in each frame t*, so no frame can be ignored. In (b) a
# row sums to 1 over the whole clip, and a blurred frame may get nothing. Go back to the picker and let the
# softmax run over *the whole clip*: the bar below each frame is the share that it gets.

# %% [markdown]
# **Scale** ([D5](../docs/decisions.md)). A score is a sum of $d$ products, so it grows like $\sqrt d$.
# Without the division softmax soon gives everything to one position, and its gradient vanishes.
#
# **Residual** (D5). At the start of training the projections are random. What is left of the differences
# between positions behind such a module, with the input added to the output and without?

# %%
widths = [1, 4, 16, 64, 256]
largest = {"divided by the root of d": [], "not divided": []}
for d in widths:
    a, b = torch.randn(2, 64, d)
    for name, factor in zip(largest, (1, d**0.5), strict=True):
        largest[name].append(attention_map(factor * a, b).max(dim=-1).values.mean())
differences = {}
for residual in (True, False):
    fresh = Attention(f.shape[1], module.query.out_channels, "pooled", residual)
    differences[residual] = (
        fresh(f).flatten(3).std(-1).mean() / f.flatten(3).std(-1).mean()
    ).item()

# %%
figure, (left, right) = subplots(1, 2, width=8, height=2.8)
for name, values in largest.items():
    left.plot(widths, values, marker="o", label=name)
left.set(xscale="log", ylim=(0, 1), xlabel="d", ylabel="largest weight of a row")
left.legend()
left.set_title("without the scale, one position takes all")
right.bar(["with residual", "without"], list(differences.values()), color=COLOURS[:2], width=0.5)
right.set(ylabel="spread over positions, out / in")
right.set_title("without the residual, positions look alike")
show(
    figure,
    alt="""Left: the largest attention weight of a row against d; divided by the root of d it stays
    low, not divided it climbs towards 1. Right: differences between positions after a fresh module,
    relative to before: about 1 with the residual, close to 0 without.""",
)

# %% [markdown]
# So the default is 1/sqrt(d) and a residual. One head is a choice as well, and we have not compared it.

# %% [markdown]
# **Coordinates** ([D3](../docs/decisions.md)). Attention does not know where a position lies. Put the
# positions into another order, and the outputs come in that order too, otherwise unchanged:

# %%
order = torch.randperm(h * w)
reordered = pooled(Q[:, order], K[:, order], V[:, order])
torch.testing.assert_close(reordered, pooled(Q, K, V)[:, order], rtol=1e-4, atol=1e-5)

# %% [markdown]
# Two objects that look alike must get different tags, so somebody has to say where they are. Hence x and
# y as two more channels. In which unit, the paper does not say. We compare three with the features they
# stand beside. A channel that is far from zero or much larger than the rest rules the random scores at
# the start of training.

# %% tags=["nbval-check-output"]
pixels = torch.arange(14.0)
units = {"pixels": pixels, "0 to 1": pixels / 13, "-1 to 1": 2 * pixels / 13 - 1}
for name, x in units.items():
    print(f"{name:<8} mean {x.mean():5.2f}, standard deviation {x.std(correction=0):.2f}")

# %%
features = f[:, : network.config.widths[-1]]
print(f"features mean {features.mean():5.2f}, standard deviation {features.std():.2f}")
x_channel = torch.linspace(-1, 1, w).expand(T, h, w)
torch.testing.assert_close(location_embedding(f)[0, 0], x_channel)

# %% [markdown]
# Pixels would be several times as loud as the features of the toy network, and louder still on a larger
# map. Both other units are of about the features' size and the same at any resolution. We take [-1, 1],
# which is centred; [0, 1] may do as well. No training has compared them.

# %% [markdown]
# ## Exercise
#
# **One attention step, in the other reading** (8 minutes). Write (b) for a single frame t: its S
# queries ask *all* T frames. Keys and values come as T x S x d. Each of your rows has a sum of 1 over how
# many positions?
#
# <details><summary>Hint</summary><code>keys.flatten(0, 1)</code> makes T x S x d into TS x d. Then it is
# the step from above, with one map of S x TS.</details>


# %% tags=["exercise"]
def non_local_step(query, keys, values):
    """S x d queries of one frame, T x S x d keys and values of all: S x d outputs."""
    ### BEGIN SOLUTION
    key, value = keys.flatten(0, 1), values.flatten(0, 1)
    scores = query @ key.T / query.shape[-1] ** 0.5
    return scores.softmax(dim=-1) @ value
    ### END SOLUTION


# %% tags=["check"]
check(non_local_step, check_non_local_step)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. To save more, somebody pools the scores over s and then takes one softmax. Is that
# still the same?</summary>
#
# No. Softmax is not linear: the mean of two maps with one peak each has two peaks, the softmax of mean
# scores need not. The algebra above moves a *linear* map, the product with $V_t$, out of the mean.
# </details>
#
# <details><summary>2. A clip twice as long. How much more work is (a), pooled?</summary>
#
# Close to four times: every frame asks every frame, $T^2 S^2 d$. The last product grows with T alone.
# </details>
#
# <details><summary>3. An object moves from left to right. Which queries shape u_t at its place in
# frame t?</summary>
#
# Those at the same *position*, in all frames: the pool is over s with the position held. Where the object
# has moved on, the query comes from whatever lies there in frame s. Only the projections, which see the
# coordinates too, can make up for it.
# </details>

# %% [markdown]
# ## In the package
#
# `tagvis_lite.model.attention` has these forms for whole batches. `pooled_attention` is the default: it
# never holds more than the maps of one frame t at inference. Same numbers as ours, on the network's
# features:

# %%
batch = [x[None] for x in (Q, K, V)]
torch.testing.assert_close(literal_attention(*batch)[0], literal(Q, K, V), rtol=1e-4, atol=1e-5)
torch.testing.assert_close(pooled_attention(*batch)[0], pooled(Q, K, V), rtol=1e-4, atol=1e-5)

# %% [markdown]
# And the whole module: project back to the width of $f$ and add the residual.

# %%
mixed = pooled(Q, K, V).permute(2, 0, 1).view(1, -1, T, h, w)
torch.testing.assert_close(module(f), f + module.project(mixed), rtol=1e-4, atol=1e-4)

# %% [markdown]
# ## Metrics
#
# What this lesson claims, as numbers.

# %%
off_diagonal = ~torch.eye(T, dtype=bool)
size = literal(Q, K, V).abs().max()
metrics = {
    "literal against pooled": ((literal(Q, K, V) - pooled(Q, K, V)).abs().max() / size).item(),
    "rows away from 1": (everyone.sum(-1) - 1).abs().max().item(),
    "work, literal / pooled": giga_macs["literal"] / giga_macs["pooled"],
    "spread with residual": differences[True],
    "spread without residual": differences[False],
}
for name, matrix in moved.items():
    metrics[f"moves others: {name}"] = matrix[off_diagonal].mean().item()
record("12", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %%
assert metrics["literal against pooled"] < 1e-5, "the cheap form differs from the literal one"
assert metrics["rows away from 1"] < 1e-5, "rows of an attention map must sum to 1"
assert abs(metrics["work, literal / pooled"] - 64 / 33) < 0.01
assert metrics["moves others: (a), values of s changed"] == 0, "values crossed frames under (a)"
assert metrics["moves others: (a), features of s changed"] > 0
assert metrics["moves others: (b), values of s changed"] > 0
assert differences[True] > 2 * differences[False]
assert largest["not divided"][-1] > 2 * largest["divided by the root of d"][-1]

# %% [markdown]
# ## Summary
#
# - One step of attention: scores, softmax along each row, weighted values.
# - Read literally, all frames ask and frame t answers, so $u_t$ mixes values of frame t only. As $V_t$
#   is the same for all who ask, the maps can be pooled first: half the work, the same numbers.
# - The non-local reading moves values between frames. Both are here; which is better is open.
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, section III-B. Scaled dot products are from Vaswani et al., *Attention Is All You
# Need*, 2017, and the non-local block from Wang et al., *Non-local Neural Networks*, 2018.

# %% [markdown]
# # 12 · Spatio-temporal attention: all frames ask, one frame answers
#
# **One idea:** read word by word, the paper lets every frame say *where to look* in frame t, but what is
# seen there is frame t alone. The same numbers can be had for half the work.
#
# Paper: section III-B, figure 2 · Time: 40 minutes to read, 25 for the exercises; 20 seconds on two CPU cores
#
# Figure 2, drawn from the network that comes with the package. Follow the two arrows that enter from the
# left: who asks, and who answers?

# %% tags=["parameters"]
PROFILE = "toy"  # toy or smoke: the shipped network; paper: its sizes with random weights
SEED = 0  # of random numbers, and which toy test video
DATA = ""  # empty: a toy test video; or a video, a folder of frames, a DAVIS or YouTube-VIS root
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from tagvis_lite.course import (
    COLOURS,
    check,
    claim,
    lesson_network,
    lesson_video,
    record,
    show,
    subplots,
)
from tagvis_lite.course.checks.lesson_12 import (
    check_asker,
    check_blind_attention,
    check_non_local_step,
)

# %% tags=["imports"]
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
from tagvis_lite.views.diagrams import draw_attention
from tagvis_lite.views.objects import draw_objects

torch.manual_seed(SEED)
_ = torch.set_grad_enabled(False)  # nothing is trained here

# %% tags=["fold"]
network, config = lesson_network(PROFILE, clip_frames=4)
draw_attention(config, "spatio_temporal")

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

# %% tags=["fold"]
half = giga_macs["pooled"] / giga_macs["literal"]
same = claim(
    "Pooling the maps first is the same for about half the work",
    abs(half - 33 / 64) < 0.01 and torch.allclose(literal(Q, K, V), pooled(Q, K, V), atol=1e-5),
    over="the paper's sizes; random queries, keys and values",
)

# %% [markdown]
# ## The picture
#
# Real features now. The network that comes with the package has learnt on toy videos; we take its
# encoder and its 1 x 1 convolutions for query, key and value. Between the two, the paper adds two
# channels with the spatial coordinates of each position: its 256 + 2 = 258. Why, we see below.

# %%
module = network.spatio_temporal_attention
video = lesson_video(DATA, 0 if DATA else 5 + SEED)
frames, indices, _ = read_clip(video, config.data)

# %%
features_of_frames = f = network.encoder(frames[None])
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


# %% tags=["fold"]
def mark(axis, row, column):
    height, width = pictures.shape[1:3]
    place = (column + 0.5) * width / w, (row + 0.5) * height / h
    axis.plot(*place, marker="o", markersize=9, mfc="none", mec="white", mew=2)
    axis.plot(*place, marker="o", markersize=7, mfc="none", mec="black", mew=1)


# %%
def looks_at(t, row, column):
    return attention_map(Q[s], K[t])[row * w + column].view(h, w)


# %% tags=["fold"]
step = 1 + T // 8
shown = range(s % step, T, step)
maps = torch.stack([looks_at(t, *query) for t in shown])
figure, axes = subplots(2, len(shown), width=7.5, height=3.8)
for t, weights, (above, below) in zip(shown, maps, axes.T, strict=True):
    above.imshow(pictures[t])
    image = below.imshow(weights, vmin=0, vmax=maps.max(), cmap="viridis")
    draw_objects(below, np.where(ids[t] == 255, 0, ids[t]).astype(np.uint8), (h, w), numbers=False)
    above.set_title(f"s = {t}" if t == s else f"t = {t}")
    for axis in (above, below):
        axis.set(xticks=[], yticks=[])
mark(axes[0, shown.index(s)], *query)

# %% tags=["fold"]
figure.colorbar(image, ax=axes[1], label="weight", fraction=0.02)
figure.suptitle("One asks, every frame answers")  # given: the definition of A_st
show(
    figure,
    alt=f"""Above: {len(shown)} frames of {video.name}, in frame {s} a ring marks the asking position. Below:
    its attention map in each frame, on a grid of {h} x {w}, with the objects outlined; brighter cells get
    more of the weight.""",
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
# The network is free to look past the objects, at the ground beside and between them. (The last number is
# the mean exponential of a row's entropy.) And does it matter who asks? We compare the maps of every two
# positions of frame s: how much weight do they put on the same places? As a control, the same maps with
# their cells shuffled.

# %%
asked = everyone[:, s]  # T x S x S: the maps of frame s in every frame
shared = torch.stack([torch.minimum(asked, asked.roll(k, 1)).sum(-1) for k in range(1, h * w)])
mixed = asked[:, :, torch.randperm(h * w)]
by_chance = torch.stack([torch.minimum(asked, mixed.roll(k, 1)).sum(-1) for k in range(1, h * w)])
print(f"two positions share {shared.mean():.2f} of their weight, shuffled {by_chance.mean():.2f}")

# %% tags=["fold"]
alike = "Where another position looks"
if PROFILE != "paper":  # random weights look everywhere
    alike = claim(
        "Two positions share more of where they look than chance has it",
        shared.mean() > 1.3 * by_chance.mean(),
        over=f"all pairs of {h * w} positions, {T} frames",
    )

# %% [markdown]
# ## Try it
#
# The picker: click a cell of the asking frame, or move with the arrow keys, and see where it looks in all
# frames; the slider sets the frame that asks. Do neighbours look at the same place? Does a position look
# at its own object? (The switch *softmax over* is for the next section.)

# %% tags=["fold"]
maps, shares = attention_over_clip(Q, K)
np.testing.assert_allclose(maps[s, 0, 1], attention_map(Q[s], K[1])[0], atol=1e-5)
AttentionPicker(
    pictures,
    maps,
    shares,
    grid=(h, w),
    frame=T - 1,
    cell=tuple(cells[0]),
    title=alike,
    alt="""The last frame with one cell marked, and dark copies of all frames with the attention map of
    that cell over each: bright cells get more of the weight.""",
)

# %% [markdown]
# ## The paper does not say
#
# **Who asks whom** ([D4](../docs/decisions.md)). Reading (a) is the sentence quoted above. Reading (b) is
# the usual *non-local* block: frame t asks, and the positions of *all* frames share one softmax and hand
# out their values.
#
# An experiment instead of an argument: paint one frame s. One and the same vector is added to the features
# of all its positions, not to their coordinates. Which outputs $u_t$ move? First only the *values* of frame
# s are painted, under (a); then its features, and so query, key and value, under (a) and under (b). One
# paint can mislead, some colours are hardly looked at; we take the mean of sixteen random ones.


# %%
channels = features_of_frames.shape[1]
paints = features_of_frames.std() * torch.randn(16, channels, 1, 1)


def painted(features, s, paint):
    """The same features, the appearance of frame s changed: 1 x C x T x h x w."""
    changed = features.clone()
    changed[:, :channels, s] += paint
    return changed


def reading_b(Q, K, V):
    return non_local_attention(Q[None], K[None], V[None])[0]


def influence(attention, values_only=False):
    """T x T: how far u_t moves, relative to its size, when frame s is painted; a mean of paints."""
    before, moves = attention(Q, K, V), torch.zeros(T, T)
    for paint in paints:
        for s in range(T):
            q, k, v = project(painted(f, s, paint))
            after = attention(Q, K, v) if values_only else attention(q, k, v)
            moves[s] += (after - before).norm(dim=(1, 2)) / before.norm(dim=(1, 2))
    return moves / len(paints)


# %%
moved = {
    "(a), values painted": influence(pooled, values_only=True),
    "(a), features painted": influence(pooled),
    "(b), features painted": influence(reading_b),
}
others = {name: matrix[~torch.eye(T, dtype=bool)] for name, matrix in moved.items()}
print({name: f"{values.mean():.3f}" for name, values in others.items()})

# %% tags=["fold"]
over = f"{T * (T - 1)} pairs of frames, {len(paints)} paints"
closed = claim(
    "Under (a) no other frame's values reach $u_t$",
    bool((others["(a), values painted"] == 0).all()),
    over=over,
)
travels = claim(
    "A painted frame moves the others more under (b)",
    others["(b), features painted"].mean() > others["(a), features painted"].mean(),
    over=over,
)
figure, axes = subplots(1, 3, width=9, height=2.9)
top = max(values.max() for values in others.values())
for axis, (name, matrix) in zip(axes, moved.items(), strict=True):
    image = axis.imshow(matrix, vmin=0, vmax=top, cmap="viridis")
    axis.set(xlabel="output $u_t$", ylabel="painted frame s", title=name)
figure.colorbar(image, ax=axes, extend="max", fraction=0.02)
figure.suptitle(closed)
show(
    figure,
    alt="""Three matrices of painted frame s against output frame t, on one scale of colours. Values under
    (a): only the diagonal is not zero. Features under (a): little off the diagonal. Features under (b):
    changes everywhere.""",
)

# %% [markdown]
# This answers the question. **This module brings no red into $u_1$.** Under (a) the values of frame 2 never
# enter: left matrix, zero off the diagonal, exactly. Frame 2 only has a say in *where frame 1 is looked at*:
# middle matrix. In (b) values travel: right matrix. That fits the stated aim better; (a) fits the sentence.
# We follow (a) by default and offer both. What either is worth on toy videos, and what the whole module is
# worth, stands with its intervals in the [report](../docs/report.md): at this size neither shows. <!--
# claim: closed, travels -->
#
# One reason may be the encoder: its kernels over time (lesson [11](11_encoder.ipynb)) mix neighbouring frames
# long before, so some red is in $f_1$ already.
#
# One more consequence of (a): each map sums to 1 *in each frame t*, so no frame can be ignored. In (b) a
# row sums to 1 over the whole clip, and a blurred frame may get nothing. Go back to the picker and let the
# softmax run over *the whole clip*: the bar below each frame is the share that it gets.

# %% [markdown]
# **Scale** ([D5](../docs/decisions.md)). A score is a sum of $d$ products, so it grows like $\sqrt d$.
# Without the division softmax soon gives everything to one position, and its gradient vanishes.
#
# **Residual** (D5). At the start of training the projections are random. What is left of the differences
# between positions behind such a module, with the input added to the output and without? As a control, the
# two projections alone, without any attention: random weights shrink differences by themselves.

# %%
widths = [1, 4, 16, 64, 256]
largest = {"divided by the root of d": [], "not divided": []}
for d in widths:
    a, b = torch.randn(2, 64, d)
    for name, factor in zip(largest, (1, d**0.5), strict=True):
        largest[name].append(attention_map(factor * a, b).max(dim=-1).values.mean())
differences = {}


def spread(features):
    """Of the positions of a frame, as a share of that of the module's input."""
    return (features.flatten(3).std(-1).mean() / f.flatten(3).std(-1).mean()).item()


for residual in (True, False):
    fresh = Attention(f.shape[1], module.query.out_channels, "pooled", residual)
    differences["with" if residual else "without"] = spread(fresh(f))
differences["no attention"] = spread(fresh.project(fresh.value(f)))

# %% tags=["fold"]
one_takes_all = claim(
    "Without the scale one position takes most",
    largest["not divided"][-1] > 0.8 > 0.5 > largest["divided by the root of d"][-1],
    over=f"64 queries and keys of {widths[-1]} numbers",
)

# %% tags=["fold"]
look_alike = claim(
    "Attention without a residual makes positions alike",
    differences["without"] < 0.5 * differences["no attention"] < differences["with"],
    over=f"{h * w} positions, a fresh module",
)
figure, (left, right) = subplots(1, 2, width=9, height=2.8)
for name, values in largest.items():
    left.plot(widths, values, marker="o", label=name)
left.set(xscale="log", ylim=(0, 1), xlabel="d", ylabel="largest weight of a row")
left.legend()
left.set_title(one_takes_all)
right.bar(list(differences), list(differences.values()), color=COLOURS[:3], width=0.5)
right.set(ylabel="spread over positions, out / in")
right.set_title(look_alike)
show(
    figure,
    alt="""Left: the largest attention weight of a row against d; divided by the root of d it stays
    low, not divided it climbs towards 1. Right: differences between positions after a fresh module,
    relative to before: about 1 with the residual, close to 0 without, in between for the
    projections alone.""",
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
# Two objects that look alike must get different tags, and x and y as two more channels say where they are.
# (The zeros around every convolution say it too; leaving the channels out costs next to nothing on toy
# videos, [report](../docs/report.md).) In which unit, the paper does not say. We compare three with the
# features they stand beside. A channel that is far from zero or much larger than the rest rules the random
# scores at the start of training.

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
# **1. Predict** (3 minutes). Frame 2 of a clip is replaced by black, all its features are 0. Under reading
# (a), which of these can still change for $u_1$: `"where"` (the weights on positions of frame 1), `"what"`
# (the values that are weighed), or `"both"`?


# %% tags=["exercise"]
def changes_for_u1():
    """What frame 2 decides about u_1: 'where', 'what' or 'both'."""
    ### BEGIN SOLUTION
    return "where"
    ### END SOLUTION


# %% tags=["check"]
check(changes_for_u1, check_asker)

# %% [markdown]
# **2. Code, in the other reading** (8 minutes). Write (b) for a single frame t: its S queries ask *all* T
# frames. Keys and values come as T x S x d. Each of your rows has a sum of 1 over how many positions?
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
# **3. Break it** (6 minutes). Attention that looks at everything alike is a mean, and no query matters. Give
# queries and keys, 4 x 3 and 5 x 3, none of them all zero, no two keys equal, so that every position gets
# the same weight from everybody.
#
# <details><summary>Hint</summary>A score is a product. When is a product zero though neither factor is?</details>


# %% tags=["exercise"]
def blind_attention():
    """Queries 4 x 3 and keys 5 x 3 whose attention map is even."""
    ### BEGIN SOLUTION
    query = torch.tensor([[1.0, 0.0, 0.0]]).repeat(4, 1)
    key = torch.cat([torch.zeros(5, 1), torch.arange(1.0, 11.0).view(5, 2)], dim=1)
    return query, key
    ### END SOLUTION


# %% tags=["check"]
check(blind_attention, check_blind_attention)

# %% [markdown]
# **4. Open.** Think of a third reading of the sentence that brings red into $u_1$ and still lets 'all frames
# ask'. Write it in ten lines, and count its operations. *Judge it*: paint a frame as above. Which matrix do
# you want to see, and is it worth its price?

# %% [markdown]
# ## Quiz
#
# <details><summary>1. To save more, somebody pools the scores over s and then takes one softmax. Is that
# still the same?</summary>
#
# No. Softmax is not linear: the mean of two maps with one peak each has two peaks, the softmax of mean
# scores need not. The algebra above moves a *linear* map, the product with $V_t$, out of the
# mean. <!-- given: softmax of a sum -->
# </details>
#
# <details><summary>2. A clip twice as long. How much more work is (a), pooled?</summary>
#
# Close to four times: every frame asks every frame, $T^2 S^2 d$. The last product grows with T
# alone. <!-- given: the count above -->
# </details>
#
# <details><summary>3. An object moves from left to right. Which queries shape u_t at its place in
# frame t?</summary>
#
# Those at the same *position*, in all frames: the pool is over s with the position held. Where the object
# has moved on, the query comes from whatever lies there in frame s. Only the projections, which see the
# coordinates too, can make up for it. <!-- given: the sum over s in u_t -->
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

# %% tags=["fold"]
size = literal(Q, K, V).abs().max()
metrics = {
    "literal against pooled": ((literal(Q, K, V) - pooled(Q, K, V)).abs().max() / size).item(),
    "rows away from 1": (everyone.sum(-1) - 1).abs().max().item(),
    "work, literal / pooled": giga_macs["literal"] / giga_macs["pooled"],
    "spread with residual": differences["with"],
    "spread without residual": differences["without"],
    "spread without attention": differences["no attention"],
    "weight that two positions share": shared.mean().item(),
}
for name, values in others.items():
    metrics[f"moves others: {name}"] = values.mean().item()
record("12", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert metrics["literal against pooled"] < 1e-5, "the cheap form differs from the literal one"
assert metrics["rows away from 1"] < 1e-5, "rows of an attention map must sum to 1"
assert abs(metrics["work, literal / pooled"] - 64 / 33) < 0.01

# %% [markdown]
# ## Summary
#
# - One step of attention: scores, softmax along each row, weighted
#   values. <!-- given: the definition -->
# - Read literally, all frames ask and frame t answers, so $u_t$ mixes values of frame t only. As $V_t$
#   is the same for all who ask, the maps can be pooled first: half the work, the same
#   numbers. <!-- claim: closed, same -->
# - The non-local reading moves values between frames. Both are here; which is better is
#   open. <!-- claim: travels -->
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, section III-B. Scaled dot products are from Vaswani et al., *Attention Is All You
# Need*, 2017, and the non-local block from Wang et al., *Non-local Neural Networks*, 2018.

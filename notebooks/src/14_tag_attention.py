# %% [markdown]
# # 14 · Tag-based attention: what can two numbers say to each other?
#
# **One idea:** embed the predicted tags and let their positions attend to each other. That gives the
# semantic loss a way back into the tags; it cannot, with these layers, let every instance find itself.
#
# Paper: section III-C, figure 3 · Time: 35 minutes to read, 25 for the exercises; 20 seconds on two CPU cores
#
# Figure 3, drawn from the network that comes with the package. It is figure 2 again, with tags where
# features were:

# %% tags=["parameters"]
PROFILE = "toy"  # toy or smoke: the shipped network; paper: its sizes with random weights
SEED = 0  # of random weights, and which toy test videos
DATA = ""  # empty: toy test videos; or a DAVIS or YouTube-VIS root (label maps are needed)
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from dataclasses import replace

import numpy as np
import torch
from matplotlib import colormaps

from tagvis_lite.clips import make_clip, spread_indices
from tagvis_lite.course import (
    COLOURS,
    check,
    claim,
    explore,
    lesson_network,
    lesson_video,
    record,
    show,
    subplots,
)
from tagvis_lite.course.checks.lesson_14 import check_flat_affinity, check_own_kind, check_who_wins
from tagvis_lite.losses import semantic_loss, tagging_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.views import AttentionPicker
from tagvis_lite.views.diagrams import draw_attention

_ = torch.manual_seed(SEED)

# %% tags=["fold"]
network, config = lesson_network(PROFILE, clip_frames=2)
draw_attention(config, "tag")

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - follow the sizes from a tag map of 112 x 112 x 1 to features of 14 x 14 x 256, and write the module,
# - work out which affinities are possible when the features are functions of one number,
# - show by gradients that this module alone connects the semantic loss with the tags.
#
# You need: attention, lesson [12](12_attention.ipynb); tags, lesson [13](13_tags.ipynb).
#
# Previous: [13 · bottleneck and tag generator](13_tags.ipynb) ·
# Next: [15 · self-attention and semantics](15_semantics.ipynb)

# %% [markdown]
# ## A question
#
# Four instances lie in a frame. The network has given them the tags **-4.5, -1.5, 1.5 and 4.5**, well
# apart, as the tagging loss wants. Now every position turns its tag into a query and a key, and attends.
# 'Like tags attract', one would think.
#
# Write down before you go on: *A position of the instance with tag 1.5 asks. Which of the four instances
# gets most of its attention?*

# %% [markdown] tags=["fig-3"]
# ## The paper
#
# Figure 3 is figure 2 with other inputs: all frames' tags $p_{t=1,\dots,32}$ give the query, the tags
# $p_{t=1}$ of one frame give key and value, 1 x 1 convolutions, a dot product, weighted values, a pool over
# time. Its output $w_t$ joins the semantic decoder. The stated aim: 'predicted tags improve owing to the
# global tag-based context'. Only the sizes at both ends are printed.
#
# | symbol | meaning | paper | toy |
# |---|---|---|---|
# | $p_t$ | tags of frame $t$, one number per pixel | 112 x 112 x 1 | 64 x 64 x 1 |
# | $e_t$ | their embedding, one vector per 8 x 8 patch (our reading) | 14 x 14 x 256 | 8 x 8 x 96 |
# | $A_{st}$ | affinity of positions of frame $s$ to positions of frame $t$ | 196 x 196 | 64 x 64 |
# | $w_t$ | output | 14 x 14 x 256 | 8 x 8 x 96 |
#
# From 112 to 14 is a factor of 8. We read it as one convolution whose kernel and stride are both 8: each
# patch of 64 tags becomes one vector ([D22](../docs/decisions.md)).

# %% [markdown]
# ## In code
#
# The embedding. A kernel that never overlaps itself is a matrix product on patches.


# %%
def embed(tags, kernel, bias):
    """h x w tags and a C x 1 x 1 x side x side kernel to S x C vectors, one per patch."""
    side = kernel.shape[-1]
    patches = tags.unfold(0, side, side).unfold(1, side, side)  # rows x columns x side x side
    return patches.flatten(2).flatten(0, 1) @ kernel.flatten(1).T + bias


# %% [markdown]
# Query, key, affinity: as in lesson 12, with embedded tags for features.


# %%
def linear(projection, vectors):
    """A 1 x 1 convolution on S vectors: a matrix and a bias."""
    return vectors @ projection.weight.flatten(1).T + projection.bias


# %% [markdown]
# From features to weights, as in lesson 12:

# %%


def affinity(asking, answering, attention):
    """Embeddings of two frames, S x C each, to S x S weights; each row sums to 1."""
    query = linear(attention.query, asking)
    key = linear(attention.key, answering)
    return (query @ key.T / key.shape[-1] ** 0.5).softmax(dim=-1)


# %% [markdown]
# Weigh the values of frame t, pool over the asking frames s, project back, add the input.


# %%
def tag_attention(tags, module):
    """T x h x w tags to w_t: T x S x C."""
    e = [embed(frame, module.embed.weight, module.embed.bias) for frame in tags]
    w = []
    for answering in e:
        maps = torch.stack([affinity(asking, answering, module.attention) for asking in e])
        mixed = maps.mean(dim=0) @ linear(module.attention.value, answering)
        w.append(answering + linear(module.attention.project, mixed))
    return torch.stack(w)


# %% [markdown]
# Now to try it, on the network that comes with the package; its weights stay as they are.

# %%
_ = network.requires_grad_(False)
module = network.tag_attention
side, C = module.embed.kernel_size[-1], config.model.feature_channels
assert tag_attention(torch.randn(2, 5 * side, 6 * side), module).shape == (2, 30, C)

# %% [markdown]
# ## By hand
#
# Take the smallest case: every patch is *flat*, all its tags equal. One channel, $e = \tau$; the query is
# $\tau \ln 4$, the key is $\tau$. Three patches with tags -1, 0 and 1. The scores are
# $\tau\,\tau' \ln 4$, and their exponentials $4^{\tau\tau'}$:
#
# | asks \ answers | -1 | 0 | 1 | after softmax |
# |---|---|---|---|---|
# | **-1** | 4 | 1 | 1/4 | 16/21, 4/21, 1/21 |
# | **0** | 1 | 1 | 1 | 1/3, 1/3, 1/3 |
# | **1** | 1/4 | 1 | 4 | 1/21, 4/21, 16/21 |
#
# The outer two look at themselves. The one in the middle looks everywhere.

# %% tags=["nbval-check-output"]
tau = torch.tensor([-1.0, 0.0, 1.0])
by_hand = (tau[:, None] * tau * torch.tensor(4.0).log()).softmax(dim=-1)
print((21 * by_hand).round(decimals=3).tolist())

# %% [markdown]
# **In general.** The embedding of a flat patch is $e = a\tau + b$, where $a$ sums the kernel over its 8 x 8
# weights. Query and key are linear in $e$. So a score is a product of two linear functions of a tag:
#
# $$\text{score}(\tau, \tau') = c_1\,\tau\tau' + c_2\,\tau + c_3\,\tau' + c_4
# \qquad\Rightarrow\qquad \text{affinity} \propto e^{(c_1 \tau + c_3)\,\tau'}$$
#
# $c_2\tau + c_4$ is the same for all who answer and cancels in the softmax. What is left is a *tilt*: with
# $c_1 > 0$, an asking tag above $-c_3/c_1$ prefers **the largest tag there is**, one below it the smallest.
# 256 channels, 150 thousand weights, and two numbers say it all.
#
# **The question, answered:** tag 1.5 looks most at the instance of tag 4.5 (or, if $-c_3/c_1 > 1.5$, at that
# of -4.5), never at its own. As long as features are linear in *one flat tag*, an instance in the middle
# cannot prefer itself. Real patches have edges and are not flat: the trained network, further down, is not
# bound by this.
#
# Yet *on average* like do attract. Of the mean score within instances, minus the mean score between them,
# the terms with $c_2$ and $c_3$ cancel, and of $c_1$ remains, for $N$ tags $\tau_n$,
#
# $$\text{within} - \text{between} = c_1 \, \frac{N}{N-1}\, \mathrm{var}(\tau_n).$$
#
# So the sign of one number decides, and the difference grows with the *square* of the gap. Which sign has
# training chosen?


# %%
def tilt(module):
    """c_1 and c_3 of a TagAttention."""
    a, b = module.embed.weight.sum(dim=(1, 2, 3, 4)), module.embed.bias
    query, key = module.attention.query, module.attention.key
    along = key.weight.flatten(1) @ a / len(key.weight) ** 0.5
    return (linear(query, a + b) - linear(query, b)) @ along, linear(query, b) @ along


# %% [markdown]
# For the network that comes with the package:

# %%

c1, c3 = (c.item() for c in tilt(module))
print(f"c_1 = {c1:.2g}, c_3 = {c3:.2g}, turning point {-c3 / c1:.2g}")

# %% [markdown]
# ## The picture
#
# Twelve videos, their tags by the network, and from ground truth the instance that fills most of each
# patch.


# %%
def look(number):
    """Pictures, tags T x h x w, the clip with its labels, instance of each patch T x S."""
    video = lesson_video(DATA, number)
    indices = spread_indices(len(video), config.data.clip_frames)
    model = config.model
    clip = make_clip(
        video, indices, config.data, model.num_classes, label_stride=model.label_stride
    )
    tags = network(clip.frames[None]).tags[0]
    return video.read_frames(indices), tags, clip, by_patch(clip.ids)


# %% [markdown]
# The instance of a patch is the one that most of its pixels belong to.

# %%


def by_patch(ids):
    patches = ids.unfold(1, side, side).unfold(2, side, side)
    owner = patches.flatten(3).mode(dim=-1).values.flatten(1)
    return torch.where(owner == 255, 0, owner)


# %% [markdown]
# Which videos:

# %%
first, count = (0, 1) if DATA else (12 * SEED, 2 if PROFILE == "paper" else 12)
seen = [look(first + k) for k in range(count)]

# %% [markdown]
# Affinities of all positions of all frames, as multiples of an even share: 1 means 'no more than any
# position'. Then the mean over pairs of positions of two instances.


# %%
def affinities(tags):
    """TS x TS: each row in the units of an even share, so its mean is 1."""
    e = [embed(frame, module.embed.weight, module.embed.bias) for frame in tags]
    maps = [[affinity(s, t, module.attention) for t in e] for s in e]
    return len(e[0]) * torch.cat([torch.cat(row, dim=1) for row in maps])


# %% [markdown]
# A table of instances by instances:

# %%


def by_instance(maps, owner):
    """N x N: mean affinity of instance n (asks) to instance n' (answers)."""
    member = [(owner.flatten() == n).float() for n in owner.unique() if n > 0]
    member = torch.stack(member)
    return member @ maps @ member.T / (member.sum(1)[:, None] * member.sum(1))


# %% [markdown]
# And two numbers, over all pairs of positions:


# %%
def within_and_between(maps, owner):
    """Mean affinity over pairs of positions of one instance, and of two."""
    owner = owner.flatten()
    pair = (owner[:, None] > 0) & (owner > 0)
    same = pair & (owner[:, None] == owner)
    return torch.stack([maps[same].mean(), maps[pair & ~same].mean()])


# %% [markdown]
# We look closely at one of the videos, the one with most instances.

# %%

shown = max(range(count), key=lambda k: len(seen[k][3].unique()))
pictures, tags, clip, owner = seen[shown]
ids = clip.ids
maps = affinities(tags)

# %% [markdown]
# First the video with most instances, in one frame: where do the positions of the lowest, a middle and the
# highest instance look? Instances are sorted by their tag.

# %%
T, grid = len(tags), [x // side for x in tags.shape[1:]]
numbers = [n for n in owner.unique().tolist() if n > 0]
numbers = sorted(numbers, key=lambda n: tags[ids == n].mean())
t = max(range(T), key=lambda t: len(owner[t].unique()))
present = [n for n in numbers if (owner[t] == n).any()]
one_frame = maps.view(T, owner.shape[1], T, -1)[t, :, t]  # S x S
asking = [present[0], present[len(present) // 2], present[-1]]

# %% tags=["fold"]
figure, axes = subplots(1, 5, width=8.5, height=2)
axes[0].imshow(pictures[t])
axes[1].imshow(tags[t])
height, width = tags.shape[1:]
for axis, n in zip(axes[2:], asking, strict=True):
    look_at = one_frame[owner[t] == n].mean(dim=0).view(*grid)
    image = axis.imshow(look_at, vmin=0, vmax=4, cmap="cividis", extent=(0, width, height, 0))
    axis.contour(ids[t] == n, levels=[0.5], colors="white", linewidths=1.5)
names = ["frame", "tags", *(f"tag {tags[ids == n].mean():.1f} asks" for n in asking)]
for axis, name in zip(axes, names, strict=True):
    axis.set(xticks=[], yticks=[], title=name)

# %% tags=["fold"]
figure.colorbar(image, ax=axes[2:], label="affinity", extend="max", fraction=0.03)
show(
    figure,
    alt="""A frame, its tag map, and three maps on the grid of positions: where the instance with the
    lowest tag, one in the middle and the one with the highest tag look. Each asking instance is
    outlined in white.""",
)

# %% [markdown]
# Read the tag map first. On objects it is nearly flat. *Around* them it is a ramp over the frame: nobody
# told the tags of the background what to be, and position is what they fell back on. Those positions answer
# as well, and low tags look at all low tags, object or not.
#
# Now the affinity by instance, and within against between for all videos. Third and fourth column: the same
# with the label maps *mirrored*, so that the 'instances' are regions where no such objects are.

# %%
table = by_instance(maps, owner)
order = np.argsort(np.argsort(numbers))  # by_instance sorts by id, we by tag
table = table[order][:, order]

# %% [markdown]
# For every video the two numbers, with the true labels and with mirrored ones:

# %%
rows = []
for _, one_tags, one_clip, one_owner in seen:
    one_maps = affinities(one_tags)
    pairs = [within_and_between(one_maps, one_owner)]
    pairs.append(within_and_between(one_maps, by_patch(one_clip.ids.flip(-1))))
    rows.append(torch.cat(pairs))
rows = torch.stack(rows)

# %% tags=["fold"]
figure, (left, right) = subplots(1, 2, width=6.8, height=2.9)
left.imshow(table, cmap="cividis")
for (n, m), value in np.ndenumerate(table.numpy()):
    colour = "black" if value > table.max() / 2 else "white"
    left.text(m, n, f"{value:.1f}", ha="center", va="center", color=colour)
levels = [f"{tags[ids == n].mean():.1f}" for n in numbers]
left.set_xticks(range(len(levels)), levels)
left.set_yticks(range(len(levels)), levels)
_ = left.set(
    xlabel="mean tag of the answering instance",
    ylabel="asking instance",
    title="one video, by tag",
)

# %% tags=["fold"]
right.axhline(1, color="black", linewidth=0.8, linestyle="--")
for row in rows:
    right.plot([0, 1], row[:2], marker="o", color=COLOURS[0], linewidth=0.8)
    right.plot([2, 3], row[2:], marker="o", color=COLOURS[1], linewidth=0.8)
right.set_xticks(range(4), ["within", "between", "within,\nmirrored", "between,\nmirrored"])
right.set(ylabel="affinity (1: an even share)", ylim=(0, None))
right.set_title("true and mirrored labels")
show(
    figure,
    alt="""Left: a table of mean affinity by asking and answering instance, both sorted by tag.
    Right: one line per video from the affinity within instances down to that between instances, for
    the true label maps and for mirrored ones.""",
)

# %% [markdown]
# In words:

# %% tags=["nbval-check-output"]
held = rows[:, 0] > rows[:, 1]
print(f"within above between in {int(held.sum())} of {count} videos")
means = rows.nanmean(dim=0)
print(f"true labels: within {means[0]:.1f}, between {means[1]:.1f}")
print(f"mirrored:    within {means[2]:.1f}, between {means[3]:.1f}")

# %% [markdown]
# And the middle? The tilt says that of *flat* patches no middle instance prefers itself. For every instance
# that is neither lowest nor highest by tag, is its largest affinity on itself?


# %%
def middles(one_tags, one_clip, one_owner):
    """Whether each instance in the middle prefers itself."""
    there = [n for n in one_owner.unique().tolist() if n > 0]
    by_tag = np.argsort([one_tags[one_clip.ids == n].mean() for n in there])
    return [by_instance(affinities(one_tags), one_owner)[n].argmax() == n for n in by_tag[1:-1]]


own_kind = [bool(x) for _, *one in seen for x in middles(*one)]
print(f"{sum(own_kind)} of {len(own_kind)} middle instances prefer themselves")

# %% tags=["fold"]
attracts = no_better = some = "Not claimed of random weights"
if PROFILE != "paper" and not DATA:
    over = f"{count} videos, the shipped weights"
    attracts = claim(
        "On average affinity within instances is above that between them",
        held.float().mean() >= 0.75 and means[0] > 1.05 * means[1],
        over=over,
    )
    no_better = claim(
        "Regions where no object is have much the same affinities",
        means[2] > 0.6 * means[0],
        over=over,
    )
    some = claim(
        "Some middle instances prefer themselves, some do not",
        0.1 < np.mean(own_kind) < 0.9,
        over=f"{len(own_kind)} middle instances of {count} videos",
    )

# %% [markdown]
# Two findings, on toy videos with the shipped weights.
#
# 1. *Within is above between*, and the table fades from corner to corner as the tilt predicts: rows in the
#   middle are pale. Patches of a real tag map are not flat, and what their edges add decides there: some
#   middle instances prefer themselves. <!-- claim: attracts, some -->
# 2. *It has little to do with instances.* Mirrored labels, which cut regions out of ramp and objects alike,
#    give about the same. Affinity follows tags; tags are alike wherever positions are close. Without the
#    mirrored control the first finding would have sounded like more than it
#    is. <!-- claim: no_better -->
#
# ### Which way the gradient flows
#
# Cross-entropy judges the masks, and the masks come from $q_t$ and from $w_t$. Only $w_t$ was made from tags.
# So: the gradient of each loss with respect to $p_t$, in the shipped network and in one without the branch.


# %%
def gradients(network, frames, ids, semantic):
    """d cross-entropy / d p and d tagging loss / d p; None where no path leads back."""
    kept = []
    hook = network.tag_generator.register_forward_hook(
        lambda _module, _inputs, tags: kept.append(tags.requires_grad_())
    )
    prediction = network(frames)
    hook.remove()
    losses = (
        semantic_loss(prediction.semantic_logits, semantic),
        tagging_loss(prediction.tags, ids, config.loss),
    )
    return [
        torch.autograd.grad(x, kept[0], retain_graph=True, allow_unused=True)[0] for x in losses
    ]


# %% [markdown]
# In the shipped network, and in one that has no such branch:

# %%
batch = clip.frames[None], clip.ids[None], clip.semantic[None]
of_semantics, of_tagging = gradients(network, *batch)
cut = TagVIS(replace(config.model, pretrained=False, tag_branch="removed")).eval()
without_branch, _ = gradients(cut, *batch)

# %% tags=["fold"]
figure, axes = subplots(1, 2, width=5.5, height=2.2)
for axis, gradient in zip(axes, (of_tagging, of_semantics), strict=True):
    image = axis.imshow(gradient[0, 0, t].abs(), vmin=0, cmap="cividis")
    figure.colorbar(image, ax=axis, fraction=0.046)
names = ["|gradient| of the tagging loss", "|gradient| of cross-entropy"]
for axis, name in zip(axes, names, strict=True):
    axis.set(xticks=[], yticks=[], title=name)
show(
    figure,
    alt="""Two maps of the size of a gradient with respect to the tags of the frame above. That of the tagging
    loss is zero outside the objects; that of cross-entropy is not zero on the background.""",
)

# %% [markdown]
# Does either loss touch a tag of the background?

# %% tags=["nbval-check-output"]
background = ids == 0
on_background = [g[0, 0][background].abs().sum().item() for g in (of_tagging, of_semantics)]
print("tagging loss reaches tags of the background:", on_background[0] > 0)
print("cross-entropy reaches them:", on_background[1] > 0)
print("cross-entropy reaches any tag without the branch:", without_branch is not None)

# %% tags=["fold"]
only_way = claim(
    "Cross-entropy reaches tags through this branch alone",
    on_background[0] == 0 < on_background[1] and without_branch is None,
    over="the shipped network, and one without the branch",
)

# %% [markdown]
# Without the branch there is no path at all: autograd returns `None`. With it, cross-entropy is the *only*
# loss that touches a tag on the background itself. It is a quiet one; compare the two colour bars. Whether
# it teaches tags anything is a question for training runs, Table III, lesson [21](21_ablations.ipynb).

# %% [markdown]
# ## Try it
#
# Pick positions of the *tag map*, dark for low tags and bright for high ones, and see where each looks
# within its frame. Is there one in the middle of the range that looks at its own kind? (An even share is one
# over the number of positions, here 1/64 = 0.016 with the toy network.)

# %%
S = owner.shape[1]
within_frame = maps.view(T, S, T, S)[range(T), :, range(T)] / S  # T x S x S, rows of sum 1
low, high = tags.aminmax()
tag_maps = colormaps["cividis"]((tags - low) / (high - low))[..., :3]
patches_asked = (owner[t] == asking[-1]).nonzero().flatten().tolist()
cell = divmod(patches_asked[len(patches_asked) // 2], grid[1])

# %% tags=["fold"]
AttentionPicker(
    np.round(255 * tag_maps).astype(np.uint8),
    within_frame,
    grid=tuple(grid),
    frame=t,
    cell=cell,
    title="A high tag asks",
    alt="""A tag map with one cell marked, on the instance with the highest tag, and a dark copy with the
    affinities of that cell over it: they are large where tags are high and small where they are low.""",
)

# %% [markdown]
# Then the slider sets the gap between neighbouring tags. Instances are four flat stripes, the rest of the
# frame has tag 0, and the attention is the network's. Watch both middle rows.

# %%
stripes = torch.zeros(9, 8, dtype=torch.long)
for n in range(4):
    stripes[2 * n + 1, 1:7] = n + 1

# %% [markdown]
# Affinities of these stripes at a gap:

# %%


def at_gap(gap):
    """Affinity by instance, and within and between."""
    level = torch.tensor([0, -1.5, -0.5, 0.5, 1.5])[stripes] * gap
    flat = level.repeat_interleave(side, 0).repeat_interleave(side, 1)
    maps = affinities(flat[None])
    return by_instance(maps, stripes), within_and_between(maps, stripes)


# %% tags=["fold"]
def gap_picture(figure, gap):
    axis = figure.subplots()
    table, (within, between) = at_gap(gap)
    axis.imshow(table, cmap="cividis", vmin=0, vmax=3)
    for (n, m), value in np.ndenumerate(table.numpy()):
        colour = "black" if value > 1.5 else "white"
        axis.text(m, n, f"{value:.1f}", ha="center", va="center", color=colour)
    names = [f"{level * gap + 0:.1f}" for level in (-1.5, -0.5, 0.5, 1.5)]
    axis.set_xticks(range(4), names)
    axis.set_yticks(range(4), names)
    axis.set(xlabel=f"within {within:.2f}, between {between:.2f}")


# %% tags=["fold"]

gaps = [0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
rows_of_middle = [at_gap(gap)[0][1:3] for gap in gaps[1:]]
corners = claim(
    "Of flat patches, no middle instance prefers itself at any gap",
    all((rows.argmax(dim=-1) != torch.tensor([1, 2])).all() for rows in rows_of_middle),
    over=f"{len(rows_of_middle)} gaps, two middle rows each",
)
explore(
    gap_picture,
    gaps,
    label="gap",
    title=corners,
    alt="""Three tables of affinity between four instances at growing tag gaps. At gap 0 all entries
    are 1. With the gap the first and last row lean to their own ends; rows in the middle lean to an
    end as well, not to themselves.""",
    size=(2.0, 2.1),
    shown=3,
)

# %% [markdown]
# ## The paper does not say
#
# **Which weights lie between tags and features** ([D22](../docs/decisions.md)). A strided convolution is our
# default; a mean over the patch and a 1 x 1 convolution would have the printed sizes too. On flat patches
# both are $a\tau + b$. They differ *within* a patch: a mean cannot tell a patch that an edge divides into
# tags -3 and 3 from a flat patch of 0.

# %%
half = torch.full((side, side), 3.0)
half[:, : side // 2] = -3
patches = {"flat, 3": half.abs(), "edge, -3 | 3": half, "edge, 3 | -3": half.flip(1)}
zero = embed(torch.zeros(side, side), module.embed.weight, module.embed.bias)
distances = {"mean, then 1 x 1": [], "convolution, stride 8": []}
for patch in patches.values():
    pooled = patch.mean().expand(side, side)  # what a mean would hand on
    for name, seen_by in zip(distances, (pooled, patch), strict=True):
        e = embed(seen_by, module.embed.weight, module.embed.bias)
        distances[name].append((e - zero).norm().item())

# %% [markdown]
# **A bend in the line.** No reading with a *linear* embedding can give each instance its own attention. One
# more channel, $\tau^2$, could: scores of $-(\tau - \tau')^2/2$ are an inner product of $(\tau, 1)$ and
# $(\tau', -\tau'^2/2)$, up to terms that cancel. Nobody says that the paper has this; it shows what the
# missing nonlinearity costs. How often is an instance's own tag its favourite, tags drawn at random?

# %%
favourite = {"linear": [], "with a square": []}
sizes = [2, 3, 4, 5, 6]
for N in sizes:
    levels = 3 * torch.randn(500, N, 1)
    product = c1 * levels * levels.mT + c3 * levels.mT
    square = -(levels - levels.mT).square() / 2
    for name, scores in zip(favourite, (product, square), strict=True):
        own = scores.argmax(dim=-1) == torch.arange(N)
        favourite[name].append(own.float().mean().item())

# %% tags=["fold"]
edges = claim(
    "A mean over a patch does not see an edge",
    max(distances["mean, then 1 x 1"][1:]) < 1e-4 < min(distances["convolution, stride 8"][1:]),
    over="two patches with an edge",
)
two = claim(
    "On one line at most two prefer themselves",
    all(share <= 2 / N + 0.01 for share, N in zip(favourite["linear"], sizes, strict=True)),
    over=f"500 draws each of {len(sizes)} sizes",
)
figure, (left, right) = subplots(1, 2, width=9, height=2.8)
for k, (name, values) in enumerate(distances.items()):
    places = torch.arange(3) + 0.36 * k - 0.18
    left.bar(places, values, width=0.34, color=COLOURS[k], label=name)
left.set_xticks(range(3), patches)
left.set(ylabel="distance from a patch of zeros")
left.set_title(edges)
for k, (name, values) in enumerate(favourite.items()):
    right.plot(sizes, values, marker="o", color=COLOURS[k], label=name)
_ = right.set(xlabel="instances N", ylabel="share that prefer themselves", ylim=(0, 1.05))

# %% tags=["fold"]
right.set_title(two)
left.margins(y=0.35)
right.set_xticks(sizes)
for axis in (left, right):
    axis.legend()
show(
    figure,
    alt="""Left: distance of three embedded patches from one of zeros; for the mean the two patches
    with an edge are at zero. Right: the share of instances whose own tag gets the largest score
    falls with N, below 2 over N, for the linear embedding and stays at 1 with a square.""",
)

# %% [markdown]
# **Who asks whom** ([D4](../docs/decisions.md)) and **the residual** ([D5](../docs/decisions.md)) are as in
# lesson 12: this module follows the same switch. The residual matters here. However even the affinities are,
# $e_t$ itself reaches the decoder, and with it all that the tags say.

# %% [markdown]
# ## Exercise
#
# **1. Predict** (3 minutes). Five flat instances have the tags -6, -3, 0, 3 and 6, and training has made
# $c_1 > 0$ and $c_3 = 0$. For how many of the five is their own tag the favourite?


# %% tags=["exercise"]
def own_favourites():
    """How many of the five prefer themselves."""
    ### BEGIN SOLUTION
    return 2
    ### END SOLUTION


# %% tags=["check"]
check(own_favourites, check_who_wins)

# %% [markdown]
# **2. Code** (10 minutes). The affinity block for a frame of S *flat* patches: from their tags to S x S
# affinities, through embedding, query and key. There is no need to paint the patches: what does a kernel
# make of one whose tags are all equal?
#
# <details><summary>Hint</summary>A convolution adds up products. With the tag taken out of the sum, the sum
# of the kernel over its last two axes is left: <code>tags[:, None] * kernel.sum(dim=(1, 2)) + bias</code>.
# Scale by the number of rows of the key matrix, the d of lesson 12.</details>


# %% tags=["exercise"]
def flat_affinity(tags, kernel, bias, query, key):
    """Affinities of S flat patches, S x S, each row of sum 1.

    tags: S. kernel: C x side x side. bias: C. query and key: d x C matrices without bias.
    """
    ### BEGIN SOLUTION
    e = tags[:, None] * kernel.sum(dim=(1, 2)) + bias
    scores = (e @ query.T) @ (e @ key.T).T / len(key) ** 0.5
    return scores.softmax(dim=-1)
    ### END SOLUTION


# %% tags=["check"]
check(flat_affinity, check_flat_affinity)

# %% [markdown]
# **3. Break the theorem** (8 minutes). It holds for features *linear* in the tag. Give two numbers for each
# tag, `query(tag)` and `key(tag)` of two entries each, so that every tag prefers itself, wherever it lies.
# Then say which layer the module would need for it.
#
# <details><summary>Hint</summary>$-(a - b)^2 / 2$ is largest at $b = a$. Multiply it out, and drop what is the same for all who
# answer.</details>


# %% tags=["exercise"]
def bent(tag):
    """(query, key) of a tag, two numbers each, so that like attracts like."""
    ### BEGIN SOLUTION
    return (tag, 1.0), (tag, -(tag**2) / 2)
    ### END SOLUTION


# %% tags=["check"]
check(bent, check_own_kind)

# %% [markdown]
# **4. Open.** The paper says that 'predicted tags improve owing to the global tag-based context'. Design an
# experiment that could refute it: which networks, which score, how many seeds? *Judge it*: what would you
# have to see to give up the claim, and could your number of seeds show it? (The [report](../docs/report.md)
# has the row.)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. Add 10 to every tag. The tagging loss does not change. Do the affinities?</summary>
#
# Yes. The tilt $c_1\tau + c_3$ of every asking position rises by $10\,c_1$: soon all prefer the largest tags.
# The tagging loss leaves the origin of the tag line free, and this module is the only part that
# cares. <!-- given: the formula of the tilt -->
# </details>
#
# <details><summary>2. Tags are a sigmoid's, in (0, 1). What becomes of the affinities?</summary>
#
# The gap is at most 1, so with the same weights their scores differ by at most $|c_3|$ or
# $|c_1 + c_3|$ along a row, and attention is nearly even. Weights can grow; the order by tag, and the
# middle that prefers an end, stay. <!-- claim: two -->
# </details>
#
# <details><summary>3. The decoder has learnt to ignore w_t altogether: its weights for these channels are 0.
# What does cross-entropy teach the tags?</summary>
#
# Nothing: the gradient comes back through those weights. The path exists, and carries zero. How near the toy
# network is to that, lesson [15](15_semantics.ipynb) measures. <!-- given: the chain rule -->
# </details>

# %% [markdown]
# ## In the package
#
# `tagvis_lite.model.attention.TagAttention` does all frames at once. The same numbers as ours, on tags of
# the network:

# %%
package = module(tags[None, None])[0].flatten(2).permute(1, 2, 0)  # T x S x C
torch.testing.assert_close(tag_attention(tags, module), package, rtol=1e-3, atol=1e-4)

# %% [markdown]
# And the tilt, two numbers, gives the affinities of flat patches that the module computes with all its
# weights:

# %%
level = torch.linspace(-6, 6, 12)
flat = level.repeat_interleave(side).expand(side, -1)
e = embed(flat, module.embed.weight, module.embed.bias)
by_tilt = ((c1 * level[:, None] + c3) * level).softmax(dim=-1)
tilt_error = (affinity(e, e, module.attention) - by_tilt).abs().max().item()

# %% [markdown]
# ## Metrics
#
# What this lesson claims, as numbers.

# %% tags=["fold"]
metrics = {
    "c_1": c1,
    "videos with within above between": held.float().mean().item(),
    "within, true labels": means[0].item(),
    "between, true labels": means[1].item(),
    "within, mirrored labels": means[2].item(),
    "within - between at gap 6": (at_gap(6.0)[1][0] - at_gap(6.0)[1][1]).item(),
    "within - between at gap 1": (at_gap(1.0)[1][0] - at_gap(1.0)[1][1]).item(),
    "tilt against all weights": tilt_error,
    "cross-entropy gradient on background": on_background[1],
}
record("14", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
torch.testing.assert_close(21 * by_hand[0], torch.tensor([16.0, 4.0, 1.0]))
assert tilt_error < 1e-3, "two numbers no longer say it all"
assert favourite["with a square"] == [1] * len(sizes)
assert PROFILE == "paper" or c1 > 0, "training no longer makes like tags attract"

# %% [markdown]
# ## Summary
#
# - One 8 x 8 convolution of stride 8 and an attention as in figure 2 lead from 112 x 112 x 1 to
#   14 x 14 x 256. <!-- given: our reading, D22 -->
# - With features linear in one tag, affinity is a tilt to the largest or the smallest tag. Like attracts
#   like on average; of flat patches the middle never prefers itself. <!-- claim: attracts, corners, two -->
# - It is the only way for cross-entropy into the tags, and the only way for any loss to a tag of the
#   background. <!-- claim: only_way -->
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, section III-C.

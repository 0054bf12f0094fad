# %% [markdown]
# # 15 · Self-attention and the semantic decoder: features, then masks
#
# **One idea:** a second branch says *what* is where. It sees the features and the tags, and pays into one
# sum of losses with the tags.
#
# Paper: sections III-A, III-D and III-E, figure 4, equation (7) · Time: 35 minutes to read, 25 for the
# exercises; 20 seconds on two CPU cores
#
# Figure 4, drawn from the network that comes with the package. Compare it with figure 2: who asks here, and
# who answers?

# %% tags=["parameters"]
PROFILE = "toy"  # toy or smoke: the shipped network; paper: its sizes with random weights
SEED = 0  # of random weights, and which toy test videos
DATA = ""  # empty: toy test videos; or a DAVIS or YouTube-VIS root (labels are needed)
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import numpy as np
import torch
from torch.nn.functional import interpolate

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
from tagvis_lite.course.checks.lesson_15 import (
    check_clip_cross_entropy,
    check_half_right,
    check_sure_and_wrong,
)

# %% tags=["imports"]
from tagvis_lite.losses import overall_loss, semantic_loss, tagging_terms
from tagvis_lite.model.attention import Attention
from tagvis_lite.video import Clip, Prediction
from tagvis_lite.views import AttentionPicker
from tagvis_lite.views.diagrams import draw_attention
from tagvis_lite.views.overlay import overlay

torch.manual_seed(SEED)
_ = torch.set_grad_enabled(False)  # nothing is trained here

# %% tags=["fold"]
network, config = lesson_network(PROFILE, clip_frames=2)
draw_attention(config, "self")

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - compute self-attention within a frame by hand, and join its output with that of the tag branch,
# - write cross-entropy on a clip with void pixels, with the axes in the right places,
# - measure which of its two inputs a decoder really uses, and what weights of classes would do.
#
# You need: attention, lesson [12](12_attention.ipynb); the tag branch, lesson [14](14_tag_attention.ipynb).
#
# Previous: [14 · tag-based attention](14_tag_attention.ipynb) ·
# Next: [16 · the whole network](16_network.ipynb)

# %% [markdown]
# ## A question
#
# The decoder of the masks gets two inputs, side by side: features $v_t$ that passed self-attention, and
# $w_t$, made from the tags. Suppose that in a trained network we mirror one of them left to right and leave
# the other as it is.
#
# Write down before you go on: *What happens to the masks when $v_t$ is mirrored? And when $w_t$ is?*

# %% [markdown] tags=["fig-4", "eq-7"]
# ## The paper
#
# Figure 4 is attention in its plainest form: frame $t$ asks, the same frame answers. The result is
# concatenated with the tags' branch and goes through '3D decoder layers':
#
# $$v_t = \mathrm{SelfAttention}(q_t) \qquad O = \mathrm{Dec}\,[\,v, w\,] \qquad
# L_{overall} = L_{tag} + L_{crossentropy} \quad (7)$$
#
# | symbol | meaning | paper | toy |
# |---|---|---|---|
# | $q_t$ | features behind the bottleneck | 14 x 14 x 256 | 8 x 8 x 96 |
# | $v_t$ | the same after self-attention | 14 x 14 x 256 | 8 x 8 x 96 |
# | $w_t$ | from the tags, lesson 14 | 14 x 14 x 256 | 8 x 8 x 96 |
# | $O_{t,c}$ | mask of class $c$ | 112 x 112, 41 classes | 64 x 64, 5 classes |
#
# The semantic task is called secondary: 'It is the propagation of gradients that allows VSS to boost the
# instance segmentation results consequentially'. At inference it has a second job that the paper does not
# mention: it says which pixels are foreground at all.

# %% [markdown]
# ## In code
#
# Self-attention of one frame, as S vectors of C channels. The loop over frames is left to the caller: no
# frame sees another.


# %%
def linear(projection, vectors):
    """A 1 x 1 convolution on S vectors: a matrix and a bias."""
    return vectors @ projection.weight.flatten(1).T + projection.bias


def self_attention(q, module):
    """One frame, S x C to S x C, and its map, S x S."""
    query, key = linear(module.query, q), linear(module.key, q)
    weights = (query @ key.T / key.shape[-1] ** 0.5).softmax(dim=-1)
    mixed = weights @ linear(module.value, q)
    return q + linear(module.project, mixed), weights


# %% [markdown]
# Cross-entropy: minus the log of the probability of the right class, a mean over the pixels that are not
# void. In one flat row of P pixels:


# %%
def cross_entropy(logits, labels):
    """c x P logits and P labels to a scalar; label 255 takes no part."""
    known = labels != 255
    logits, labels = logits[:, known], labels[known]
    log_p = logits - logits.logsumexp(dim=0)  # over classes
    return -log_p[labels, torch.arange(len(labels))].mean()


# %% [markdown]
# Now the network. Four hooks keep what passes by.

# %%
kept = {}
for name in ("bottleneck", "self_attention", "tag_attention", "decoder"):
    getattr(network, name).register_forward_hook(
        lambda _module, _inputs, output, name=name: kept.__setitem__(name, output)
    )
first, count = (0, 1) if DATA else (12 * SEED, 2 if PROFILE == "paper" else 12)
videos = [lesson_video(DATA, first + k) for k in range(count)]
indices = [spread_indices(len(video), config.data.clip_frames) for video in videos]

# %%
num_classes = config.model.num_classes
batch = Clip.collate(
    [
        make_clip(video, chosen, config.data, num_classes, label_stride=config.model.label_stride)
        for video, chosen in zip(videos, indices, strict=True)
    ]
)
prediction = network(batch.frames)
q, v, w, logits = kept.values()  # in the order in which they are made
labels, T, (h, w_) = batch.semantic, q.shape[2], q.shape[3:]
assert q.shape == v.shape == w.shape
assert logits.shape == (count, num_classes, *labels.shape[1:])

# %% [markdown]
# The decoder, layer by layer: concatenate, twice enlarge. Its kernels span three frames.

# %% tags=["nbval-check-output"]
x = torch.cat([v[:1], w[:1]], dim=1)
print(f"{'v and w':<16}", " x ".join(str(size) for size in x.shape[1:]))
for layer in network.decoder.layers:
    x = layer(x)
    if hasattr(layer, "kernel_size"):
        print(f"{'kernel ' + str(layer.kernel_size):<16}", " x ".join(map(str, x.shape[1:])))
torch.testing.assert_close(x, logits[:1], rtol=1e-3, atol=1e-3)

# %% [markdown]
# ## By hand
#
# **Identity weights.** One channel, two positions with features $q = (0, 1)$. Let query be multiplied by
# $\ln 3$ and key, value and projection be the identity. The scores are $q_i q_j \ln 3$, so row one of the
# softmax has weights 1 : 1, row two 1 : 3. Values $(0, 1)$ weigh to $1/2$ and $3/4$; with the input
# added, $v = (0.5,\ 1.75)$. The module of the package, with these weights, on two frames, the second in
# another order:

# %% tags=["nbval-check-output"]
module = Attention(channels=1, attention_channels=1, form="per_frame")
for projection in (module.query, module.key, module.value, module.project):
    projection.weight.fill_(1)
    projection.bias.zero_()
module.query.weight.fill_(np.log(3))
two_frames = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).view(1, 1, 2, 1, 2)  # B x C x T x h x w
identity_check = module(two_frames)[0, 0, :, 0]
print(identity_check.round(decimals=3).tolist())
ours, _ = self_attention(torch.tensor([[0.0], [1.0]]), module)
torch.testing.assert_close(ours.flatten(), identity_check[0])

# %% [markdown]
# **Cross-entropy.** Three pixels with logits $(\ln 3, 0)$ for background and object, so probabilities 3/4 and
# 1/4. The first is background: $\ln\frac{4}{3} = 0.288$. The second is object: $\ln 4 = 1.386$. The third is
# void. The mean over *two* pixels is 0.837.

# %% tags=["nbval-check-output"]
three = torch.tensor([[3.0], [1.0]]).log().expand(2, 3)
by_hand = cross_entropy(three, torch.tensor([0, 1, 255])).item()
print(f"{by_hand:.3f}")

# %% [markdown]
# ## The picture
#
# Features first, then masks. $q$, $v$ and $w$ have too many channels to look at; we show their first
# principal component over the clip: the direction in which they vary most.


# %%
def component(features):
    """C x T x h x w to T x h x w: projection on the first principal component."""
    rows = features.flatten(1).T
    rows = rows - rows.mean(dim=0)
    direction = torch.linalg.svd(rows, full_matrices=False).Vh[0]
    return (rows @ direction).view(features.shape[1:])


# %%
objects = (labels > 0) & (labels < 255)
each = torch.stack(
    [semantic_loss(*pair) for pair in zip(logits.split(1), labels.split(1), strict=True)]
)
k = int(each.argsort()[count // 2])  # the clip in the middle, neither the best nor the worst
t = T // 2
picture = videos[k].read_frames(indices[k])[t]
features = [component(x[k])[t] for x in (q, v, w)]
p_object = 1 - logits[k].softmax(dim=0)[0, t]
maps = torch.stack([logits[k, :, t].argmax(dim=0), labels[k, t]])[:, None].float()
maps = interpolate(maps, picture.shape[:2])[:, 0].to(torch.uint8).numpy()

# %% tags=["fold"]
figure, axes = subplots(1, 7, width=9, height=1.8)
names = ["frame", "q", "v", "w", "p(object)", "masks", "ground truth"]
axes[0].imshow(picture)
for axis, feature in zip(axes[1:4], features, strict=True):
    axis.imshow(feature, cmap="cividis")
axes[4].imshow(p_object, vmin=0, vmax=1)
for axis, classes in zip(axes[5:], maps, strict=True):
    axis.imshow(overlay(picture, classes))
for axis, name in zip(axes, names, strict=True):
    axis.set(xticks=[], yticks=[], title=name)
show(
    figure,
    alt="""A frame; the first principal component of q, v and w on the coarse grid; the probability of
    any object, at full size; predicted masks and ground truth, tinted by class.""",
)

# %% [markdown]
# Masks are by *class*: two triangles share a colour, and no border is drawn where they touch. Telling them
# apart is the tags' work. Now the question: mirror an input of the decoder, and count.


# %%
def decode(v, w):
    return network.decoder(torch.cat([v, w], dim=1))


def quality(logits):
    """Cross-entropy, and IoU, precision and recall of 'any object'."""
    found, known = logits.argmax(dim=1) > 0, labels != 255
    both = (found & objects).sum()
    counts = ((found | objects) & known).sum(), (found & known).sum(), objects.sum()
    shares = [(both / total.clamp(min=1)).item() for total in counts]
    return [semantic_loss(logits, labels).item(), *shares]


# %% tags=["nbval-check-output"]
variants = {
    "as it is": (v, w),
    "w mirrored": (v, w.flip(-1)),
    "w all zero": (v, torch.zeros_like(w)),
    "v mirrored": (v.flip(-1), w),
    "q in place of v": (q, w),
}
measured = {name: quality(decode(*inputs)) for name, inputs in variants.items()}
for name, (loss, iou, *_) in measured.items():
    print(f"{name:<16} cross-entropy {loss:.2f}, object IoU {iou:.2f}")

# %% tags=["fold"]
reads_v = "Not claimed of random weights"
if PROFILE != "paper" and not DATA:
    whole, without_w, without_v = (
        measured[name][1] for name in ("as it is", "w mirrored", "v mirrored")
    )
    reads_v = claim(
        "This decoder reads its masks from the features and hardly from the tags",
        whole > 0.75 and without_w > whole - 0.1 and without_v < 0.5,
        over=f"{count} videos",
    )

# %% [markdown]
# (Over all clips; on toy videos with shipped weights these are toy numbers, measured here.)
#
# **The answer.** Mirror $v$ and the masks are lost. Mirror $w$, or erase it, and next to nothing happens:
# this decoder has learnt to read $v$ and to ignore the tags. It makes sense. Where an object is, and of what
# class, can be read from features; a tag only says *which* instance, and the semantic task never asks. It
# also means that the gradient which flows back through $w$, lesson 14, is weak. Whether it helps the tags
# all the same is Table III's claim, and lesson [21](21_ablations.ipynb)'s question. The last line is no fair
# comparison, since the decoder was trained on $v$; it only shows that $v$ is not $q$.

# %% [markdown]
# ## Try it
#
# First, where a position looks: click a cell, or move with the arrow keys. Each frame asks itself only.

# %% tags=["fold"]
clip_q = q[k].flatten(2).permute(1, 2, 0)  # T x S x C
attention = torch.stack([self_attention(one, network.self_attention)[1] for one in clip_q])
block = labels.shape[-2] // h, labels.shape[-1] // w_
on_grid = objects[k, t, block[0] // 2 :: block[0], block[1] // 2 :: block[1]]
cells = np.argwhere(on_grid.numpy() if on_grid.any() else np.ones((h, w_))).tolist()
AttentionPicker(
    videos[k].read_frames(indices[k]),
    attention,
    grid=(h, w_),
    frame=t,
    cell=tuple(cells[len(cells) // 2]),
    title="One position asks",
    alt="""A frame with one cell on an object marked, and a dark copy of the same frame with the attention
    map of that cell over it: bright cells get more of the weight.""",
)

# %% [markdown]
# Then, what the decoder says there: each stop of the slider is a position on an object.

# %%
positions = {f"({row}, {column})": (row, column) for row, column in cells}
shown_classes = min(num_classes, 5)


# %% tags=["fold"]
def picked(figure, name):
    row, column = positions[name]
    above, below = figure.subplots(2, 1)
    above.imshow(picture)
    height, width = picture.shape[:2]
    place = (column + 0.5) * width / w_, (row + 0.5) * height / h
    above.plot(*place, marker="o", markersize=9, mfc="none", mec="white", mew=2)
    above.set(xticks=[], yticks=[])
    at = logits[k, :, t, int((row + 0.5) * block[0]), int((column + 0.5) * block[1])]
    below.bar(range(shown_classes), at.softmax(dim=0)[:shown_classes], color=COLOURS[0])
    below.set(ylim=(0, 1), xticks=range(shown_classes))
    below.set_xlabel("class (0: background)", fontsize=7)


# %% tags=["fold"]
explore(
    picked,
    list(positions),
    label="pixel",
    title="The decoder, by position",
    alt="""Four positions on objects: a ring in the frame, and bars with the probability of each class
    there.""",
    size=(1.6, 2.5),
)

# %% [markdown]
# ## The paper does not say
#
# **Are classes weighted?** ([D21](../docs/decisions.md)) Background covers most pixels. We take plain
# cross-entropy, a mean over the pixels that are not void. What would a weight of $\beta$ for all object
# classes do? No training is needed to see it. Where the plain optimum says probabilities $p_c$, the weighted
# one says $\beta_c\,p_c / \sum_{c'} \beta_{c'}\,p_{c'}$. So add $\ln \beta$ to the logits of the objects.

# %%
betas = [1, 2, 4, 8, 16]
curves = []
for beta in betas:
    shifted = logits.clone()
    shifted[:, 1:] += np.log(beta)
    curves.append(quality(shifted)[1:])
curves = np.array(curves)
balance = ((labels == 0).sum() / objects.sum()).item()

# %% [markdown]
# **What is learnt on DAVIS, which has no classes?** ([D17](../docs/decisions.md)) Object against background.
# With more classes that part is inside all the same, because probabilities multiply,
# $p_c = p_{object} \cdot p_{c\,|\,object}$, and so the loss splits into *where* and
# *what*: <!-- given: the logarithm of a product -->

# %%
p = logits.softmax(dim=1)
p_right = torch.where(labels == 0, p[:, 0], 1 - p[:, 0])
where = -p_right.clamp(min=1e-12).log()[labels != 255].mean().item()
what = measured["as it is"][0] - where

# %% [markdown]
# **How do the two losses of eq. (7) weigh?** ([D14](../docs/decisions.md)) As printed, 1 : 1. But $L_{tag}$
# is counted in squared tags and margins, cross-entropy in nats, so '1 : 1' means nothing by itself. The toy
# profile takes cross-entropy times 12.

# %%
terms = tagging_terms(prediction.tags, batch.ids, config.loss)
weighted = {name: getattr(config.loss, name) * term.item() for name, term in terms.items()}
weighted["cross_entropy"] = config.loss.cross_entropy * cross_entropy(
    logits.transpose(0, 1).flatten(1), labels.flatten()
)
overall = sum(weighted.values())

# %% tags=["fold"]
trade = claim(
    "Weight for objects buys recall with precision",
    (np.diff(curves[:, 2]) >= 0).all() and curves[-1, 1] <= curves[0, 1],
    over=f"{len(betas)} weights, {count} videos",
)

# %% tags=["fold"]
figure, (left, middle, right) = subplots(1, 3, width=9, height=3)
for k_, name in enumerate(("IoU", "precision", "recall")):
    left.plot(betas, curves[:, k_], marker="o", color=COLOURS[k_], label=name)
left.axvline(balance, color="black", linewidth=0.8, linestyle="--")
left.set(xscale="log", xlabel="weight of objects (dashed: balanced)", ylabel="of 'any object'")
figure.suptitle(trade)
left.set_xticks(betas, betas)
left.minorticks_off()
left.legend()
middle.bar(["where", "what"], [where, what], color=COLOURS[:2], width=0.5)
middle.set_ylabel("nats per pixel")
middle.set_title("cross-entropy splits in two")
_ = right.bar(range(5), [float(x) for x in weighted.values()], color=COLOURS[0])
right.set_ylabel("weight x term")
right.set_xticks(range(5), weighted, rotation=30)
right.set_title("the weighted sum")
show(
    figure,
    alt="""Left: IoU, precision and recall of objects against the weight of object classes; recall
    rises and precision falls. Middle: cross-entropy split into where and what. Right: the five
    weighted terms of the overall loss.""",
)

# %% [markdown]
# Weights buy recall with precision. Here, false foreground costs: every pixel of it gets a tag and becomes
# part of some instance. Plain stays the default.

# %% [markdown]
# ## Exercise
#
# **1. Predict** (3 minutes). Four pixels, two classes. On three of them the right class has p = 1/2, the
# fourth is void. What is the cross-entropy?


# %% tags=["exercise"]
def half_right():
    """Mean cross-entropy in nats."""
    ### BEGIN SOLUTION
    return np.log(2)
    ### END SOLUTION


# %% tags=["check"]
check(half_right, check_half_right)

# %% [markdown]
# **2. Code: the right axes** (8 minutes). The version above takes one row of pixels. Write it for a batch of
# clips: logits B x c x T x h x w, labels B x T x h x w, with void. One scalar: the mean over all pixels that
# are not void, of all clips together. Do not call the function of PyTorch.
#
# <details><summary>Hint</summary>Classes are axis 1. <code>log_softmax(dim=1)</code>, then
# <code>gather(1, labels.unsqueeze(1))</code> picks one class per pixel; 255 is no class, so set it to
# 0 first and leave those pixels out of the mean after.</details>


# %% tags=["exercise"]
def clip_cross_entropy(logits, labels):
    """B x c x T x h x w logits and B x T x h x w labels, 255 void, to a scalar."""
    ### BEGIN SOLUTION
    known = labels != 255
    log_p = logits.log_softmax(dim=1)
    picked = log_p.gather(1, torch.where(known, labels, 0).unsqueeze(1)).squeeze(1)
    return -picked[known].mean()
    ### END SOLUTION


# %% tags=["check"]
check(clip_cross_entropy, check_clip_cross_entropy)

# %% [markdown]
# **3. Break it** (5 minutes). Accuracy and cross-entropy do not see the same. Give logits, 2 classes x 4
# pixels, for which three of four pixels are right and yet the cross-entropy is above 2. The labels are (0,
# 0, 1, 1). Then say which of your pixels costs it.
#
# <details><summary>Hint</summary>Be sure of yourself, once too often.</details>


# %% tags=["exercise"]
def sure_and_wrong():
    """Logits, 2 x 4, for the labels (0, 0, 1, 1)."""
    ### BEGIN SOLUTION
    return torch.tensor([[5.0, 5.0, -5.0, 5.0], [-5.0, -5.0, 5.0, -5.0]])
    ### END SOLUTION


# %% tags=["check"]
check(sure_and_wrong, check_sure_and_wrong)

# %% [markdown]
# **4. Open.** Foreground is asked of the decoder, identity of the tags. Could the tags alone say what is
# background? *Judge it* by the last row of Table III ([report](../docs/report.md)): what else changes in
# that row ([D13](../docs/decisions.md)), and which control would you add?

# %% [markdown]
# ## Quiz
#
# <details><summary>1. A network answers 'background' everywhere, with p = 0.99. On a clip of 80 % background,
# what are accuracy and cross-entropy, roughly? (Four object classes share the other 0.01.)</summary>
#
# Accuracy 0.8. Cross-entropy $0.8 \cdot 0.01 + 0.2 \cdot \ln 400 \approx 1.2$. One confident sentence for
# everything is cheap in accuracy and dear in cross-entropy. <!-- given: the definition -->
# </details>
#
# <details><summary>2. Self-attention looks at one frame only. Do the masks then know nothing of other
# frames?</summary>
#
# They do: the encoder's and the bottleneck's kernels span frames before it, and the decoder's after it, three
# frames in each of its two layers. <!-- given: their kernels, printed above -->
# </details>
#
# <details><summary>3. Why not leave w_t out, if the decoder ignores it?</summary>
#
# For this network's masks it would cost next to nothing, as the table shows. The paper's claim is about
# training: with the branch, semantic gradients reach the tags. A test on a trained network cannot refute
# that; a training run without the branch can (Table III). <!-- claim: reads_v -->
# </details>

# %% [markdown]
# ## In the package
#
# `Attention` with the form `per_frame` is our self-attention, for all frames at once:

# %%
ours, _ = self_attention(clip_q[t], network.self_attention)
package = v[k, :, t].flatten(1).T
torch.testing.assert_close(ours, package, rtol=1e-3, atol=1e-4)

# %% [markdown]
# `semantic_loss` is our cross-entropy, `overall_loss` the sum of eq. (7). It also wants every clip at the
# size of its prediction, and says so.

# %%
package_sum = overall_loss(Prediction(prediction.tags, logits), batch, config.loss)
flat = logits.transpose(0, 1).flatten(1), labels.flatten()
torch.testing.assert_close(semantic_loss(logits, labels), cross_entropy(*flat))

# %% [markdown]
# ## Metrics
#
# What this lesson claims, as numbers.

# %% tags=["fold"]
metrics = {
    "identity weights, largest error": (
        (identity_check - torch.tensor([[0.5, 1.75], [1.75, 0.5]])).abs().max().item()
    ),
    "two pixels by hand": by_hand,
}
for name, (loss, iou, *_) in measured.items():
    metrics[f"cross-entropy, {name}"], metrics[f"object IoU, {name}"] = loss, iou
metrics["cross-entropy, where"], metrics["cross-entropy, what"] = where, what
record("15", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert metrics["identity weights, largest error"] < 1e-6, "attention is not what a hand computes"
assert abs(by_hand - (np.log(4 / 3) + np.log(4)) / 2) < 1e-5
assert what > -1e-5, "the loss does not split into where and what"
if config.loss.pixels_per_instance is None:  # else the terms are of other random pixels
    torch.testing.assert_close(package_sum.overall, torch.as_tensor(overall), rtol=1e-4, atol=1e-4)

# %% [markdown]
# ## Summary
#
# - Self-attention: a frame asks itself. Concatenated with the tag branch, two 3-D layers enlarge it to
#   masks. <!-- given: figure 4 -->
# - Cross-entropy is a mean over pixels that are not void; weights of classes shift precision and
#   recall. <!-- claim: trade -->
# - The toy decoder reads its masks from the features and hardly looks at the tags. <!-- claim: reads_v -->
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, sections III-A, III-D and III-E.

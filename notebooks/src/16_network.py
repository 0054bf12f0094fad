# %% [markdown]
# # 16 · The whole network: one tensor through Figure 1
#
# **One idea:** follow one clip through all seven parts, let the code draw the figure, and check every number
# that the paper prints and every parameter that is to be trained.
#
# Paper: section III-A, figure 1 · Time: 40 minutes to read, 25 for the exercises; 20 seconds on
# two CPU cores
#
# The figure, drawn from a configuration of this package, with its own sizes. Before you read on: which of
# these boxes holds most of the weights?

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: whose network is traced, with random weights
SEED = 0  # of the weights, and which toy test videos
DATA = ""  # not used: shapes and gradient paths do not depend on the picture
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from dataclasses import replace

import torch

from tagvis_lite.clips import make_clip
from tagvis_lite.config import PROFILES
from tagvis_lite.course import COLOURS, check, claim, explore, lesson_video, record, show, subplots
from tagvis_lite.course.checks.lesson_16 import (
    check_heights,
    check_most_weights,
    check_shape_ladder,
)
from tagvis_lite.losses import semantic_loss, tagging_loss
from tagvis_lite.model.network import TagVIS
from tagvis_lite.study.ablation import TABLE_3
from tagvis_lite.video import Clip
from tagvis_lite.views import diagrams

torch.manual_seed(SEED)
config = PROFILES[PROFILE]

# %% tags=["fold"]
diagrams.draw_network(config)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - write the forward pass of figure 1 in ten lines and predict every shape in it for any input size,
# - let hooks and autograd find out which part feeds which, and which loss trains which,
# - say what each removal of Table III takes out of the figure, and spot parameters that cannot learn.
#
# You need: lessons [11](11_encoder.ipynb) to [15](15_semantics.ipynb).
#
# Previous: [15 · self-attention and semantics](15_semantics.ipynb) ·
# Next: [17 · training](17_training.ipynb)

# %% [markdown]
# ## A question
#
# Figure 1 has seven parts: the encoder, three attention modules, the bottleneck, the tag generator and the
# decoder.
#
# Write down before you go on: *Which of them has most weights? And what share of all weights is in the three
# attention modules, the ones in the title of the paper?*

# %% [markdown] tags=["fig-1"]
# ## The paper
#
# $$f = \mathrm{Enc}(I) \qquad u = \mathrm{STA}([f, xy]) \qquad q = \mathrm{Bottleneck}(u) \qquad
# p = \mathrm{Tags}(q)$$
# $$v = \mathrm{SelfAtt}(q) \qquad w = \mathrm{TagAtt}(p) \qquad O = \mathrm{Dec}([v, w])$$
#
# | symbol | meaning | size in print, for T = 32 |
# |---|---|---|
# | $I$ | frames | (224 x 224: from H/16 = 14) |
# | $f$ | encoded up to conv_4 | 14 x 14 x 256, H/16 |
# | $[f, xy]$ | with two channels of spatial coordinates | 258 channels |
# | (in the bottleneck) | 'further compressed' | 32 x 7 x 7 x 512 |
# | $q$ | after the first deconvolution | 32 x 14 x 14 x 256 |
# | $p$ | tags | 112 x 112 x 1 |
# | $v$, $w$ | inputs of the decoder | 32 x 14 x 14 x 256, 14 x 14 x 256 |
# | $O_c$ | mask of each of c classes | not in print |

# %% [markdown]
# ## In code
#
# The parts were built in earlier lessons. Between them there is nothing but two concatenations.


# %%
def coordinates(f):
    """x and y from -1 to 1 at each position of B x C x T x h x w features."""
    y = torch.linspace(-1, 1, f.shape[3])[:, None]
    x = torch.linspace(-1, 1, f.shape[4])
    shape = f[:, 0].shape
    return torch.stack([x.expand(shape), y.expand(shape)], dim=1)


# %% [markdown]
# The forward pass of the figure:


# %%
def figure_1(network, frames):
    """B x 3 x T x H x W frames to tags and logits of the masks."""
    f = network.encoder(frames)
    f = torch.cat([f, coordinates(f)], dim=1)
    u = network.spatio_temporal_attention(f)
    q = network.bottleneck(u)
    p = network.tag_generator(q)
    v = network.self_attention(q)
    w = network.tag_attention(p)
    masks = network.decoder(torch.cat([v, w], dim=1))
    return p, masks


# %% [markdown]
# One clip to send through. (The paper's 32 frames of 224 x 224 take long on a small machine; for that profile
# we send two.)

# %%
T = min(config.data.clip_frames, 2 if PROFILE == "paper" else 8)
videos = [lesson_video("", 2 * SEED + k) for k in range(2)]
classes, stride = config.model.num_classes, config.model.label_stride
clip = make_clip(videos[0], range(T), config.data, classes, label_stride=stride)
network = TagVIS(replace(config.model, pretrained=False)).eval()
with torch.no_grad():
    p, masks = figure_1(network, clip.frames[None])
assert p.shape == (1, 1, *clip.ids.shape)
assert masks.shape == (1, config.model.num_classes, *clip.ids.shape)

# %% [markdown]
# ## By hand
#
# Two rules give all sizes, $n$ for the size before, $k$ for the kernel, $s$ for the stride, $a$ for the
# padding:
#
# $$\text{convolution: } \lfloor (n + 2a - k)/s \rfloor + 1 \qquad
# \text{deconvolution: } (n - 1)\,s - 2a + k$$
#
# The height of one frame, from the stem to the tags, at the paper's sizes:


# %%
def conv(n, k, s, a):
    return (n + 2 * a - k) // s + 1


def deconv(n, k, s, a):
    return (n - 1) * s - 2 * a + k


# %% [markdown]
# Heights on the way, for frames of 224:

# %% tags=["nbval-check-output"]
heights = [224, conv(224, 7, 2, 3)]  # stem
heights.append(conv(heights[-1], 2, 2, 0))  # pool
heights += [conv(56, 3, 1, 1), conv(56, 3, 2, 1), conv(28, 3, 2, 1)]  # layer1 to layer3: f
heights += [conv(14, 3, 2, 1), deconv(7, 4, 2, 1)]  # bottleneck: q
heights += [deconv(14, 8, 4, 2), deconv(56, 4, 2, 1)]  # tag generator: p
print(*heights)

# %% [markdown]
# Weights are as easy: in channels times out channels times kernel, and one bias per out channel. The last
# layer of the tag generator, from 64 channels to 1, has $64 \cdot 1 \cdot (1 \cdot 4 \cdot 4) + 1 = 1025$.

# %% [markdown]
# ## The picture
#
# Now the figure, drawn by the code. A *hook* is a function that PyTorch calls when a tensor enters or leaves
# a module. Ours note what passes, and *cut* the graph behind each part. So when autograd is asked which
# outputs an input was made from, it finds direct predecessors only: the arrows.

# %%
SHORT = {
    "encoder": "Enc",
    "spatio_temporal_attention": "STA",
    "bottleneck": "Bottl.",
    "tag_generator": "Tags",
    "self_attention": "Self",
    "tag_attention": "TagAtt",
    "decoder": "Dec",
}
PARTS = list(SHORT)


# %% [markdown]
# A hook on every part keeps what enters and what leaves:


# %%
def trace(network, frames, names=PARTS):
    """What enters and what leaves each part; outputs are cut from the graph."""
    inputs, outputs = {}, {"frames": frames.clone().requires_grad_()}
    there = dict(network.named_modules())
    hooks = []
    for name in [name for name in names if name in there]:

        def note(_module, entered, left, name=name):
            inputs[name], outputs[name] = entered[0], left.detach().requires_grad_()
            return outputs[name]

        hooks.append(there[name].register_forward_hook(note))
    network(outputs["frames"])
    for hook in hooks:
        hook.remove()
    return inputs, outputs


# %% [markdown]
# Who was made from whom?


# %%
def arrows(inputs, outputs):
    """Pairs (a, b): the output of a is part of the input of b."""
    found = []
    for name, tensor in inputs.items():
        sources = list(outputs.values())
        gradients = torch.autograd.grad(tensor.sum(), sources, allow_unused=True)
        found += [(a, name) for a, g in zip(outputs, gradients, strict=True) if g is not None]
    return found


# %% [markdown]
# For the paper's full size there is a trick: tensors on the device `meta` have a shape and no content, so the
# forward pass at 32 x 224 x 224 takes hardly any time or memory.


# %%
def on_meta(model, T, H, W, names=PARTS):
    """Trace the paper's sizes: inputs, outputs and the network itself."""
    with torch.device("meta"):
        network = TagVIS(replace(model, pretrained=False))
        return *trace(network, torch.zeros(1, 3, T, H, W), names), network


# %% [markdown]
# Sizes as the paper prints them:


# %%
def size(tensor):
    """As the paper writes it: T x h x w x C."""
    _, C, T, h, w = tensor.shape
    return f"{T} x {h} x {w} x {C}"


# %% [markdown]
# The paper's network and ours, traced:

# %%
paper = PROFILES["paper"]
paper_inputs, paper_outputs, paper_network = on_meta(paper.model, 32, 224, 224)
inputs, outputs = trace(network, clip.frames[None])
found = arrows(inputs, outputs)

# %% [markdown]
# Last, the colours: which loss trains which part? Two clips, the gradient of each loss with respect to every
# parameter, in double precision, so that zero by algebra and small by chance can be told apart.


# %%
ZERO = 1e-13
small = replace(config.data, size=(64, 64))
clips = [make_clip(video, range(2), small, classes, label_stride=stride) for video in videos]
batch = Clip.collate(clips)


# %% [markdown]
# The size of the gradient of every parameter, for each loss:


# %%
def gradients(network, loss_config):
    """{loss: {parameter: largest |gradient|, None where no path leads}}."""
    network = network.double().train()
    named = dict(network.named_parameters())
    prediction = network(batch.frames.double())
    losses = {"L_tag": tagging_loss(prediction.tags, batch.ids, loss_config)}
    if prediction.semantic_logits is not None:
        losses["cross-entropy"] = semantic_loss(prediction.semantic_logits, batch.semantic)
    table = {}
    for name, loss in losses.items():
        found = torch.autograd.grad(loss, named.values(), retain_graph=True, allow_unused=True)
        sizes = [None if g is None else g.abs().max().item() for g in found]
        table[name] = dict(zip(named, sizes, strict=True))
    return table


# %% [markdown]
# And which losses reach which part:


# %%
def trained_by(table):
    """{part: the losses that reach a parameter of it}."""
    reach = {}
    for loss, values in table.items():
        for name, value in values.items():
            if value is not None and value > ZERO:
                reach.setdefault(name.split(".")[0], set()).add(loss)
    return reach


# %% [markdown]
# For a fresh network:

# %%
table = gradients(TagVIS(replace(config.model, pretrained=False)), config.loss)
reach = trained_by(table)

# %% [markdown]
# A box for each part, at a place of its own; an arrow for each pair.

# %% tags=["fold"]
PLACES = {
    "frames": (0, 2),
    "encoder": (1, 2),
    "spatio_temporal_attention": (2, 2),
    "bottleneck": (3, 2),
    "tag_generator": (2, 1),
    "self_attention": (3, 1),
    "tag_attention": (2, 0),
    "decoder": (3, 0),
}
# %% tags=["fold"]
KINDS = {
    "both losses": ({"L_tag", "cross-entropy"}, COLOURS[2]),
    "L_tag alone": ({"L_tag"}, COLOURS[0]),
    "cross-entropy alone": ({"cross-entropy"}, COLOURS[1]),
    "no weights": (set(), "#ffffff"),
}


# %% tags=["fold"]
def draw_network(axis, texts, found, reach, fontsize):
    style = {"ha": "center", "va": "center", "fontsize": fontsize}
    for a, b in found:  # the arrow ends where the box of its text begins
        arrow = {"arrowstyle": "<-", "shrinkA": 0}
        box = {"boxstyle": "round"}
        style_of_arrow = {"arrowprops": arrow, "bbox": box, "color": "white"}
        axis.annotate(texts[b], PLACES[a], PLACES[b], **style_of_arrow, **style)
    for name, text in texts.items():
        tints = [colour for losses, colour in KINDS.values() if losses == reach.get(name, set())]
        for face, ink in (("white", "white"), (tints[0] + "50", "black")):
            box = {"boxstyle": "round", "facecolor": face}
            axis.text(*PLACES[name], text, bbox=box, color=ink, zorder=5, **style)
    axis.set(xlim=(-0.5, 3.5), ylim=(-0.5, 2.5))
    axis.axis("off")


# %%
def weights(network):
    return {
        name: sum(x.numel() for x in getattr(network, name).parameters())
        for name in PARTS
        if getattr(network, name) is not None
    }


# %% [markdown]
# What stands in the boxes:

# %%
paper_weights, own_weights = weights(paper_network), weights(network)
texts = {"frames": f"frames\n{PROFILE} {size(outputs['frames'])}\npaper 32 x 224 x 224 x 3"}
for name, count in paper_weights.items():
    texts[name] = "\n".join(
        [
            name.replace("_", " "),
            f"{PROFILE} {size(outputs[name])}",
            f"paper {size(paper_outputs[name])}",
            f"{own_weights[name]:,} / {count:,} weights",
        ]
    )

# %% tags=["fold"]
arrows_found = claim(
    "Hooks and autograd find the eight arrows of Figure 1",
    len(found) == 8 and ("tag_generator", "tag_attention") in found,
    over="one clip through a network with random weights",
)
figure, axis = subplots(width=9, height=4.2)
draw_network(axis, texts, found, reach, fontsize=7.5)
for k, (name, (_, colour)) in enumerate(list(KINDS.items())[:3]):
    box = {"boxstyle": "round", "facecolor": colour + "50"}
    axis.text(0, 0.9 - 0.3 * k, f"trained by {name}", ha="center", fontsize=7.5, bbox=box)
axis.set_title(arrows_found)
show(
    figure,
    alt="""Eight boxes joined by arrows: frames, encoder, spatio-temporal attention, bottleneck; from
    there to the tag generator and to self-attention; from the tag generator to tag-based attention;
    from both attentions to the decoder. Each box has its output sizes and number of weights.""",
)

# %% [markdown]
# **The answer** to the question, for the paper's sizes:

# %% tags=["nbval-check-output"]
total = sum(paper_weights.values())
for name, count in sorted(paper_weights.items(), key=lambda item: -item[1]):
    print(f"{name:<26} {count / 1e6:6.2f} M {100 * count / total:5.1f} %")
print(f"{'together':<26} {total / 1e6:6.2f} M")

# %% [markdown]
# The encoder has most. All attention together holds about two in a hundred weights: 1 x 1 convolutions are
# cheap, 3-D kernels and wide deconvolutions are not.
#
# In the figure, the tags' arm and the masks' arm part behind the bottleneck. What lies before the fork
# learns from both losses. So does the tag generator, through tag-based attention. What lies behind learns
# from cross-entropy alone.
#
# ### Every number in print
#
# From the trace at full size. One more hook sits inside the bottleneck, for 7 x 7 x 512.


# %%
def printed(inputs, outputs, H):
    """{what: (size found, size in print)}."""
    f, u = outputs["encoder"], inputs["spatio_temporal_attention"]
    found = {
        "f": (size(f), "32 x 14 x 14 x 256"),
        "H / H'": (H // f.shape[3], 16),
        "f with coordinates": (u.shape[1], 258),
        "compressed": (size(outputs["bottleneck.compress"]), "32 x 7 x 7 x 512"),
    }
    for name in ("bottleneck", "self_attention", "tag_attention"):
        found[name] = size(outputs[name]), "32 x 14 x 14 x 256"
    found["tag_generator"] = size(outputs["tag_generator"]), "32 x 112 x 112 x 1"
    return found


# %% [markdown]
# Size by size:

# %% tags=["nbval-check-output"]
inside = [*PARTS, "bottleneck.compress"]
deep_inputs, deep_outputs, _ = on_meta(paper.model, 32, 224, 224, inside)
sizes = printed(deep_inputs, deep_outputs, 224)
for name, (ours, theirs) in sizes.items():
    print(f"{name:<20} {ours!s:<20} {'as printed' if ours == theirs else f'NOT {theirs}'}")

# %% [markdown]
# ### Every parameter
#
# Does each get a gradient from the sum of both losses? A path there is for all of them. But look for
# gradients that are zero:

# %% tags=["nbval-check-output"]
by_both = {name: max((values[name] or 0) for values in table.values()) for name in table["L_tag"]}
without_path = [n for n in by_both if all(values[n] is None for values in table.values())]
dead = [name for name, value in by_both.items() if value < ZERO]
print(f"{len(by_both)} tensors of parameters, {len(without_path)} without a path")
print("zero by algebra:", *dead, sep="\n  ")

# %% [markdown]
# Two kinds of bias cannot learn, and no code is wrong.
#
# - *Keys.* A bias $b$ of the key adds $Q_i \cdot b$ to all scores of row $i$. Softmax does not see what is
#   the same along a row.
# - *Before batch normalisation.* A bias moves the mean of its channel, and in training the normalisation
#   subtracts it again.
#
# They do no harm: they stay where they started. A third case is half dead: from $L_{tag}$ alone the last
# bias of the tag generator gets nothing, since the loss sees differences of tags only. Cross-entropy,
# through tag-based attention, is what moves it.

# %% tags=["fold"]
in_print = claim(
    "All sizes in print are met",
    all(ours == theirs for ours, theirs in sizes.values()),
    over=f"{len(sizes)} sizes, frames of 224 x 224",
)
share = sum(n for name, n in paper_weights.items() if "attention" in name) / total
few = claim(
    "The three attention modules hold about two weights in a hundred",
    0.01 < share < 0.04 and max(paper_weights, key=paper_weights.get) == "encoder",
    over="the network of the paper's sizes",
)
cannot_learn = claim(
    "Six biases get no gradient from either loss, and all other parameters do",
    len(dead) == 6 and all("bias" in name for name in dead) and not without_path,
    over=f"{len(by_both)} tensors of parameters",
)

# %% tags=["nbval-check-output"]
last = "tag_generator.layers.3.bias"
print("L_tag moves the last bias of the tags:", table["L_tag"][last] > ZERO)
print("cross-entropy moves it:", table["cross-entropy"][last] > ZERO)

# %% [markdown]
# ## Try it
#
# Table III removes one thing at a time. Each row that touches the network is a stop of the slider; the
# picture is made by the same hooks.

# %%
rows = {row.name: row for row in TABLE_3 if row.name == "full" or "model" in row.change}

# %% [markdown]
# One network for each row, traced like the whole one:

# %%
pictures = {}
for name, row in rows.items():
    changed = row.apply(config)
    one = TagVIS(replace(changed.model, pretrained=False))
    entered, left = trace(one, batch.frames)
    pictures[name] = {
        "found": arrows(entered, left),
        "reach": trained_by(gradients(one, changed.loss)),
        "channels": {part: x.shape[1] for part, x in entered.items()},
        "weights": weights(one),
    }


# %% tags=["fold"]
def toggled(figure, name):
    axis = figure.subplots()
    one = pictures[name]
    short = {"frames": "I"} | {
        part: f"{SHORT[part]}\n{channels}" for part, channels in one["channels"].items()
    }
    draw_network(axis, short, one["found"], one["reach"], fontsize=7)
    axis.text(
        0.3, 0.3, f"{sum(one['weights'].values()) / 1e6:.2f} M\nweights", ha="center", fontsize=7
    )


# %% tags=["fold"]
explore(
    toggled,
    list(pictures),
    label="row",
    title="Blue: L_tag alone. Orange: cross-entropy alone. Green: both. White: no weights",  # given: a key
    alt="""Figure 1 as a diagram for four rows of Table III, boxes coloured by the losses that train
    them; numbers are the channels that enter. Without the semantic branch all boxes are of one
    colour.""",
    size=(2.25, 2.1),
)

# %% tags=["fold"]
full, cut = pictures["full"], pictures["tag-based-attention-connector"]
only_way = claim(
    "Without tag-based attention cross-entropy does not reach the tag generator",
    full["reach"]["tag_generator"] == {"L_tag", "cross-entropy"}
    and cut["reach"]["tag_generator"] == {"L_tag"},
    over="every parameter of the tag generator",
)

# %% [markdown]
# Take `tag-based-attention-connector`: the tag generator turns blue, since cross-entropy has lost its way to
# it. With `semantic-branch` everything is blue, and something must stand in for the masks: the background
# becomes one more instance ([D13](../docs/decisions.md)).

# %% [markdown]
# ## The paper does not say
#
# **Input size and stride** ([D1](../docs/decisions.md)). The size of the frames is not in print. Three
# readings, traced: ours, with a pool behind the stem; frames of 112 without the pool; and frames of 224
# without.
#
# **Two scales** ([D7](../docs/decisions.md)). From 14 to 112 in two layers: 4 then 2, or 2 then 4.

# %%
no_pool = {"spatial_strides": (2, 1, 1, 2, 2)}
readings = {
    "224, pool (ours)": (224, {}),
    "112, no pool": (112, no_pool),
    "224, no pool": (224, no_pool),
    "224, pool, 2 then 4": (224, {"upsampling": (2, 4)}),
}

# %% [markdown]
# Each of them beside the print:

# %% tags=["nbval-check-output"]
met = {}
for name, (side, change) in readings.items():
    i, o, one = on_meta(replace(paper.model, **change), 32, side, side, inside)
    agree = [ours == theirs for ours, theirs in printed(i, o, side).values()]
    met[name] = sum(agree) / len(agree)
    count = sum(weights(one).values()) / 1e6
    print(f"{name:<20} {sum(agree)} of {len(agree)} numbers, {count:.1f} M weights")

# %% [markdown]
# Frames of 112 miss one number only, the stride of 16. The default is the reading that meets all. The order
# of the scales cannot be told from the print: same sizes, other weights.
#
# **Stride in time** ([D2](../docs/decisions.md)). torchvision's R(2+1)D halves T in two of these layers, 32
# to 8; the print has 32 everywhere. Two readings meet the print: stride 1, our default, or stride 1 with
# dilation in time, which keeps torchvision's own features at every fourth frame and has the same shapes and
# cost.

# %% [markdown]
# ## Exercise
#
# **1. Predict** (2 minutes). Which part holds most weights at the paper's sizes? Answer with its name:
# `"encoder"`, `"bottleneck"`, `"decoder"`, `"tag_generator"` or `"attention"`, all three of that kind
# together.


# %% tags=["exercise"]
def heaviest_part():
    """The part with most weights."""
    ### BEGIN SOLUTION
    return "encoder"
    ### END SOLUTION


# %% tags=["check"]
check(heaviest_part, check_most_weights)

# %% [markdown]
# **2. Code: trace one tensor** (10 minutes). The paper's network, another input: $T$ frames of $H \times W$,
# both multiples of 32. Give the size of each tensor as (T, height, width, channels), with 41 classes.
#
# <details><summary>Hint</summary>H/16 for f. The bottleneck halves that and doubles it again. The tags are at eight times
# H/16.</details>


# %% tags=["exercise"]
def shape_ladder(T, H, W):
    """{"f with coordinates", "compressed", "q", "p", "w", "O": (T, height, width, channels)}."""
    ### BEGIN SOLUTION
    h, w = H // 16, W // 16
    return {
        "f with coordinates": (T, h, w, 258),
        "compressed": (T, h // 2, w // 2, 512),
        "q": (T, h, w, 256),
        "p": (T, 8 * h, 8 * w, 1),
        "w": (T, h, w, 256),
        "O": (T, 8 * h, 8 * w, 41),
    }
    ### END SOLUTION


# %% tags=["check"]
check(shape_ladder, check_shape_ladder)

# %% [markdown]
# **3. Break it** (6 minutes). The network wants H and W to be multiples of 32. Find the smallest height
# above 300 that is a multiple of 16, so that the encoder is content, for which tags and labels would have
# different heights, and return all three: (height, height of the labels, height of the tags). Labels are
# half as high as the frame.
#
# <details><summary>Hint</summary>The bottleneck's stride of 2 rounds up: 15 becomes 8. What becomes of 8?</details>


# %% tags=["exercise"]
def heights_that_differ():
    """(H, height of the labels, height of the tags)."""
    ### BEGIN SOLUTION
    return 304, 152, 160
    ### END SOLUTION


# %% tags=["check"]
check(heights_that_differ, check_heights)

# %% [markdown]
# **4. Open.** Figure 1's legend shows an element-wise multiplication that no arrow of the figure has
# ([D24](../docs/decisions.md)). Where would you put it? *Judge it*: shapes must fit, something must be
# learnt there that is not learnt without, and a row of Table III should tell.

# %% [markdown]
# ## Quiz
#
# <details><summary>1. Why must H and W be multiples of 32, when the encoder only divides by 16?</summary>
#
# The bottleneck halves the map once more and doubles it again. From an odd 15 would come 8, and then 16:
# tags of 128 x 128, where the labels have 120 x 120. <!-- given: the arithmetic of strides -->
# </details>
#
# <details><summary>2. Half the frames, T = 16. Which weights change?</summary>
#
# None. All kernels have fixed sizes and attention has no weights that depend on T. But the attention's work
# does: all frames ask all frames. <!-- given: no shape of a weight has T in it -->
# </details>
#
# <details><summary>3. Drop self-attention, and leave the connector: v = q. Which parts are still trained by both
# losses?</summary>
#
# The same as before: encoder, spatio-temporal attention, bottleneck, tag generator. Self-attention is a box
# on a way, not a fork. <!-- given: the row self-attention of the slider -->
# </details>

# %% [markdown]
# ## In the package
#
# `tagvis_lite.model.network.TagVIS` does the same in its `forward`, with `if` for the removals of Table III.

# %%
network = network.float().eval()
with torch.no_grad():
    prediction = network(clip.frames[None])
torch.testing.assert_close(prediction.tags, p.squeeze(1))
torch.testing.assert_close(prediction.semantic_logits, masks)

# %% [markdown]
# ## Metrics
#
# What this lesson claims, as numbers.

# %% tags=["fold"]
metrics = {
    "printed numbers met": met["224, pool (ours)"],
    "parameters without a path": len(without_path),
    "parameters that are dead by algebra": len(dead),
    "weights, millions": sum(own_weights.values()) / 1e6,
    "weights of the paper's network, millions": total / 1e6,
    "share in attention": share,
    "arrows": len(found),
}
record("16", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert heights == [224, 112, 56, 56, 28, 14, 7, 14, 56, 112]
assert paper_network.tag_generator.layers[3].weight.numel() + 1 == 1025
assert met["112, no pool"] == 7 / 8
assert set().union(*pictures["semantic-branch"]["reach"].values()) == {"L_tag"}

# %% [markdown]
# ## Summary
#
# - Seven parts and two concatenations; all sizes in print are met, with frames of
#   224 x 224. <!-- claim: arrows_found, in_print -->
# - Encoder, bottleneck and decoder hold nearly all weights, attention two in a hundred. <!-- claim: few -->
# - Before the fork both losses train; behind it, tags hear cross-entropy only through tag-based attention.
#   Six biases never learn, by algebra. <!-- claim: only_way, cannot_learn -->
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, section III-A and figure 1.

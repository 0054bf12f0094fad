# %% [markdown]
# # 18 · Table III: what each part is worth
#
# **One idea:** take one part away, train again with several seeds, and believe a difference only if
# it is larger than chance.
#
# Paper: section IV-C, Table III · Time: under 40 seconds on two CPU cores (the runs it reads took hours)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - write an ablation as a change of configuration and train it at equal budget,
# - put a 95 % interval around a difference of a few seeds, and say what it supports,
# - examine a part that does not help before you throw it out, or keep it.
#
# You need: the four terms of the loss, lesson [10](10_tagging_loss.ipynb); the modules, lesson
# [13](13_network.ipynb); J&F, lesson [16](16_davis.ipynb).
#
# Previous: [17 · YouTube-VIS](17_youtube_vis.ipynb) · Next: [19 · speed](19_speed.ipynb)

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: the networks that take a training step here
SEED = 0  # of their weights, and the toy videos of the two experiments at the end
DATA = ""  # not used: every recorded run was trained and scored on toy videos
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import torch
from scipy import stats

from tagvis_lite.ablation import READINGS, TABLE_3, Summary
from tagvis_lite.checkpoint import load_network
from tagvis_lite.config import PROFILES
from tagvis_lite.data.clips import make_clip, spread_indices
from tagvis_lite.data.toy import CATEGORIES, ToySplit
from tagvis_lite.inference import predict_clip
from tagvis_lite.lessons import COLOURS, check, explore, record, show, subplots
from tagvis_lite.lessons.checks.lesson_18 import check_paired_difference
from tagvis_lite.losses import overall_loss, tagging_terms
from tagvis_lite.model.network import TagVIS
from tagvis_lite.shipped import shipped
from tagvis_lite.video import Clip

# %% [markdown]
# ## A question
#
# The paper takes twelve networks: the whole one, and eleven with one part left out. *Every* part that
# is left out costs between 3.5 and 12.7 points of J&F.
#
# We trained the same twelve on toy videos, several times each. Write down before you go on: *Which loss
# term is missed most? Is there a part that is not missed at all? And if a row scores 2 points less with
# one seed, how sure are you that the part matters?*

# %% [markdown] tags=["table-3"]
# ## The paper
#
# Table III is the *paper's* claim, on the validation set of DAVIS'19 Unsupervised. It gives one number
# per row: how many trainings stand behind it is not said. 'Connector' is any link to or from the module.

# %% tags=["nbval-check-output"]
claimed = {row.name: row.paper[0] for row in TABLE_3}
for row in TABLE_3:
    print(f"{row.group:<15} {row.title:<59} {claimed[row.name]:.1f}")

# %% [markdown]
# What the text says about them: without $L_{spectra}$ the tags of one object fall apart into clumps;
# $L_{specter}$ keeps instances from overlapping; $L_{tempra}$ and $L_{temper}$ make tags consistent over
# time; spatio-temporal attention brings long-range dependencies; Tag-Based Attention separates tags; and
# the semantic branch as a whole gives 'a significant boost'.

# %% [markdown]
# ## In code
#
# A row is a change of the configuration, nothing else. All rows then go through the same training, the same
# number of steps, the same videos.

# %%
full = PROFILES[PROFILE]
full = replace(full, model=replace(full.model, pretrained=False))


def changes(row):
    """The fields in which a row differs from the full model."""
    return {f"{a}.{b}": value for a, fields in row.change.items() for b, value in fields.items()}


for row in TABLE_3[:2] + TABLE_3[-1:]:
    print(f"{row.name:<16}", changes(row))

# %% [markdown]
# Does each of them train? Two steps on one small clip: the loss must be a number, and every weight that is
# there must get a gradient. A row that leaves weights without gradient would compare two things at once.

# %%
small = replace(full.data, clip_frames=4, size=(64, 64))
split = ToySplit("test", 8)
num_classes = full.model.num_classes
clip = make_clip(split[SEED], spread_indices(len(split[SEED]), 4), small, num_classes)
batch = Clip.collate([clip])


def two_steps(config):
    """Loss before and after one step of Adam, and the names of weights without gradient."""
    torch.manual_seed(SEED)
    network = TagVIS(config.model)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    losses = []
    for _ in range(2):
        optimizer.zero_grad()
        losses.append(overall_loss(network(batch.frames), batch, config.loss).overall)
        losses[-1].backward()
        optimizer.step()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None]
    return losses[0].item(), losses[1].item(), idle


# %%
trained = {row.name: two_steps(row.apply(full)) for row in TABLE_3}
for before, after, idle in trained.values():
    assert np.isfinite([before, after]).all()
    assert idle == []

# %% [markdown]
# The trainings themselves take minutes each, too long for a lesson. They were run by
#
# ```sh
# tagvis ablate --out data/runs/ablation --seeds 5 --train.steps 400 \
#     --train.precision bf16-mixed --train.validate-every 400
# ```
#
# which writes one json file per row and seed, with its whole configuration, and goes on where it was
# stopped. Here we read them.

# %%
scores, errors = defaultdict(dict), defaultdict(list)
for path in sorted(shipped("runs/ablation").glob("*.json")):
    run = json.loads(path.read_text())
    scores[run["row"]][run["seed"]] = 100 * run["scores"]["J&F-Mean"]
    errors[run["row"]].append(run["instance_count_error"])
budget = run["config"]["train"]

# %% tags=["nbval-check-output"]
print(
    budget["steps"], "steps of", budget["batch_size"], "clips;", run["test_videos"], "test videos"
)
print("runs of Table III:", sum(len(scores[row.name]) for row in TABLE_3))
print("runs of readings: ", sum(len(scores[row.name]) for row in READINGS[1:]))

# %% [markdown]
# ## By hand
#
# Three seeds. The full model scores 40, 44 and 42; without some part it is 38, 40 and 36. Seeds share the
# videos and their order, so we compare seed by seed: the differences are $-2$, $-4$ and $-6$.
#
# Their mean is $\bar d = -4$, their standard deviation (of a sample) $s = 2$. A mean of $k$ values is
# uncertain by $s/\sqrt{k}$, and for few values Student's $t$ says how many of those make 95 %: 4.30 for
# three. So the interval is $-4 \pm 4.30 \cdot 2/\sqrt 3 = -4 \pm 5.0$, from $-9$ to $+1$.
#
# All three seeds were worse without the part, and still the interval holds 0: **three seeds are not many**.

# %% tags=["nbval-check-output"]
differences = np.array([38, 40, 36]) - np.array([40, 44, 42])
t = stats.t.ppf(0.975, df=2)
half = t * differences.std(ddof=1) / np.sqrt(3)
print(f"t {t:.2f}, interval {differences.mean() - half:.1f} to {differences.mean() + half:.1f}")

# %% [markdown]
# ## The picture
#
# The same for every row: points of J&F lost or won against the full model of the same seed. (Lesson
# [21](21_report.ipynb) does without pairs, which needs fewer assumptions and gives wider intervals.)


# %%
def against_full(name):
    """Mean difference of a row to the full model in points of J&F, and half its 95 % interval."""
    seeds = sorted(set(scores[name]) & set(scores["full"]))
    d = np.array([scores[name][seed] - scores["full"][seed] for seed in seeds])
    if len(d) < 2:
        return d.mean() if len(d) else np.nan, np.inf
    return d.mean(), stats.t.ppf(0.975, len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))


def verdict(mean, half):
    """What the interval says of the claim that the part is worth something."""
    if mean + half < 0:
        return "supported"
    return "contradicted" if mean - half > 0 else "not decided"


# %%
parts = TABLE_3[1:]
paper = {row.name: row.paper[0] - TABLE_3[0].paper[0] for row in parts}
here = {row.name: against_full(row.name) for row in parts}
means, halves = np.array(list(here.values())).T

# %%
figure, axis = subplots(width=8, height=4.2)
places = -np.arange(len(parts))
axis.errorbar(means, places, xerr=halves, fmt="o", color=COLOURS[0], capsize=3, label="toy, here")
axis.plot(list(paper.values()), places, "D", color=COLOURS[1], label="DAVIS'19, the paper")
axis.axvline(0, color="black", linewidth=0.8)
axis.set_yticks(places, [row.name.replace("-", " ") for row in parts])
axis.set_xlabel("points of J&F without it (95 % interval over seeds)")
axis.set_title("On toy, two parts carry the method; one is better left out")
axis.legend(loc="upper left")
show(
    figure,
    alt="""For each of eleven parts the change of J&F without it, measured here with intervals beside
    the paper's single numbers. Here the semantic branch and L_spectra cost far more than in the paper,
    L_specter gains several points, all others lie within a few points of zero. In the paper all are
    between -3.5 and -12.7.""",
)

# %% [markdown]
# In words, by a rule that you can read above: a claim is *supported* if the whole interval lies below 0,
# *contradicted* if it lies above, and *not decided* if it holds 0.

# %% tags=["nbval-check-output"]
for row in parts:
    mean, half = here[row.name]
    print(
        f"{row.name:<30} paper {paper[row.name]:+6.1f}   here {mean:+6.1f} ± {half:4.1f}   "
        f"{len(scores[row.name])} seeds   {verdict(mean, half)}"
    )

# %% [markdown]
# **Supported:** tags must be pulled together ($L_{spectra}$), and there must be a semantic branch. Without the
# branch nothing tells background from objects; background becomes one more instance, and most of what goes
# wrong is its tags, not those of the objects.
#
# **Contradicted on toy:** without $L_{specter}$ the score is *higher*. More on this below.
#
# **Not decided:** most of the others. That is not 'worth nothing': it is 'worth less than the interval can
# show, in this setting'.
#
# **Cannot be tested here:** what needs long clips, large frames, pretrained weights or full training. Toy clips
# have 8 frames of 64 x 64; 400 steps are a fraction of a training (the shipped weights saw 12,000 and reach 77.7).

# %% [markdown]
# ## Try it
#
# Pick a row. Each line is one seed; a part that matters pulls all lines down.


# %%
def row_picker(figure, name):
    axis = figure.subplots()
    for seed, score in scores[name].items():
        axis.plot([0, 1], [scores["full"][seed], score], "o-", color=COLOURS[0], markersize=4)
    axis.plot([0, 1], [claimed["full"], claimed[name]], "D--", color=COLOURS[1], markersize=4)
    axis.set(xlim=(-0.2, 1.2), ylim=(0, 80), ylabel="J&F")
    axis.set_xticks([0, 1], ["full", "without"])


explore(
    row_picker,
    values=[row.name for row in parts],
    label="row",
    title="Blue: toy runs, one line a seed. Orange: the paper",
    alt="""Four rows as lines from the full model to the model without the part, one line a seed here and
    a dashed one for the paper. Lines fall for spectra and for the semantic branch, and are level for
    others, while the paper's always fall.""",
    size=(2.3, 2.4),
)

# %% [markdown]
# ## The paper does not say
#
# Choices that [decisions.md](../docs/decisions.md) leaves to measurement, each against the same full model at the
# same budget: who asks whom in attention (D4), the residual (D5), the range of tags (D8), over what $h_n$ is taken
# (D9), sums or means (D10), how many pixels (D11), and the weights (D14).

# %% tags=["nbval-check-output"]
readings = {row.name: against_full(row.name) for row in READINGS[1:] if scores[row.name]}
for row in READINGS[1:]:
    if row.name in readings:
        mean, half = readings[row.name]
        width = f"± {half:4.1f}" if np.isfinite(half) else "(one seed)"
        print(f"{row.title:<45} {mean:+6.1f} {width:<10} {len(scores[row.name])} seeds")

# %%
figure, axis = subplots(width=8, height=3.2)
places = -np.arange(len(readings))
means, halves = np.array(list(readings.values())).T
halves = np.where(np.isfinite(halves), halves, 0)
axis.errorbar(means, places, xerr=halves, fmt="o", color=COLOURS[0], capsize=3)
axis.axvline(0, color="black", linewidth=0.8)
titles = [row.title for row in READINGS[1:] if row.name in readings]
axis.set_yticks(places, titles)
axis.set_xlabel("points of J&F against our reading (95 % interval)")
axis.set_title("Three readings cost a third of the score or more")
show(
    figure,
    alt="""Change of J&F for other readings of the paper. No residual around attention, tags in 0 to 1
    and printed sums cost about fifteen points each; the others lie within a few points of zero.""",
)

# %% [markdown]
# The literal text is a losing one in three places: tags in [0, 1] with a margin of 3 (lesson
# [07](07_specter.ipynb) shows why), sums as printed (lesson [10](10_tagging_loss.ipynb)), and attention without
# a residual, where random maps stand between the encoder and everything else. If the authors' code followed the
# text to the letter, it did not do so with our learning rate and budget.
#
# ### Why is $L_{specter}$ better left out here?
#
# $L_{specter}$ pushes clip means apart, $L_{temper}$ frame means. In a toy clip nearly every object is seen in every
# frame. So when all frames are apart, the clip means are too. Look at the two terms of the shipped network on
# videos it has not seen.

# %%
network, config = load_network(shipped("checkpoints/toy.safetensors"))
pairs = []
for k in range(8):
    video = split[k]
    indices = spread_indices(len(video), config.data.clip_frames)
    seen = make_clip(video, indices, config.data, num_classes=len(CATEGORIES) + 1)
    tags = predict_clip(network, seen.frames).tags
    terms = tagging_terms(tags[None], seen.ids[None], config.loss)
    pairs.append([terms["specter"].item(), terms["temper"].item()])
specter, temper = np.array(pairs).T

# %% tags=["nbval-check-output"]
print("specter", np.round(specter, 2).tolist())
print("temper ", np.round(temper, 2).tolist())

# %% [markdown]
# They are nearly the same number, video by video: **one push, counted twice**, each with weight 4 in the toy profile. Taking
# one away halves the push and takes away nothing else. If that is the reason, then *both at half weight* must gain as
# much. This control was run as well, at the same budget:

# %% tags=["nbval-check-output"]
for name in ("specter", "temper", "half-push"):
    mean, half = against_full(name)
    count = np.mean(errors[name])
    print(f"{name:<10} {mean:+.1f} ± {half:.1f}   count error {count:.2f}")
print(f"{'full':<10} {'':<12} count error {np.mean(errors['full']):.2f}")

# %% [markdown]
# It gains too, by more than chance, and its count error falls as well. So most of what leaving out $L_{specter}$
# gains is *less push*: with both terms at weight 4, tags are torn apart within objects before 400 steps can mend it.
# Whether $L_{specter}$ is worth anything beside $L_{temper}$ these runs do not say. Where objects hide for half of a
# long clip, the two terms differ, and there it could.
#
# ### Why does attention not show its worth?
#
# Its purpose is reach: 'long-range dependencies across frames'. How far does a tag of the toy network see *without*
# spatio-temporal attention? We ask autograd: from one tag in the middle, which input pixels have a gradient?

# %%
bare = replace(
    PROFILES["toy"].model,
    spatio_temporal_attention="removed",
    tag_branch="removed",
    feature_branch="removed",
)
torch.manual_seed(SEED)
frames = torch.randn(1, 3, 8, 64, 64, requires_grad=True)
TagVIS(bare).eval()(frames).tags[0, 4, 31, 31].backward()
gradient = frames.grad[0].abs().sum(0)
reached = (gradient > 0).float().mean((1, 2)).numpy()
weight = (gradient.sum((1, 2)) / gradient.sum()).numpy()

# %% tags=["nbval-check-output"]
print("share of the pixels of each frame that are seen:", [f"{share:.2f}" for share in reached])

# %% [markdown]
# All of them, in all eight frames: convolutions and the bottleneck already reach everywhere. There is nothing left
# for attention to bring nearer. In a clip of 32 frames at 224 x 224 this is different; so the toy set *cannot test*
# the claim. The same holds for Tag-Based Attention: the shipped decoder hardly uses it (lesson
# [12](12_semantics.ipynb): setting $w$ to zero changes nothing), since toy classes can be told from shape alone.

# %% [markdown]
# ## Exercise
#
# **More than chance?** (10 minutes). Return the mean of the differences *without minus full*, seed by seed, and half
# the width of its 95 % interval.
#
# <details><summary>Hint</summary>The cell under 'By hand', for any number of seeds.</details>
#
# Afterwards, add an ablation of your own: write a `Row` with a name and a change, put it into `READINGS` of
# `tagvis_lite/ablation.py`, and run `tagvis ablate --table readings --only full your-row --seeds 3`.


# %% tags=["exercise"]
def paired_difference(full, without):
    """Scores of the same seeds to (mean difference, half width of its 95 % interval)."""
    ### BEGIN SOLUTION
    d = np.subtract(without, full)
    t = stats.t.ppf(0.975, len(d) - 1)
    return float(d.mean()), float(t * d.std(ddof=1) / np.sqrt(len(d)))
    ### END SOLUTION


# %% tags=["check"]
check(paired_difference, check_paired_difference)

# %% [markdown]
# ## Quiz
#
# 1. Ten parts, none of them worth anything, each tested at 95 %. How likely is at least one 'supported' or
#    'contradicted' by chance?
#
# <details><summary>Answer</summary>1 - 0.95^10, about 40 %. Eleven rows of a table are eleven tests: one narrow
# miss or hit proves little. The two large ones here are far outside.</details>
#
# 2. Is the test set part of the uncertainty?
#
# <details><summary>Answer</summary>Not of these intervals: all runs are scored on the same 64 videos, so they say how
# far another *seed* may fall, not another set of videos. The paper's number is one run on 30 sequences.</details>
#
# 3. A part gains nothing at 400 steps. May you remove it?
#
# <details><summary>Answer</summary>You may say that it gains nothing at 400 steps on these data. It may speed up or slow
# down learning and change the end, or matter only for long clips. Train longer, or say what you have not tested.
# </details>

# %% [markdown]
# ## In the package
#
# `tagvis_lite.ablation` holds the rows, runs them and summarises. `Summary.of` gives the interval of each row's own
# scores; it must agree with ours on the differences, since it is the same formula.

# %%
for name in ("full", "spectra"):
    row = next(row for row in TABLE_3 if row.name == name)
    values = list(scores[name].values())
    keys = ("J&F-Mean", "J-Mean", "F-Mean")
    own = Summary.of(row, [{"scores": dict.fromkeys(keys, value / 100)} for value in values])
    by_hand = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    assert np.isclose(own.mean[0], np.mean(values))
    assert np.isclose(own.half_width[0], by_hand)

# %% [markdown]
# ## Metrics

# %% tags=["nbval-check-output"]
metrics = {
    "rows that take a step": sum(np.isfinite(after) for _, after, _ in trained.values()),
    "fewest seeds of a row": min(len(scores[row.name]) for row in TABLE_3),
    "supported": sum(verdict(*here[row.name]) == "supported" for row in parts),
    "contradicted": sum(verdict(*here[row.name]) == "contradicted" for row in parts),
    "J&F of the full model": np.mean(list(scores["full"].values())),
    "without L_spectra": here["spectra"][0],
    "without L_specter": here["specter"][0],
    "without the semantic branch": here["semantic-branch"][0],
    "least share of a frame seen": reached.min(),
}
record("18", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %%
assert metrics["rows that take a step"] == 12
assert metrics["fewest seeds of a row"] >= 2
assert verdict(*here["spectra"]) == verdict(*here["semantic-branch"]) == "supported"
assert metrics["least share of a frame seen"] > 0.99
assert np.abs(specter - temper).max() < 0.3

# %% [markdown]
# ## Summary
#
# - An ablation is a configuration. Equal budget, equal videos, several seeds.
# - On toy videos $L_{spectra}$ and the semantic branch carry the method; the push is counted twice.
# - Three literal readings of the paper (sums, tags in [0, 1], no residual) cost a third of the score or more.
# - What attention brings cannot be tested where convolutions already see everything.
#
# References: Kini and Shah (2022), section IV-C and Table III; Student (1908), *The probable error of a mean*.
#
# Next: [19 · speed](19_speed.ipynb)

# %% [markdown]
# # 20 · YouTube-VIS: AP, by hand and then exactly
#
# **One idea:** a result is a ranked list of tracks; each claims one object through the whole video, and
# average precision says how far down the list the claims hold.
#
# Paper: section IV-B, Table I · Time: 40 minutes to read, 25 for the exercises; 25 seconds on two CPU cores
#
# The tracks of one network, and precision against recall. The slider is the IoU from which a track counts as a
# find; what is shaded is the average precision at that IoU.


# %% tags=["parameters"]
PROFILE = "toy"  # not used in this lesson: weights come with the toy profile only
SEED = 0  # chooses the toy videos
DATA = ""  # not used in this lesson: YouTube-VIS keeps the masks of its validation set to itself
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from itertools import pairwise

import numpy as np

from tagvis_lite.course import COLOURS, check, claim, explore, record, show, subplots
from tagvis_lite.course.checks.lesson_20 import (
    check_late_swap,
    check_same_tracks,
    check_sequence_iou,
)
from tagvis_lite.data.toy import render_video
from tagvis_lite.data.youtube_vis_json import parse_annotations, parse_predictions
from tagvis_lite.evaluation.explain import (
    CAUSES,
    explain_youtube_vis,
    ranking_and_category,
    summaries,
)
from tagvis_lite.evaluation.youtube_vis import evaluate_tracks, evaluate_youtube_vis
from tagvis_lite.evaluation.youtube_vis_submission import track_results
from tagvis_lite.inference import look
from tagvis_lite.instances import cluster_instances
from tagvis_lite.interpolation import interpolate_ids
from tagvis_lite.runs import load_network, shipped
from tagvis_lite.video import Tracks, Video

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)

# %% tags=["fold"]
network, config = load_network(shipped("checkpoints/toy.safetensors"))
videos = [render_video(5_000_000 + 100 * SEED + k) for k in range(24)]
predicted = []
for video in videos:
    seen = look(network, video, config)
    instances = cluster_instances(seen.prediction, config.inference)
    ids = interpolate_ids(instances.ids, seen.kept, len(video), seen.size)
    predicted.append((video, seen.prediction, instances, ids))
ALL = [
    Tracks(video.name, ids, found.categories, found.scores) for video, _, found, ids in predicted
]
whole = evaluate_tracks(videos, ALL)


def area(figure, threshold):
    axis = figure.subplots()
    curve = whole.precision[THRESHOLDS.round(2).tolist().index(threshold)].mean(axis=-1)
    axis.fill_between(RECALLS, curve, step="post", alpha=0.4)
    axis.set(xlim=(0, 1), ylim=(0, 1.05), xlabel=f"recall (AP {curve.mean():.2f})")
    axis.set_ylabel("precision")


explore(
    area,
    values=[round(float(t), 2) for t in THRESHOLDS],
    label="IoU threshold",
    title="Precision against recall",
    alt="""Four precision-recall curves of the same tracks, for IoU thresholds 0.5, 0.65, 0.8 and
    0.95: the area under them shrinks, at the end nearly to nothing.""",
)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - compute the IoU of two tracks, and say why it is not the mean over frames,
# - match tracks to objects and turn a list of hits into AP, with a pencil,
# - predict what an identity switch, a bad score or a split track costs.
#
# You need: J of lesson [19](19_davis.ipynb), and that precision and recall are shares.
#
# Previous: [19 · DAVIS](19_davis.ipynb) · Next: [21 · ablations](21_ablations.ipynb)

# %% [markdown]
# ## A question
#
# Two zebras walk past each other. A method segments both perfectly in all 12 frames, but after frame 7
# it takes each for the other.
#
# Write down before you go on: *An AP that looks at single frames gives 1. What does the AP of
# YouTube-VIS give? And if a method finds every object, can its AP still fall, by the scores that it
# writes next to them?*

# %% [markdown] tags=["table-1"]
# ## The paper
#
# Table I is the *paper's* claim on the validation set of YouTube-VIS, in percent. Its masks are not
# public, and nothing in this project has reproduced it; lesson [24](24_report.ipynb) says what was run.
#
# | method | mAP | AP@50 | AP@75 | AR@1 | AR@10 |
# |---|---|---|---|---|---|
# | DeepSORT | 26.1 | 42.9 | 26.1 | 27.8 | 31.3 |
# | FEELVOS | 26.9 | 42.0 | 29.7 | 29.9 | 33.4 |
# | OSMN | 27.5 | 45.1 | 29.1 | 28.6 | 33.1 |
# | MaskTrack | 30.3 | 51.1 | 32.6 | 31.0 | 35.5 |
# | STEm-Seg | 34.6 | 55.8 | 37.9 | 34.4 | 41.6 |
# | MaskProp | 46.6 | - | 51.2 | 44.0 | 52.6 |
# | Propose-Reduce | 47.6 | 71.6 | 51.8 | 46.3 | 56.0 |
# | the paper | 51.2 | 74.8 | 57.9 | 46.3 | 57.6 |
#
# A result is a list of tracks, each with a category and a score. With $A_t$ the object and $B_t$ the
# track in frame $t$,
#
# $$\mathrm{IoU} = \frac{\sum_t |A_t \cap B_t|}{\sum_t |A_t \cup B_t|}$$
#
# | name | meaning |
# |---|---|
# | IoU | of a whole track; only tracks of one video and category are compared |
# | hit | a track whose IoU with a still free object reaches the threshold |
# | precision, recall | after the first k tracks: hits / k, hits / objects |
# | AP@50, AP@75 | average precision at IoU 0.5, at 0.75, averaged over categories |
# | mAP, AP | mean over the ten thresholds 0.5, 0.55, ... 0.95 |
# | AR@1, AR@10 | recall with 1, with 10 tracks per video and category, mean over thresholds |

# %% [markdown]
# ## In code
#
# The IoU of two tracks: all frames laid end to end, then as in lesson 19.


# %%
def track_iou(a, b):
    """IoU of two tracks, bool T x H x W."""
    union = (a | b).sum()
    return (a & b).sum() / union if union else 0.0


# %% [markdown]
# Matching is greedy. Tracks come best score first, and each takes the free object it overlaps most, if
# that reaches the threshold. A second claim to the same object is a false alarm.


# %%
def hits_of(ious, threshold):
    """Which of D tracks, best first, hit one of G objects: ious is D x G, the result D, bool."""
    free, hits = set(range(ious.shape[1])), []
    for row in ious:
        reached = [(row[g], g) for g in free if row[g] >= threshold]
        hits.append(bool(reached))
        if reached:
            free.remove(max(reached)[1])
    return np.array(hits, bool)


# %% [markdown]
# From hits to a curve: at each of 101 recalls, the best precision at this recall *or any higher one*.
# AP is the mean of the curve.


# %%
def precision_curve(hits, num_objects):
    """Precision at the 101 recalls; hits of all videos, best score first."""
    true = np.cumsum(hits)
    precision, recall = true / np.arange(1, len(hits) + 1), true / num_objects
    return np.array([precision[recall >= r].max(initial=0) for r in RECALLS])


# %% [markdown]
# A shape check beside it: a list of hits in, 101 numbers out; nothing but hits is an AP of 1.

# %%
precision_curve(np.ones(7, bool), 7).shape, precision_curve(np.ones(7, bool), 7).mean()

# %% [markdown]
# ## By hand
#
# **One track.** An object comes closer: 1, 4 and 9 pixels in three frames of 5 x 5. The track misses
# it in the first frame, has it exactly in the second, and 6 of 9 pixels in the third:
#
# $$\mathrm{IoU} = \frac{0 + 4 + 6}{1 + 4 + 9} = \frac{10}{14} = 0.714$$
#
# The mean over frames would be $(0 + 1 + \tfrac23)/3 = 0.556$. Frames in which the object is large
# count more, and a mean over frames is another number. At 0.714 the track is a hit at the thresholds 0.5 to 0.7, which are 5 of 10.

# %% tags=["nbval-check-output"]
closer, found = np.zeros((2, 3, 5, 5), bool)
closer[0, 2, 2] = closer[1, 1:3, 1:3] = closer[2, 1:4, 1:4] = True
found[1, 1:3, 1:3] = found[2, 1:4, 1:3] = True
iou_by_hand = track_iou(closer, found)
print(f"IoU {iou_by_hand:.3f}, a hit at {(iou_by_hand >= THRESHOLDS).sum()} of 10 thresholds")

# %% [markdown]
# **A list of tracks.** Three objects; four tracks, best score first: hit, miss, hit, miss.
#
# | after track | precision | recall |
# |---|---|---|
# | 1, hit | 1 | 1/3 |
# | 2, miss | 1/2 | 1/3 |
# | 3, hit | 2/3 | 2/3 |
# | 4, miss | 2/4 | 2/3 |
#
# Of the 101 recalls, 34 (0.00 to 0.33) are reached with precision 1, the next 33 (0.34 to 0.66) with
# 2/3, and 34 never. So AP is $(34 \cdot 1 + 33 \cdot \tfrac23)/101 = 56/101 = 0.554$.

# %% tags=["nbval-check-output"]
hits = np.array([True, False, True, False])
ap_by_hand = precision_curve(hits, num_objects=3).mean()
print(f"AP {ap_by_hand:.3f}")

# %% [markdown]
# **The zebras.** Two objects of equal size, perfect masks, and ids that swap after frame k of 12. The
# first track overlaps its own zebra in k frames, and the other's in the rest: its IoU is
# $k / (24 - k)$. With k = 7 that is 7/17, below every threshold.

# %%
zebras = np.zeros((12, 5, 5), np.uint8)
zebras[:, 0], zebras[:, 4] = 1, 2


def ap_of(ids):
    """AP of label maps against the zebras; every track has category 1 and score 1."""
    one = {n: 1 for n in (1, 2, 3)}
    video = Video("zebras", np.zeros((12, 5, 5, 3), np.uint8), zebras, one)
    return evaluate_tracks([video], [Tracks("zebras", ids, one, one)]).AP


# %% tags=["nbval-check-output"]
swap = np.array([0, 2, 1], np.uint8)
ap_after = {}
for k in (12, 11, 10, 7, 6):
    switched = np.concatenate([zebras[:k], swap[zebras[k:]]])
    ap_after[k] = ap_of(switched)
    print(f"ids swap after frame {k:2}: IoU {k / (24 - k):.2f}, AP {ap_after[k]:.1f}")

# %% tags=["fold"]
zero = claim(
    "Perfect masks whose ids swap after frame 7 of 12 score an AP of 0",
    ap_after[7] == ap_after[6] == 0 and ap_after[12] > 1 - 1e-9,
    over="2 zebras, 10 thresholds",
)

# %% [markdown]
# So the answer to the first question is **zero**, <!-- claim: zero --> though every pixel of every mask is right. Even a swap
# in the last frame costs 0.3. *A track follows one object, or it is no track.* And if only one zebra is
# given a new id half-way, a split track?

# %% tags=["nbval-check-output"]
split = zebras.copy()
split[6:][split[6:] == 1] = 3
print(f"zebra 1 is called 3 from frame 6 on: AP {ap_of(split):.2f}")

# %% [markdown]
# Zebra 2 is a hit everywhere. Either half of zebra 1 has an IoU of exactly one half, so one of them is a
# hit at the lowest threshold and at no other. There the two halves are false alarms.

# %% [markdown]
# ## The picture
#
# For the rest we need more tracks than fit on paper: those of the first picture. The shipped toy network has predicted 24
# toy videos it has not been trained on, and we kept the pieces of every prediction, to change scores later.
#
# All pairs of one category in one video make a table of IoUs, tracks best first. The tables of all
# videos are what AP is made of.


# %%
def iou_table(video, instances, ids, category):
    """D x G IoUs and D scores of one category in one video, best first."""
    truth = video.read_ids(range(len(video)))
    objects = [n for n, c in video.categories.items() if c == category and (truth == n).any()]
    tracks = [n for n, c in instances.categories.items() if c == category and (ids == n).any()]
    tracks.sort(key=lambda n: -instances.scores[n])
    table = [[track_iou(truth == g, ids == d) for g in objects] for d in tracks]
    scores = [instances.scores[d] for d in tracks]
    return np.array(table).reshape(len(tracks), len(objects)), scores


categories = sorted({c for video in videos for c in video.categories.values()})
tables = {
    c: [iou_table(video, found, ids, c) for video, _, found, ids in predicted] for c in categories
}

# %% [markdown]
# Then AP is three loops: thresholds, categories, videos. Tracks of all videos are ranked together.


# %%
def curve_at(threshold):
    """Precision at the 101 recalls, mean over categories."""
    curves = []
    for of_videos in tables.values():
        hits = np.concatenate([hits_of(table, threshold) for table, _ in of_videos])
        scores = np.concatenate([scores for _, scores in of_videos])
        best_first = np.argsort(-scores, kind="stable")
        num_objects = sum(table.shape[1] for table, _ in of_videos)
        curves.append(precision_curve(hits[best_first], num_objects))
    return np.mean(curves, axis=0)


literal_ap = np.mean([curve_at(threshold) for threshold in THRESHOLDS])

# %% tags=["fold"]
drawn = {threshold: curve_at(threshold) for threshold in (0.5, 0.75, 0.9)}
stricter = claim(
    "A stricter IoU takes precision and recall",
    (drawn[0.5] >= drawn[0.75]).all()
    and (drawn[0.75] >= drawn[0.9]).all()
    and (drawn[0.5] > 0).sum() > (drawn[0.9] > 0).sum(),
    over=f"{len(videos)} toy videos, 3 thresholds",
)
figure, (left, right) = subplots(1, 2, width=8.5, height=3.2, sharey=True)
left.fill_between(RECALLS, precision_curve(hits, 3), step="post", alpha=0.25, label="AP, 56/101")
ranks = np.arange(1, 5)
left.plot(
    np.cumsum(hits) / 3, np.cumsum(hits) / ranks, "o-", color=COLOURS[1], label="tracks 1 to 4"
)
left.set_title("four tracks, by hand")
for colour, (threshold, curve) in zip(COLOURS, drawn.items(), strict=False):
    right.plot(RECALLS, curve, color=colour, label=f"IoU {threshold:.2f}")
right.set_title(stricter)
left.set_ylabel("precision")
for axis in (left, right):
    axis.set_xlabel("recall")
    axis.legend()
show(
    figure,
    alt="""Left: precision against recall of four tracks, a zigzag, and below it the two steps of
    height 1 and 2/3 whose area is AP. Right: three curves of the toy network; the higher the IoU
    threshold, the lower the curve and the earlier it ends.""",
)

# %% [markdown]
# Where a curve ends is recall: objects that no track claims well enough. How high it runs is precision:
# what stands between the hits.

# %% [markdown]
# ## Try it
#
# Back to the slider of the first picture; Table I averages over ten of its pages. Before you move it: at which IoU is the
# area half of what it is at 0.5? Then say what that tells about the outlines of this network's masks.

# %% tags=["fold"]
areas = [curve_at(threshold).mean() for threshold in THRESHOLDS]
shrinks = claim(
    "The same tracks score less, the stricter the standard",
    all(a >= b for a, b in pairwise(areas)) and areas[-1] < 0.5 * areas[0],
    over=f"{len(THRESHOLDS)} thresholds",
)

# %% [markdown]
# ## The paper does not say
#
# **What is the score of a track, and its category?** ([D16](../docs/decisions.md)) AP needs both, for
# ranking and for grouping, and a tag is neither. The package takes for a category the class of largest
# mean probability, and for a score that probability times *compactness*, the share of the instance's
# tags within one bandwidth of their mode. Other readings are as easy. We rank the same masks by each:

# %%
bandwidth = config.inference.bandwidth


def compactness(prediction, instances, n):
    own = prediction.tags.numpy()[instances.ids == n]
    return np.mean(np.abs(own - instances.modes[n]) <= bandwidth)


readings = {
    "product (the package)": lambda p, found, n: found.scores[n],
    "probability alone": lambda p, found, n: found.scores[n] / compactness(p, found, n),
    "compactness alone": compactness,
    "size": lambda p, found, n: np.mean(found.ids == n),
    "all equal": lambda p, found, n: 1.0,
    "product, upside down": lambda p, found, n: 1 - found.scores[n],
}

# %%
ranked = {}
for name, score in readings.items():
    tracks = []
    for video, p, found, ids in predicted:
        scores = {n: float(score(p, found, n)) for n in found.scores}
        tracks.append(Tracks(video.name, ids, found.categories, scores))
    ranked[name] = evaluate_tracks(videos, tracks)

# %% tags=["fold"]
over = f"{len(ranked)} ways to score {sum(len(f.modes) for _, _, f, _ in predicted)} tracks"
upside = claim(
    "Upside down is worst",
    min(ranked, key=lambda name: ranked[name].AP) == "product, upside down",
    over=over,
)
moves = claim(
    "The order of the list moves AP",
    ranked["product (the package)"].AP > ranked["product, upside down"].AP + 0.02,
    over=over,
)
alone = claim(
    "and leaves AR10 alone", len({round(s.AR10, 9) for s in ranked.values()}) == 1, over=over
)
figure, (left, right) = subplots(1, 2, width=8.5, height=2.8, sharey=True, width_ratios=(3, 2))
names = list(ranked)[::-1]
left.barh(names, [ranked[name].AP for name in names])
left.set(xlabel="AP")
left.set_title(moves)
right.barh(names, [ranked[name].AR10 for name in names], color=COLOURS[2])
right.set(xlabel="AR10")
right.set_title(alone)
show(
    figure,
    alt="""Bars for six ways to score the same tracks. Left: AP differs between them and is lowest
    for the product upside down. Right: AR10 is the same for all.""",
)

# %% [markdown]
# So the answer to the second question is **yes**: the masks are the same in all six rows, and AR10, which
# ignores order, does not move. <!-- claim: moves, alone --> Upside down is worst. <!-- claim: upside --> Among the
# sensible readings the differences are a point or so, more than 24 videos can decide: run other values of SEED, and count
# how often probability alone is ahead of the package's product. [D16](../docs/decisions.md) keeps what was measured.
#
# **Mean probability or majority vote** for the category? On these videos they nearly always agree:

# %%
agree = []
for _, prediction, found, _ in predicted:
    votes = prediction.semantic_logits[1:].argmax(0).numpy() + 1
    for n, category in found.categories.items():
        agree.append(np.bincount(votes[found.ids == n]).argmax() == category)
print(f"same category: {np.mean(agree):.1%} of {len(agree)} tracks")

# %% [markdown]
# **Which rules?** The paper names none. The 2,238 / 302 / 343 videos of its section IV are those of the
# 2019 edition. 2019 and 2021 both have 40 categories, *but not the same ones, nor in the same order*: match
# them by name, as the annotation file gives them. The corners of the scorer, each on 5 x 5 pixels. First the file format: a mask is a
# list of run lengths down the columns, background first.


# %%
def run_lengths(mask):
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat, prepend=False))
    counts = np.diff([0, *changes, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": counts}


def entry(masks, **more):
    runs = [run_lengths(mask) if mask.any() else None for mask in masks]
    return {"video_id": 1, "category_id": 1, "segmentations": runs, **more}


def score_json(objects, tracks):
    video = {"id": 1, "height": 5, "width": 5, "length": 3}
    annotations = [{"id": k, **o} for k, o in enumerate(objects, start=1)]
    things = [{"id": 1, "name": "thing"}]
    truth = {"videos": [video], "categories": things, "annotations": annotations}
    return evaluate_youtube_vis(truth, tracks)


# %% tags=["nbval-check-output"]
for runs in entry(closer)["segmentations"]:
    print(runs)

# %% [markdown]
# **A crowd** (`iscrowd` 1) is a group nobody annotated one by one. It may be claimed any number of times,
# and such claims are neither hits nor false alarms. Two tracks claim the same group, with higher scores
# than the one that finds the object:

# %% tags=["nbval-check-output"]
group = np.zeros((3, 5, 5), bool)
group[:, 4] = True
tracks = [entry(group, score=0.9), entry(group, score=0.8), entry(closer, score=0.7)]
for crowd in (0, 1):
    scores = score_json([entry(closer, iscrowd=0), entry(group, iscrowd=crowd)], tracks)
    print(f"iscrowd {crowd}: AP {scores.AP:.3f}")
ap_crowd = scores.AP

# %% [markdown]
# As an object, the group is hit once, and its second claim is a false alarm: precision 1 up to recall
# 0.5, then 2/3, so $(51 + 50 \cdot \tfrac23)/101 = 0.835$.
#
# **Areas.** A track is small, medium or large by its mean area over the frames *in which it is seen*
# (up to $128^2$, up to $256^2$, above). Ours is 14/3 pixels. Without a medium object there is no medium AP:

# %% tags=["nbval-check-output"]
print(f"small {scores.AP_small:.1f}, medium {scores.AP_medium}, large {scores.AP_large}")

# %% [markdown]
# **Lengths.** A track needs an entry for every frame, None where it is out of sight. The official scorer
# cuts the longer of two tracks off in silence, and the score is wrong. Here it is refused:

# %% tags=["nbval-check-output"]
try:
    score_json([entry(closer, iscrowd=0)], [entry(closer[:2], score=1.0)])
except ValueError as error:
    print(str(error).replace(": ", ":\n  "))

# %% [markdown]
# ### From score to reason
#
# For `tagvis evaluate youtube-vis ... --explain` tracks and annotations are files; ours become what files hold. Then every
# object's best track of its category is mended step by step, and each cause gets what its step gains.

# %%
results = [result for k, one in enumerate(ALL) for result in track_results(one, k)]
annotations = []
for k, video in enumerate(videos):
    truth = video.read_ids(range(len(video)))
    as_tracks = Tracks(video.name, truth, video.categories, {n: 1.0 for n in video.categories})
    annotations += track_results(as_tracks, k)
annotations = [{**one, "id": k, "iscrowd": 0} for k, one in enumerate(annotations, start=1)]
shapes = [
    {"id": k, "height": 64, "width": 64, "length": len(video)} for k, video in enumerate(videos)
]
names = [{"id": c, "name": str(c)} for c in categories]
truth = {"videos": shapes, "categories": names, "annotations": annotations}

# %% [markdown]
# What the shipped network loses, in percent of J by object and cause, and in points of AP by the whole list:

# %%
file = parse_annotations(truth, "toy videos")
found_tracks = parse_predictions(results, file, "toy network")
lost = summaries(list(explain_youtube_vis(file, found_tracks)))[-1]
gains = ranking_and_category(file, found_tracks)
print("  ".join(f"{cause} {100 * lost[cause]:.1f}" for cause in CAUSES))
print("  ".join(f"{name} {100 * gain:.1f}" for name, gain in gains.items()))

# %% tags=["fold"]
adds_up = claim(
    "The causes add up to what objects lose",
    abs(sum(lost[cause] for cause in CAUSES) - lost["Lost"]) < 1e-6,
    over=f"{lost['Objects']} objects",
)
matter = claim(
    "The true ranking would gain AP, with the same masks", gains["ranking"] > 0, over="24 videos"
)

# %% [markdown]
# The causes add up. <!-- claim: adds_up --> The second row is AP and what it would gain if tracks were ranked by their true
# IoU, and if they had the true categories on top: the price of the score, paid by the same masks. <!-- claim: matter -->

# %% [markdown]
# ## Exercise
#
# **Predict** (4 minutes). Two zebras of equal size over 20 frames, perfect masks, and ids that swap after frame 15. At how
# many of the ten thresholds 0.5, 0.55, ... 0.95 is either track still a hit?


# %% tags=["exercise"]
def late_swap():
    """Thresholds, of ten, at which a track still counts that swaps after frame 15 of 20."""
    ### BEGIN SOLUTION
    # 15 frames shared, and 15 + 5 + 5 in the union: an IoU of 0.6, a hit at 0.5, 0.55 and 0.6.
    return 3
    ### END SOLUTION


# %% tags=["check"]
check(late_swap, check_late_swap)

# %% [markdown]
# **Code** (8 minutes). A track is a list with one entry per frame: a Boolean mask, or None where the track is out of
# sight, which means an empty mask. Write the IoU of two tracks as files have them. Two tracks that are out of sight in
# every frame have IoU 0.
#
# <details><summary>Hint</summary>
#
# Two sums over frames, one division at the end. A frame in which only one of the two is None still has
# a union.
# </details>


# %% tags=["exercise"]
def sequence_iou(a, b):
    """IoU of two tracks: lists of T masks (bool, H x W) or None; to a float."""
    ### BEGIN SOLUTION
    shared = total = 0
    for mask, other in zip(a, b, strict=True):
        area = 0 if mask is None else mask.sum()
        other_area = 0 if other is None else other.sum()
        both = 0 if mask is None or other is None else (mask & other).sum()
        shared += both
        total += area + other_area - both
    return float(shared / total) if total else 0.0
    ### END SOLUTION


# %% tags=["check"]
check(sequence_iou, check_sequence_iou)

# %% [markdown]
# **Break** (6 minutes). Four tracks, two objects of one category; tracks 0 and 1 are perfect, tracks 2 and 3 hit nothing.
# Write a score for each of the four, all between 0 and 1, that makes AP as *low* as it can be, no two scores equal.


# %% tags=["exercise"]
def same_tracks():
    """Scores of four tracks, of which the first two are perfect, with the lowest AP."""
    ### BEGIN SOLUTION
    return [0.2, 0.1, 0.9, 0.8]  # what hits nothing comes first: precision 1/3, then 2/4
    ### END SOLUTION


# %% tags=["check"]
check(same_tracks, check_same_tracks)

# %% [markdown]
# **Open.** Which score would rank these tracks better than the package's product, without looking at the truth? You have
# tags, probabilities, sizes and eight frames of each. Judge yourself by the row 'ranking' above, on other videos (SEED)
# than those you chose it on; a gain of one point on one set of 24 is chance.

# %% [markdown]
# ## Quiz
#
# <details><summary>1. A method adds 50 random tracks to every video, all with score 0. What happens to AP
# and to J&F?</summary>
#
# AP hardly moves: they stand at the end of the list, after every hit, and only a chance hit adds to the
# curve. DAVIS would refuse more than 20. With score *1* instead, AP collapses. <!-- claim: last, ahead -->
# </details>
#
# <details><summary>2. AP@50 is 0.75 and AP@75 is 0.58. What kind of mistakes does the method make?</summary>
#
# Outlines, or a few frames of each track: objects are found and followed, but many tracks have an IoU
# between 0.5 and 0.75. A method that mixes up ids half-way would lose at 0.5 as well. <!-- claim: zero -->
# </details>
#
# <details><summary>3. AR@1 is far below AR@10. Is the method bad?</summary>
#
# No. With one track per video and category, all other objects of that category are lost. It says how
# many videos show several objects of one kind. <!-- claim: one_a_kind -->
# </details>

# %% tags=["fold"]
draws = np.random.default_rng(SEED)


def with_noise(score):
    """AP with 50 random squares added to every video, all of one score."""
    noise = []
    for k, video in enumerate(videos):
        ids = np.kron(1 + draws.permutation(64).reshape(8, 8), np.ones((8, 8))).astype(np.uint8)
        ids[ids > 50] = 0
        kinds = {n: int(draws.choice(categories)) for n in range(1, 51)}
        added = Tracks(
            video.name, np.repeat(ids[None], len(video), 0), kinds, dict.fromkeys(kinds, score)
        )
        noise += track_results(added, k)
    return evaluate_youtube_vis(truth, results + noise).AP


last = claim(
    "Fifty random tracks of score 0 hardly move AP",
    abs(with_noise(0.0) - whole.AP) < 0.02,
    over=f"{len(videos)} videos",
)
ahead = claim(
    "Fifty random tracks of score 1 halve AP at least",
    with_noise(1.0) < 0.5 * whole.AP,
    over=f"{len(videos)} videos",
)
perfect = evaluate_tracks(
    videos,
    [Tracks(v.name, v.ids, v.categories, dict.fromkeys(v.categories, 1.0)) for v in videos],
)
one_a_kind = claim(
    "Perfect tracks have an AR@10 of 1 and an AR@1 far below",
    perfect.AR10 > 1 - 1e-9 and perfect.AR1 < 0.9,
    over=f"{len(videos)} videos",
)

# %% [markdown]
# ## In the package
#
# Three ways to the same number: the notebook's loops over masks, `evaluate_tracks`, which counts on label
# maps, and `evaluate_youtube_vis`, which reads run lengths as they are submitted, without decoding them.
# The last two must agree to the last bit.

# %%
from_maps = evaluate_tracks(videos, ALL)
from_files = evaluate_youtube_vis(truth, results)
print(f"notebook {literal_ap:.4f}, label maps {from_maps.AP:.4f}, files {from_files.AP:.4f}")

# %% tags=["fold"]
exact = claim(
    "Three ways give the same AP",
    from_files.values() == from_maps.values()
    and abs(literal_ap - from_maps.AP) < 1e-9
    and abs(curve_at(0.5).mean() - from_maps.AP50) < 1e-9,
    over=f"{len(ALL)} videos",
)

# %% [markdown]
# ## Metrics
#
# What this lesson measures, as numbers, and every claim above with what it rests on.

# %% tags=["fold"]
metrics = {
    "sequence IoU by hand": iou_by_hand,
    "AP by hand": ap_by_hand,
    "AP after a switch in the middle": ap_after[6],
    "AP after a switch in the last frame": ap_after[11],
    "AP with a crowd": ap_crowd,
    "toy AP": from_maps.AP,
    "toy AP50": from_maps.AP50,
    "toy AR10": from_maps.AR10,
    "toy AP, scores upside down": ranked["product, upside down"].AP,
    **{f"toy network, lost by {cause}": 100 * lost[cause] for cause in CAUSES},
    **{f"toy AP gained by the true {name}": gain for name, gain in gains.items() if name != "AP"},
}
record("20", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %% tags=["fold"]
assert iou_by_hand == 10 / 14
assert abs(ap_by_hand - 56 / 101) < 1e-12
assert abs(ap_after[11] - 0.7) < 1e-9
assert abs(ap_after[10] - 0.5) < 1e-9
assert ap_crowd > 1 - 1e-9
assert metrics["toy AP"] > 0.3, "the shipped network has become worse"

# %% [markdown]
# ## Summary
#
# - The IoU of a track adds up pixels over all frames before it divides. <!-- claim: exact -->
# - A track claims one object. Switch ids in the middle, and perfect masks score nothing. <!-- claim: zero -->
# - AP reads precision at 101 recalls, so the order of the list counts: the score is part of the
#   method. <!-- claim: moves, matter -->
# - Crowds are ignored, areas are means over visible frames, lengths must fit. <!-- given: shown under 'Which rules?' -->
#
# References: Yang, Fan and Xu, *Video Instance Segmentation*, 2019; Lin et al., *Microsoft COCO: Common
# Objects in Context*, 2014, for AP. Table I is of Kini and Shah, 2022.

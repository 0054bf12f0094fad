# %% [markdown]
# # 01 · The task, and three ways to follow objects
#
# **One idea:** which pixel is whose, in every frame? Finding objects frame by frame and linking them,
# carrying masks on from the first frame, and naming every pixel at once are three answers. They fail at
# different places.
#
# Paper: sections I and II · Time: 30 minutes to read, 25 for the exercises; half a minute on two CPU cores
#
# Press play and follow one shape with your eyes until it leaves. When it comes back, how do you know it?

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: how many test videos are followed in the comparison
SEED = 0  # which toy video is shown
DATA = ""  # empty: a toy video; or a DAVIS or YouTube-VIS root, whose first video is shown
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import json
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as rle
from scipy.ndimage import distance_transform_edt, label
from scipy.optimize import linear_sum_assignment

from tagvis_lite.course import check, claim, explore, lesson_video, record, show, subplots
from tagvis_lite.course.checks.lesson_01 import check_lost, check_pieces, check_switches
from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.toy import CATEGORIES, toy_split
from tagvis_lite.data.youtube_vis import read_youtube_vis, write_youtube_vis
from tagvis_lite.evaluation.davis import evaluate_davis
from tagvis_lite.inference import predict_video
from tagvis_lite.runs import load_network, shipped
from tagvis_lite.study.oracles import tracked_components
from tagvis_lite.video import BACKGROUND, VOID
from tagvis_lite.views import play
from tagvis_lite.views.objects import draw_objects, matched
from tagvis_lite.views.overlay import overlay

# %% tags=["fold"]
video = lesson_video(DATA, 0 if DATA else SEED + 4)
frames, ids = (read(range(len(video))) for read in (video.read_frames, video.read_ids))
painted = np.stack([overlay(*pair) for pair in zip(frames, ids, strict=True)])
play(
    {"the clip": frames, "who is who": painted},
    title="One colour, one object",
    alt="""A clip of moving shapes, and the same clip with each object tinted in a colour of its own,
    which it has again when it comes back into the picture.""",
)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - tell video instance segmentation (VIS) from semantic segmentation (VSS) and object segmentation (VOS),
# - write a tracker by detection in thirty lines, and say when it gives an object a new number,
# - read the two layouts that the benchmarks use, and say what background, void and absence mean.
#
# You need: NumPy.
#
# Previous: [00 · the whole system](00_overview.ipynb) · Next: [02 · a name per pixel](02_names.ipynb)

# %% [markdown]
# ## A question
#
# Two equal coats hang on a wall. A hand takes one away and brings it back two seconds later.
#
# Write down before you go on: *a program finds coats in each frame and links each to the nearest one in the
# frame before. What does it say when the coat comes back? A second program was shown both coats in the first
# frame and carries their outlines along. What does it say?*

# %% [markdown]
# ## The paper
#
# Section II sorts the field by task:
#
# | task | a pixel's label is | knows classes | follows objects |
# |---|---|---|---|
# | video semantic segmentation (VSS) | its class | yes | no |
# | video object segmentation (VOS) | an object marked in frame 0 | no | yes |
# | video instance segmentation (VIS) | an object, found by itself | yes | yes |
#
# and by road. *Top-down* methods detect objects in each frame, cut a mask out of every detection and link
# the masks over time: errors of the detector are final, and many proposals are made to be thrown away.
# *Propagation* carries given masks from frame to frame. *Bottom-up* methods, such as this one, look at the
# whole clip and let pixels say who they belong to; objects come out last.
#
# | symbol | meaning | here |
# |---|---|---|
# | $t = 1 \dots T$ | frame | first axis of `ids` |
# | $n = 1 \dots N$ | instance | value in `ids`: T x H x W, uint8 |
# | | background, void | values 0 and 255 |
# | $c$ | class | `categories[n]` |

# %% [markdown]
# ## In code
#
# **First road: detect and associate.** Our detector is perfect, as no real one is: it gets the true
# foreground, and calls every connected piece of it a detection. A detection is linked to the track of the
# frame before that it overlaps most; one that overlaps none starts a new track.


# %%
def associate(foreground):
    """Tracks by overlap: bool T x H x W to label maps."""
    ids, newest = np.zeros(foreground.shape, np.uint8), 0
    for t, mask in enumerate(foreground):
        pieces, number = label(mask)
        overlap = np.zeros((number + 1, 256))
        if t > 0:
            np.add.at(overlap, (pieces, ids[t - 1]), 1)
            overlap[0], overlap[:, 0] = 0, 0
        name = np.zeros(number + 1, np.uint8)
        for piece, track in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[piece, track] > 0:
                name[piece] = track
        for piece in range(1, number + 1):
            if name[piece] == 0:
                newest += 1
                name[piece] = newest
        ids[t] = name[pieces]
    return ids


# %% [markdown]
# **Second road: propagate.** The masks of frame 0 are given. In each next frame a foreground pixel takes the
# label of the nearest labelled pixel of the frame before.


# %%
def propagate(foreground, first):
    """Carry the masks of frame 0 on: label maps of T x H x W."""
    ids = np.zeros(foreground.shape, np.uint8)
    ids[0] = first
    for t in range(1, len(ids)):
        if (ids[t - 1] > 0).any():
            nothing = ids[t - 1] == 0
            y, x = distance_transform_edt(nothing, return_distances=False, return_indices=True)
            ids[t] = np.where(foreground[t], ids[t - 1][y, x], 0)
    return ids


# %% [markdown]
# **Third road: name every pixel.** The shipped network sees the frames alone, no truth at all, and writes a
# number on each pixel of the clip; equal numbers are one object (lesson [00](00_overview.ipynb)).

# %%
network, config = load_network(shipped("checkpoints/toy.safetensors"))
there = (ids != BACKGROUND) & (ids != VOID)
ways = {
    "associate": associate(there),
    "propagate": propagate(there, np.where(there[0], ids[0], 0)),
    "name": predict_video(network, video, config).ids,
}

# %% [markdown]
# ## By hand
#
# What a detector by class can see. A frame of 3 x 4 pixels with two cats (class 1), numbered 1 and 2, a dog
# (class 2), numbered 3, and a pixel nobody is sure of:
#
# ```
# instances   0 1 1 2      classes   0 1 1 1
#             0 1 1 2                0 1 1 1
#             3 3 255 0              2 2 255 0
# ```
#
# The two cats touch. In the map of classes they are one region, and no later step can part them. One table
# look-up makes classes of instances; there is none for the way back.

# %% tags=["nbval-check-output"]
cats = np.array([[0, 1, 1, 2], [0, 1, 1, 2], [3, 3, 255, 0]], dtype=np.uint8)
class_of = np.arange(256)
class_of[[1, 2, 3]] = 1, 1, 2
print(class_of[cats])

# %% [markdown]
# ## The picture
#
# The three roads on the clip above. A grey outline with a question mark is a track that is no object's: a
# second one, or a mixture.

# %% tags=["fold"]
inside = [(ids == n).any(axis=(1, 2)) for n in np.unique(ids[there])]
gone = np.any([~seen for seen in inside], axis=0)
last = len(ids) - 1
around = [t for t in range(len(ids)) if gone[max(t - 1, 0) : t + 2].any()]
shown = sorted({0, *(around[:: max(1, len(around) // 3)][:3] or [last // 2]), last})
figure, axes = subplots(4, len(shown), width=1.7 * len(shown), height=6.4, squeeze=False)
for row, (name, labels) in zip(
    axes, {"truth": np.where(there, ids, 0), **ways}.items(), strict=True
):
    coloured = labels if name == "truth" else matched(labels, ids)
    for axis, t in zip(row, shown, strict=True):
        axis.imshow(frames[t])
        draw_objects(axis, coloured[t], width=1.2)
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
for axis, t in zip(axes[0], shown, strict=True):
    axis.set_title(f"t = {t}")
show(
    figure,
    alt="""Frames of the clip in four rows with outlined objects: the truth, tracks by overlap, masks
    that were carried on, and instances by tags. Colours are those of the true objects, grey is a
    track that matches none.""",
)

# %% [markdown]
# One clip shows a mechanism. How often does it matter? We take all test videos in which an object leaves and
# comes back, give every track the name of the object it matches best over the whole clip, and ask for each
# object that was away: does it have its own name before *and* after, when at least 30 of its pixels are
# seen?


# %%
def returns(ids, least=30):
    """(object, last frame before it leaves, first frame after) with so many pixels in sight."""
    found = []
    for n in set(np.unique(ids)) - {BACKGROUND, VOID}:
        area = (ids == n).sum(axis=(1, 2))
        seen, clear = area.nonzero()[0], (area >= least).nonzero()[0]
        for a, b in pairwise(seen):
            before, after = clear[clear <= a], clear[clear >= b]
            if b > a + 1 and len(before) and len(after):
                found.append((n, before[-1], after[0]))
    return found


def name_on(result, mask):
    """What most pixels of a mask are called."""
    return np.bincount(result[mask], minlength=256).argmax()


# %%
most = {"smoke": 32, "toy": 96, "paper": 400}[PROFILE]
all_videos = toy_split("test", most)
truths = [video.read_ids(range(len(video))) for video in all_videos]
chosen = [k for k, truth in enumerate(truths) if returns(truth)]
followed = {name: [] for name in ways}
for k in chosen:
    truth = truths[k]
    followed["associate"].append(associate(truth > 0))
    followed["propagate"].append(propagate(truth > 0, truth[0]))
    followed["name"].append(predict_video(network, all_videos[k], config).ids)

# %%
kept, scores = {}, {}
for name, results in followed.items():
    kept[name] = []
    for k, result in zip(chosen, results, strict=True):
        named, truth = matched(result, truths[k]), truths[k]
        for n, *moments in returns(truth):
            kept[name].append(all(name_on(named[t], truth[t] == n) == n for t in moments))
    triples = [(str(k), truths[k], r) for k, r in zip(chosen, results, strict=True)]
    scores[name] = evaluate_davis(triples).jf_mean
    print(f"{name:<10} own name kept {np.mean(kept[name]):4.0%}, J&F {100 * scores[name]:.0f}")

# %% tags=["fold"]
over = f"{len(kept['name'])} objects that come back, in {len(chosen)} of {most} test videos"
lost = claim(
    "By overlap, and by carrying on, few objects that come back have their own name again",
    max(np.mean(kept["associate"]), np.mean(kept["propagate"])) < 0.4,
    over=over,
)
found_again = claim(
    "With a name for every pixel most objects that come back have theirs",
    np.mean(kept["name"]) > 0.5,
    over=over,
)
figure, axis = subplots(width=5.5, height=2.4)
axis.barh(list(kept), [np.mean(values) for values in kept.values()])
axis.set(xlim=(0, 1), xlabel="share that keeps its name")
axis.set_title("Objects that leave and return")  # given: a label
show(
    figure,
    alt="""Three bars: the share of objects with their own name before and after an absence, small
    for association and propagation, most of them for names.""",
)

# %% [markdown]
# So why bottom-up? Not because it is more exact: the first two roads had the *true* foreground here, the
# third had to find it. But a link between neighbouring frames has nothing to say about an object that was
# away, and a mask that is carried on has nothing to carry. A name is the same question for every pixel of
# the clip, wherever it is seen.
# <!-- claim: lost, found_again -->
#
# Real trackers repair the first road: they remember what an object looked like and compare. That works,
# unless two look alike. And names are no free lunch either: lesson [09](09_twins.ipynb) shows what they
# cannot tell apart.

# %% [markdown]
# ## Try it
#
# The labels of the three tasks of section II, made from the same truth. Move through the frames: which label
# changes where an object comes in?

# %%
categories = np.arange(256)
categories[list(video.categories)] = list(video.categories.values())
tasks = {
    "VSS, classes": categories[ids],
    "VOS, from frame 0": np.where(np.isin(ids, np.unique(ids[0])), ids, BACKGROUND),
    "VIS, instances": ids,
}


def tasks_at(figure, t):
    for axis, (name, labels) in zip(figure.subplots(3, 1), tasks.items(), strict=True):
        axis.imshow(overlay(frames[t], labels[t].astype(np.uint8)))
        axis.set(xticks=[], yticks=[])
        axis.set_ylabel(name, fontsize=7)


# %% tags=["fold"]
explore(
    tasks_at,
    values=list(range(len(ids))),
    label="t",
    title="Three tasks, one truth; colours of classes are not those of instances",  # given: a key
    alt="""Four frames in three rows: tinted by class, where objects of one class share a colour; by
    objects that are in frame 0; and by instance.""",
    size=(1.6, 4.2),
)

# %% [markdown]
# ## The paper does not say
#
# **What 'a video with labels' is on disk** is up to the benchmarks. *DAVIS*: a folder of JPEGs and a folder
# of palette PNGs per sequence; a pixel's palette index is its instance. *YouTube-VIS*: one json; per
# instance a list of run lengths, one for each frame, `null` where it is absent. We write the same video in
# both and open one label of each by hand.

# %%
scratch = tempfile.TemporaryDirectory()
root = Path(scratch.name)
write_davis(root / "davis", [video], "val")
write_youtube_vis(root / "youtube-vis", [video], CATEGORIES, "val")
png = Image.open(next((root / "davis").rglob("00000.png")))
annotations = json.loads(next((root / "youtube-vis").rglob("instances.json")).read_text())
print("palette image" if png.mode == "P" else png.mode, "with the values", np.unique(png).tolist())
print("keys of a track:", sorted(annotations["annotations"][0]))

# %% [markdown]
# A run-length mask counts pixels down the columns, zeros first. Cat 1 from above has the pixels (0,1),
# (1,1), (0,2) and (1,2): three zeros, two ones, one zero, two ones, four zeros. COCO writes these counts as
# a string.

# %% tags=["nbval-check-output"]
runs = {"size": [3, 4], "counts": [3, 2, 1, 2, 4]}
encoded = rle.frPyObjects(runs, 3, 4)
print(encoded["counts"], (rle.decode(encoded) == (cats == 1)).all())

# %% [markdown]
# Both layouts give the label maps back. Only DAVIS keeps void, and only YouTube-VIS keeps categories.

# %% tags=["fold"]
davis = read_davis(root / "davis", "val")[0]
youtube = read_youtube_vis(
    root / "youtube-vis/val/instances.json", root / "youtube-vis/val"
).videos[0]
agree = np.mean([(davis.ids[t] == youtube.ids[t]).mean() for t in range(len(ids))])
back = np.mean([(davis.ids[t] == ids[t]).mean() for t in range(len(ids))])
in_davis, in_youtube = (len(set(v.categories.values())) for v in (davis, youtube))
layouts = claim(
    "Both layouts hold the same label maps, only one holds classes",
    agree == back == 1 and in_davis <= in_youtube,
    over=f"{len(ids)} frames of one video",
)
scratch.cleanup()

# %% [markdown]
# **DAVIS has no categories** ([D17](../docs/decisions.md)), yet the paper's semantic branch is trained there
# too. With which classes? We use two, object and background. **Background and void**
# ([D13](../docs/decisions.md)): background is a class, void is nothing at all, and no loss and no score
# looks at it.

# %% [markdown]
# ## Exercise
#
# **1. Predict** (2 minutes). A detector finds the connected pieces of each class in the frame of cats above.
# How many objects does it see? Three are there.


# %% tags=["exercise"]
def pieces_found():
    """Objects that the detector sees in the frame of cats."""
    ### BEGIN SOLUTION
    return 2
    ### END SOLUTION


# %% tags=["check"]
check(pieces_found, check_pieces)

# %% [markdown]
# **2. Code** (12 minutes). Count *identity switches*: for each true object, look at the frames it is in, one
# after the other, also across a gap. What most of its pixels are called in the result is its number in that
# frame. Count how often that number differs from the one it last had. Frames in which most of it is missed
# (called 0) are skipped.
#
# <details><summary>Hint</summary>Loop over objects, then frames; keep the last number that was not 0.</details>


# %% tags=["exercise"]
def identity_switches(truth, result):
    """Switches in all: two label maps, T x H x W, to one number. Truth may hold void (255)."""
    ### BEGIN SOLUTION
    switches = 0
    for n in np.unique(truth):
        if n in (0, 255):
            continue
        before = 0
        for labels, given in zip(truth, result, strict=True):
            if (labels == n).any():
                now = np.bincount(given[labels == n]).argmax()
                switches += now != 0 and before not in (0, now)
                before = now or before
    return int(switches)
    ### END SOLUTION


# %% tags=["check"]
check(identity_switches, check_switches)

# %% [markdown]
# **3. Break it** (6 minutes). Association by overlap can lose an object that never leaves the picture. Draw
# one: masks of 6 frames of 16 x 16 pixels, one connected piece of at least 9 pixels in each frame, which the
# tracker gives more than one number. Then say which assumption you broke, and what frame rate has to do with
# it.
#
# <details><summary>Hint</summary>Overlap with the frame before is all it knows.</details>


# %% tags=["exercise"]
def lost_object():
    """Bool masks, 6 x 16 x 16, of one object that is in sight all the time."""
    ### BEGIN SOLUTION
    masks = np.zeros((6, 16, 16), dtype=bool)
    for t in range(6):
        x = 0 if t % 2 else 8
        masks[t, 4:8, x : x + 4] = True
    return masks
    ### END SOLUTION


# %% tags=["check"]
check(lost_object, check_lost)

# %% [markdown]
# **4. Open.** Which road would you take for cars filmed by a fixed camera over a crossing, for dividing
# cells under a microscope, and for the one person in a video call? *Judge your choice*: say for each what
# happens when two objects touch, when one is hidden for a second and when a new one comes in, and how you
# would measure it.

# %% [markdown]
# ## Quiz
#
# <details><summary>1. An object leaves the frame and returns. Which number does it get in the truth?</summary>
#
# Its old one. In between no pixel carries it: it is absent, which is not the same as
# void. <!-- given: the rule of both benchmarks -->
# </details>
#
# <details><summary>2. Swap the numbers 1 and 2 in all frames of a result. Is it still right? And in one frame only?</summary>
#
# In all frames: yes, numbers are names. In one frame: no, two objects have changed places, an identity
# switch. <!-- claim: names_only -->
# </details>
#
# <details><summary>3. Two coats on the wall: what do the two programs of the question say?</summary>
#
# The first starts a third track: nothing overlaps the coat that comes back. The second gives its pixels to
# the coat that stayed, for that is the nearest label it still has. <!-- claim: lost -->
# </details>

# %% tags=["fold"]
k = chosen[0]
swap = np.arange(256, dtype=np.uint8)
swap[[1, 2]] = 2, 1
one_frame = truths[k].copy()
one_frame[0] = swap[one_frame[0]]
everywhere, once = (
    evaluate_davis([("x", truths[k], r)]).jf_mean for r in (swap[truths[k]], one_frame)
)
names_only = claim(
    "Numbers are names: swapped everywhere they cost nothing, swapped once they do",
    everywhere == 1 > once,
    over="the true label maps of one video",
)

# %% [markdown]
# ## In the package
#
# `study.oracles.tracked_components` is our first road, with the protocol's limit of 20 tracks. It is the
# baseline without tags in every table of scores.

# %%
np.testing.assert_array_equal(tracked_components(there), ways["associate"])

# %% [markdown]
# ## Metrics
#
# What the claims rest on, as numbers.

# %% tags=["fold"]
metrics = {f"own name kept, {name}": float(np.mean(values)) for name, values in kept.items()}
metrics |= {f"J&F, {name}": score for name, score in scores.items()}
metrics["layouts that agree"] = agree
record("01", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert np.isfinite(list(metrics.values())).all()

# %% [markdown]
# ## Summary
#
# - VIS: found by itself, separated, followed and classified. One label map per frame, numbers constant over
#   time. <!-- given: the definition -->
# - Links between neighbouring frames and masks that are carried on lose who was away; a name per pixel need
#   not. <!-- claim: lost, found_again -->
# - DAVIS stores palette PNGs without classes, YouTube-VIS run lengths with classes; 0 is background, 255 is
#   void, and an absent object is in no pixel. <!-- claim: layouts -->
#
# Reference: Kini and Shah, 2022, sections I and II. DAVIS'19 Unsupervised: Caelles et al., 2019.
# YouTube-VIS: Yang, Fan and Xu, *Video Instance Segmentation*, 2019. Tracking by detection, with memory:
# Bewley et al., *SORT*, 2016.

# %% [markdown]
# # 01 · The task: which pixel is whose, in every frame
#
# **One idea:** video instance segmentation asks three questions at once: what is there, which pixels are it,
# and which of last frame's objects is it. One label map per frame answers all three.
#
# Paper: sections I and II · Time: under 20 seconds on two CPU cores

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - tell video instance segmentation (VIS) from semantic segmentation (VSS) and object segmentation (VOS),
# - read and write the two layouts that the benchmarks use, DAVIS and YouTube-VIS,
# - say what background, void and absence mean in a label map.
#
# You need: NumPy.
#
# Previous: [00 · the whole system](00_overview.ipynb) ·
# Next: [03 · L_spectra pulls pixels together](03_spectra.ipynb)

# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: how many classes the network of the last section has
SEED = 0  # which toy video is shown
DATA = ""  # empty: a toy video; or a DAVIS or YouTube-VIS root, whose first video is shown
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as rle

from tagvis_lite.clips import make_clip
from tagvis_lite.config import PROFILES
from tagvis_lite.course import check, explore, lesson_video, record, show, subplots
from tagvis_lite.course.checks.lesson_01 import check_to_semantic
from tagvis_lite.data.davis import read_davis, write_davis
from tagvis_lite.data.toy import CATEGORIES
from tagvis_lite.data.youtube_vis import read_youtube_vis, write_youtube_vis
from tagvis_lite.video import BACKGROUND, VOID
from tagvis_lite.views.overlay import overlay

# %% [markdown]
# ## A question
#
# A street, filmed for ten seconds: two cars, a man, and a second man who comes from behind a van in second 4.
#
# Write down before you go on: *how many different labels does a semantic segmentation use? An instance
# segmentation of the whole video? And one that starts from the objects of the first frame?*

# %% [markdown]
# ## The paper
#
# Section II sorts the field:
#
# | task | a pixel's label is | knows classes | follows objects |
# |---|---|---|---|
# | video semantic segmentation (VSS) | its class | yes | no |
# | video object segmentation (VOS) | an object marked in frame 0 | no | yes |
# | video instance segmentation (VIS) | an object, found by itself | yes | yes |
#
# The paper solves VIS, gets VSS as a by-product, and reports on DAVIS'19 *Unsupervised*, where objects have to
# be found but have no class.
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
# A `Video` has frames that are decoded when asked for, one label map per frame, and a category for each
# instance. Nothing else is needed for any of the three tasks. We let ours begin where the fewest objects are in
# sight, as on the street above.

# %%
video = lesson_video(DATA, 0 if DATA else SEED + 4)
frames, ids = (read(range(len(video))) for read in (video.read_frames, video.read_ids))
first = int(np.argmin([len(np.unique(labels)) for labels in ids[:-3]]))
frames, ids = frames[first:], ids[first:]
video = replace(video, frames=frames, ids=ids, frame_names=())
assert frames.shape == (*ids.shape, 3)
assert frames.dtype == ids.dtype == np.uint8

# %% tags=["nbval-check-output"]
present = [int(n) for n in np.unique(ids) if n not in (BACKGROUND, VOID)]
print("frames, height, width:", ids.shape)
print("instances:", present)

# %% [markdown]
# The other two labelings follow from this one. For VSS, forget who it is and keep what it is. For VOS, forget
# whoever is not in the first frame.


# %%
def semantic_map(ids, categories):
    """VSS: the class of each pixel; void stays void."""
    classes = np.where(ids == VOID, VOID, 0)
    for n, category in categories.items():
        classes[ids == n] = category
    return classes.astype(np.uint8)


def first_frame_objects(ids):
    """VOS: only the objects that are marked in frame 0."""
    return np.where(np.isin(ids, np.unique(ids[0])), ids, BACKGROUND).astype(np.uint8)


# %% [markdown]
# ## By hand
#
# A frame of 3 x 4 pixels with two cats (category 1), numbered 1 and 2, a dog (category 2), numbered 3, and a
# pixel nobody is sure of:
#
# ```
# instances   0 1 1 2      classes   0 1 1 1
#             0 1 1 2                0 1 1 1
#             3 3 255 0              2 2 255 0
# ```
#
# The two cats touch. In the semantic map they are one region, and no later step can part them.

# %% tags=["nbval-check-output"]
cats = np.array([[0, 1, 1, 2], [0, 1, 1, 2], [3, 3, 255, 0]], dtype=np.uint8)
print(semantic_map(cats, {1: 1, 2: 1, 3: 2}))

# %% [markdown]
# YouTube-VIS stores masks as *run lengths*, read down the columns, beginning with the number of zeros. Cat 1 has
# the pixels (0,1), (1,1), (0,2), (1,2): three zeros, two ones, one zero, two ones, four zeros. We write the
# string back to counts to see them:

# %% tags=["nbval-check-output"]
encoded = rle.encode(np.asfortranarray(cats == 1))
print(np.diff(np.flatnonzero(np.diff(np.r_[-1, (cats == 1).ravel(order="F"), -1]))).tolist())
assert (rle.decode(encoded) == (cats == 1)).all()

# %% [markdown]
# ## The picture
#
# One clip, three labelings.

# %%
rows = {
    "frame": [None] * len(ids),
    "VSS: classes": semantic_map(ids, video.categories),
    "VOS: from frame 0": first_frame_objects(ids),
    "VIS: instances": ids,
}
shown = np.linspace(0, len(ids) - 1, 4).round().astype(int)
figure, axes = subplots(4, 4, width=5.0, height=5.2)
for row, (name, labels) in zip(axes, rows.items(), strict=True):
    for axis, t in zip(row, shown, strict=True):
        axis.imshow(frames[t] if labels[t] is None else overlay(frames[t], labels[t]))
        axis.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
for axis, t in zip(axes[0], shown, strict=True):
    axis.set_title(f"t = {t}")

# %%
figure.suptitle("What is it? Was it there at the start? Who is it?")
show(
    figure,
    alt="""Four frames of a toy video in four rows: the frames; classes, where objects of one class share
    a colour; objects that are in the first frame; instances, each in a colour of its own throughout.""",
)

# %% [markdown]
# Back to the street. VSS needs two labels, *car* and *man*, and cannot say how many. VOS follows three objects;
# the second man is never marked. VIS uses four labels, and each stays with its object, also while the object is
# out of sight.

# %% [markdown]
# ## Try it
#
# Move through the frames. A colour belongs to one object, in all of them.


# %%
def frame_at(figure, t):
    axis = figure.subplots()
    axis.imshow(overlay(frames[t], ids[t]))
    axis.set(xticks=[], yticks=[])


# %%
explore(
    frame_at,
    values=list(range(len(ids))),
    label="t",
    title="One colour, one object",
    alt="""Four frames of the toy video with every instance tinted in its own colour, which does not
    change from frame to frame.""",
    size=(2.0, 2.0),
)

# %% [markdown]
# ## The paper does not say
#
# **What 'a video with labels' is on disk** is up to the benchmarks. *DAVIS*: a folder of JPEGs and a folder of
# palette PNGs per sequence; a pixel's palette index is its instance. *YouTube-VIS*: one json; per instance a list
# of RLEs, one for each frame, `null` where it is absent. We write the same video in both.

# %%
scratch = tempfile.TemporaryDirectory()
root = Path(scratch.name)
write_davis(root / "davis", [video], "val")
write_youtube_vis(root / "youtube-vis", [video], CATEGORIES, "val")

# %%
for path in sorted(root.rglob("*")):
    name = path.relative_to(root)
    if path.suffix in (".png", ".txt", ".json") and path.stem in ("val", "00000", "instances"):
        print(name)

# %% [markdown]
# Open one of each by hand, without our readers:

# %%
png = Image.open(next((root / "davis").rglob("00000.png")))
assert png.mode == "P", "a palette image: pixel values are instance numbers, not colours"
annotation = json.loads(next((root / "youtube-vis").rglob("instances.json")).read_text())
n = int(ids[0].max())  # an instance that is there in frame 0
track = annotation["annotations"][present.index(n)]
mask = rle.decode(track["segmentations"][0])
assert ((np.asarray(png) == n) == mask).all(), "the same mask in both layouts"

# %% [markdown]
# Both give back the same label maps, frame by frame. Only DAVIS keeps void, and only YouTube-VIS keeps
# categories:

# %%
davis = read_davis(root / "davis", "val")[0]
youtube = read_youtube_vis(
    root / "youtube-vis/val/instances.json", root / "youtube-vis/val"
).videos[0]
agree = np.mean([(davis.ids[t] == youtube.ids[t]).mean() for t in range(len(ids))])
same_as_before = np.mean([(davis.ids[t] == ids[t]).mean() for t in range(len(ids))])
print(
    f"pixels that agree: {agree:.0%}; categories: {len(set(davis.categories.values()))} in DAVIS,",
    end=" ",
)
print(f"{len(set(youtube.categories.values()))} in YouTube-VIS")

# %% [markdown]
# **DAVIS has no categories** ([D17](../docs/decisions.md)), yet the paper's semantic branch is trained there too. With
# which classes? We use two, object and background. **Background and void** ([D13](../docs/decisions.md)): background
# is a class, void is nothing at all. No loss and no score may look at it. A clip shows both rules:

# %%
doubtful = ids.copy()
doubtful[:, :4] = VOID
config = replace(PROFILES["toy"].data, clip_frames=len(ids), size=ids.shape[1:])
unsure = replace(video, ids=doubtful)
for num_classes in (2, max(CATEGORIES) + 1):
    clip = make_clip(unsure, range(len(ids)), config, num_classes)
    print(f"{num_classes} classes: semantic labels {clip.semantic.unique().tolist()}")

# %% [markdown]
# ## Exercise
#
# **Instances to classes** (6 minutes). Our `semantic_map` loops over instances. Write it as one table look-up:
# `ids` may be any uint8 array, void and background stay what they are.
#
# <details><summary>Hint</summary>There are only 256 possible values: make an array of 256 classes, and index it
# with <code>ids</code>.</details>


# %% tags=["exercise"]
def to_semantic(ids, categories):
    """Class of each pixel, uint8, in the shape of `ids`."""
    ### BEGIN SOLUTION
    table = np.zeros(256, dtype=np.uint8)
    table[VOID] = VOID
    for n, category in categories.items():
        table[n] = category
    return table[ids]
    ### END SOLUTION


# %% tags=["check"]
check(to_semantic, check_to_semantic)

# %% [markdown]
# ## Quiz
#
# <details><summary>1. An object leaves the frame and returns. Which number does it get?</summary>
#
# Its old one. In between, no pixel carries it: it is absent, which is not the same as void.
# </details>
#
# <details><summary>2. Swap the numbers 1 and 2 in all frames. Is the labeling still right? And in one frame
# only?</summary>
#
# In all frames: yes, numbers are names. In one frame: no, now two objects have changed places; that is an identity
# switch.
# </details>
#
# <details><summary>3. A result stores masks as 0 and 255. A DAVIS evaluation reads it as label maps. What does it
# see?</summary>
#
# An object with the number 255, which is void in ground truth and one of 255 objects in a result. Ours detects it and
# says so; the official tool runs out of memory.
# </details>

# %% [markdown]
# ## In the package
#
# Training reads classes from `make_clip`, which uses the table of the exercise. Same classes as ours:

# %%
clip = make_clip(video, range(len(ids)), config, max(CATEGORIES) + 1)
assert (clip.semantic.numpy() == semantic_map(ids, video.categories)).all()
assert (clip.ids.numpy() == ids).all()

# %% [markdown]
# ## Metrics
#
# *The* property of instance labels is that they are constant over time. Between neighbouring frames an object moves
# little, so its mask overlaps its own next mask more than anybody else's.


# %%
def overlap(t, a, b):
    """IoU of instance a in frame t and instance b in frame t + 1; NaN if either is absent."""
    here, there = ids[t] == a, ids[t + 1] == b
    if not here.any() or not there.any():
        return np.nan
    return (here & there).sum() / (here | there).sum()


steps = range(len(ids) - 1)
own = [overlap(t, n, n) for t in steps for n in present]
others = [overlap(t, a, b) for t in steps for a in present for b in present if a != b]

# %%
metrics = {
    "IoU with itself in the next frame": np.nanmean(own),
    "IoU with another in the next frame": np.nanmean(others) if np.isfinite(others).any() else 0.0,
    "layouts that agree": agree,
    "pixels back from disk": same_as_before,
}
record("01", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
scratch.cleanup()

# %%
own_iou, other_iou = list(metrics.values())[:2]
assert own_iou > 0.5 > other_iou, "ids must stay with their object"
assert metrics["layouts that agree"] == metrics["pixels back from disk"] == 1

# %% [markdown]
# ## Summary
#
# - VIS: found by itself, separated, followed and classified. One label map per frame, numbers constant over time.
# - DAVIS stores palette PNGs without classes, YouTube-VIS run lengths with classes.
# - 0 is background, 255 is void, and an absent object is in no pixel.
#
# Reference: Kini and Shah, 2022, sections I and II. DAVIS'19 Unsupervised: Caelles et al., 2019. YouTube-VIS: Yang, Fan
# and Xu, *Video Instance Segmentation*, 2019.

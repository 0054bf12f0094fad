# %% [markdown]
# # 00 · The whole system in five minutes
#
# **One idea:** give every pixel of a video one number, its *tag*. Pixels of one object share a number
# in all frames, so one histogram finds and follows all objects at once.
#
# Paper: sections I, III and IV in outline · Time: 20 minutes to read, 25 for the exercises (the five are for
# pressing run and looking); 30 seconds on two CPU cores
#
# Press play: left a clip that the network has never seen, in the middle the number that it writes on each
# pixel, as a shade, and right the objects that come of it.

# %% tags=["parameters"]
PROFILE = "toy"  # not used in this lesson: the shipped weights bring their own configuration (toy)
SEED = 0  # toy test video number 4 + SEED is the one shown
DATA = ""  # empty: toy videos; else your own, of which the first is shown
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from dataclasses import replace

import numpy as np

from tagvis_lite.course import check, claim, explore, lesson_video, record, show, subplots
from tagvis_lite.course.checks.lesson_00 import (
    check_extra,
    check_free_objects,
    check_mirrored_score,
)

# %% tags=["imports"]
from tagvis_lite.data.toy import toy_split
from tagvis_lite.evaluation.davis import evaluate_davis, sequence_scores
from tagvis_lite.inference import look, predict_video, read_clip
from tagvis_lite.instances import cluster_instances
from tagvis_lite.interpolation import interpolate_ids
from tagvis_lite.runs import load_network, shipped
from tagvis_lite.video import Video
from tagvis_lite.views import play
from tagvis_lite.views.figures import filmstrip, tag_histogram, tag_pictures
from tagvis_lite.views.objects import matched
from tagvis_lite.views.overlay import instance_colours, overlay
from tagvis_lite.views.player import numbered

# %% tags=["fold"]
network, config = load_network(shipped("checkpoints/toy.safetensors"))
video = lesson_video(DATA, 0 if DATA else 4 + SEED)
seen = look(network, video, config)
prediction, kept, size = seen.prediction, seen.kept, seen.size
pictures = video.read_frames(kept)
instances = cluster_instances(prediction, config.inference)
found = interpolate_ids(instances.ids, range(len(kept)), len(kept), size)
truth = None if video.ids is None else video.read_ids(kept)
like = found if truth is None else matched(found, truth)

# %% tags=["fold"]
painted = np.stack([overlay(*pair) for pair in zip(pictures, like, strict=True)])
play(
    {
        "frames": pictures,
        "tags": tag_pictures(prediction.tags.numpy(), found),
        "objects": numbered(painted, like),
    },
    title="Frames, tags, objects",
    alt="""Three panels that play together: a star and two triangles that move; the tag of each pixel as
    a shade; and the objects found, each in a colour and with a number that it keeps.""",
)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - run a trained network on a video and name every array on the way from pixels to masks,
# - explain in three sentences how tags become objects that are followed through time,
# - read a J&F score, and say what it does not tell you.
#
# You need: Python and arrays. Every step here has a lesson of its own later.
#
# Live, in your browser: [move objects yourself and watch their tags](../docs/live.md)
#
# Next: [01 · the task](01_task.ipynb)

# %% [markdown]
# ## A question
#
# A short video shows a star and two triangles. The triangles look alike. All three move, and the star
# leaves the picture and comes back.
#
# A network may write *one number* on each pixel. It draws no boxes and nothing tracks from frame to
# frame. Write down before you go on: *Is one number enough to tell the two triangles apart? And to
# know the star again when it returns? What would a histogram of all the numbers have to look like?*

# %% [markdown]
# ## The paper
#
# Most systems detect objects in each frame, cut them out, and then match the cut-outs between
# frames. This paper goes *bottom-up*. A clip enters as one block of space and time, and two things
# come out for every pixel: a tag, and a class.
#
# | symbol | meaning | shape here |
# |---|---|---|
# | $I_1 \dots I_T$ | the frames of the clip (the paper has T = 32) | `frames`: 3 x T x H x W |
# | $p_t$ | tags of frame $t$: one number per pixel | `tags`: T x h x w |
# | $O_{t,c}$ | how much each pixel of frame $t$ looks like class $c$ | `semantic_logits`: C x T x h x w |
#
# Only the difference of two tags means something. Training pulls the tags of one object together, in all
# frames, and pushes those of different objects apart. No tag value is right or wrong by itself (which values
# a trained network picks is another question: mostly it sorts objects by their place in the frame).
#
# The classes are called a byproduct, but they do one job: they say which pixels are background, and
# so whose tags to ignore.

# %% [markdown]
# ## In code
#
# The package ships a small network, trained on synthetic *toy videos* alone. The video below is from
# the test set: the network has never seen it.

# %% [markdown]
# **Step 1: pixels to tags.** Choose T frames, bring them to the network's size, run it once. There is
# no loop over frames: the whole clip goes through together.

# %% tags=["nbval-check-output"]
seen = look(network, video, config)
prediction, kept, size = seen.prediction, seen.kept, seen.size
print("frames         ", tuple(read_clip(video, config.data)[0].shape))
print("tags           ", tuple(prediction.tags.shape))
print("semantic logits", tuple(prediction.semantic_logits.shape))

# %% [markdown]
# **Step 2: which pixels count.** Softmax turns the logits into probabilities. A pixel is foreground
# where background is the less likely half.

# %%
tags = prediction.tags.numpy()
background = prediction.semantic_logits.softmax(0)[0].numpy()
foreground = background < 0.5

# %% [markdown]
# **Step 3: tags to instances.** Tags of one object heap up around one value. The package finds the
# tops of the heaps, the *modes*; then each foreground pixel belongs to the mode nearest to its tag.
# That is all. Nothing here looks at where a pixel lies or in which frame.


# %%
instances = cluster_instances(prediction, config.inference)


def nearest_mode(tags, foreground, modes):
    """Instance of each pixel: 0 background, else 1 + the position of the nearest mode."""
    distance = np.abs(tags[..., None] - np.array(modes))
    return np.where(foreground, 1 + distance.argmin(-1), 0)


ids = nearest_mode(tags, foreground, list(instances.modes.values()))

# %% [markdown]
# ## By hand
#
# Two frames of four pixels, modes at 2 and 5. A dot is background.
#
# | | pixel 1 | 2 | 3 | 4 |
# |---|---|---|---|---|
# | frame 0, tag | · | 2.1 | 2.0 | 5.0 |
# | frame 1, tag | 1.9 | · | 3.6 | 4.9 |
#
# Tag 3.6 is 1.6 from one mode and 1.4 from the other: instance 2, by a hair. Instance 1 is at pixels
# 2 and 3 in frame 0, at pixel 1 in frame 1. It moved and kept its id, since its tag stayed.

# %% tags=["nbval-check-output"]
hand_tags = np.array([[0.0, 2.1, 2.0, 5.0], [1.9, 0.0, 3.6, 4.9]])
hand_ids = nearest_mode(hand_tags, hand_tags > 0, [2, 5])
print(hand_ids)

# %% [markdown]
# How good is a mask? *J* is intersection over union. Suppose instance 2 truly is pixel 4 in both
# frames. In frame 0 we have exactly that: J = 1. In frame 1 we say pixels 3 and 4, one of two is right:
# J = 1/2. Over the video, J is the mean: 3/4.


# %% tags=["nbval-check-output"]
def jaccard(truth, found):
    """Mean over frames of intersection over union; a frame where both are empty counts 1."""
    scores = []
    for a, b in zip(truth, found, strict=True):
        union = (a | b).sum()
        scores.append((a & b).sum() / union if union else 1.0)
    return np.mean(scores)


true_mask = np.array([[0, 0, 0, 1], [0, 0, 0, 1]], dtype=bool)
print(jaccard(true_mask, hand_ids == 2))

# %% [markdown]
# *F* looks at outlines instead of areas: which share of either outline lies close to the other. J&F is the
# mean of both, over all *true* objects. What a result shows besides them costs nothing: extra objects are
# free. A predicted id need not be the true id: ids are matched one to one so that the total is largest.

# %% [markdown]
# ## The picture
#
# The clip in rows: what went in, the tags of the foreground, what the tags became, and the truth.

# %% tags=["fold"]
show(
    filmstrip(pictures, tags, found, truth, columns=3, title="Frames, tags, objects, truth"),
    alt=f"""Three frames of {video.name} in rows: the frame; the tags of the foreground, nearly one
    colour per object and the same colour in each frame; the {len(instances.modes)} instances found;
    and the true instances, in the same colours.""",
)

# %% [markdown]
# And the histogram of all those tags, of all frames together:

# %% tags=["fold"]
show(
    tag_histogram(tags, instances.ids, dict(instances.modes), title="One heap, one instance"),
    alt=f"""Histogram of the foreground tags of the clip, coloured by instance, with dashed lines at
    the {len(instances.modes)} modes. The heaps stand apart, with a few tags between them.""",
)

# %% [markdown]
# This answers the question. One number per pixel is enough, if each object has a heap of its own: two
# triangles that look alike need only *different* numbers. An object that returns falls into its old
# heap, if the network gives it its old number; nothing else would reconnect it. The few tags between
# heaps lie on the edges of objects, where one pixel sees two things.

# %% [markdown]
# ## Try it
#
# The slider is the frame. Above, the instances; below, the histogram of *this frame's* tags. Watch
# the heaps: they shrink and grow with the objects, but should stay at their place.

# %%
low, high = np.quantile(tags[foreground], [0.005, 0.995]) if foreground.any() else (0, 1)
colours = instance_colours() / 255


def frame_and_tags(figure, t):
    above, below = figure.subplots(2, 1, height_ratios=[2, 1])
    above.imshow(overlay(pictures[t], found[t]))
    above.set_axis_off()
    for n in instances.modes:
        own = tags[t][instances.ids[t] == n]
        below.hist(own, bins=np.linspace(low - 0.5, high + 0.5, 60), color=colours[n])
    below.set(xlabel="tag", yticks=[])


# %%
walks, wander = [], []
places = np.stack(np.meshgrid(*map(np.arange, tags.shape[1:]), indexing="ij"), axis=-1)
for n in instances.modes:
    there = [instances.ids[t] == n for t in range(len(kept))]
    middles = np.array([places[m].mean(0) for m in there if m.any()])
    walks.append(np.ptp(middles, axis=0).max())
    wander.append(np.std([tags[t][m].mean() for t, m in enumerate(there) if m.any()]))

# %% tags=["fold"]
stay = claim(
    "The objects move, their tags stay",
    max(wander) < 1.0 and max(walks) > 4,
    over=f"{len(walks)} objects, {len(kept)} frames",
)
explore(
    frame_and_tags,
    values=list(range(len(kept))),
    label="frame",
    title=stay,
    alt="""Four frames with the instances found, above histograms of the tags of each frame alone.
    The heaps of tags stay at about the same place from frame to frame.""",
    size=(1.8, 2.5),
)

# %% [markdown]
# ## The paper does not say
#
# **How wide is a heap?** ([D15](../docs/decisions.md)) Inference ends at 'well-separated consistent tags per
# instance'. Somebody must still decide when two bumps of a histogram are two objects. We smooth the
# histogram with a kernel of some *bandwidth*, and ask a bump to stand out by some *prominence*. Two knobs,
# two values each, on eight test videos: one is turned at a time. Toy videos, so the numbers say which
# setting suits this network, not what the paper would score.

# %%
videos = list(toy_split("test", 8))
looks = [look(network, v, config) for v in videos]
results, full, scores = {}, {}, {}
for bandwidth in (0.4, 0.75):
    for prominence in (0.1, 0.3):
        knobs = replace(config.inference, bandwidth=bandwidth, prominence=prominence)
        pairs = zip(videos, looks, strict=True)
        ids_of = [cluster_instances(s.prediction, knobs) for _, s in pairs]
        results[bandwidth, prominence] = ids_of
        full[bandwidth, prominence] = [
            interpolate_ids(r.ids, s.kept, len(v), s.size)
            for v, s, r in zip(videos, looks, ids_of, strict=True)
        ]
        triples = [
            (v.name, v.ids, ids) for v, ids in zip(videos, full[bandwidth, prominence], strict=True)
        ]
        scores[bandwidth, prominence] = evaluate_davis(triples)

# %% tags=["fold"]
extra = {
    knobs: np.array([len(r.modes) - len(v.categories) for r, v in zip(rs, videos, strict=True)])
    for knobs, rs in results.items()
}
figure, (left, right) = subplots(1, 2, width=8, height=2.6)
for (bandwidth, prominence), marker in zip(results, "osv^", strict=True):
    name = f"bandwidth {bandwidth}, prominence {prominence}"
    quality = [s.jf_mean.mean() for s in scores[bandwidth, prominence].sequences]
    left.plot(quality, marker, alpha=0.7, label=name)
    right.plot(extra[bandwidth, prominence], marker, alpha=0.7)
left.legend(loc="lower right", fontsize=6)
left.set(ylim=(0, 1), xlabel="test video", ylabel="J&F")
right.axhline(0, color="black", linewidth=0.8)
right.set(xlabel="test video", ylabel="found minus there")
figure.suptitle("Two knobs, eight videos")
show(
    figure,
    alt="""Left: J&F of eight test videos for four settings of two knobs. Right: the number of instances
    found minus the number there.""",
)

# %% [markdown]
# No setting is best for all. What they do to the score of a video is small beside what differs between
# videos; lesson [18](18_inference.ipynb) sets both by more of them.

# %% [markdown]
# **What happens between the frames?** The paper's clips have 32 frames and real videos more.
# Lessons [10](10_clips.ipynb) and [18](18_inference.ipynb) are about the rest of them.

# %% [markdown]
# ## Exercise
#
# **1. Predict** (2 minutes). A result has both true objects exactly, J&F 1, and adds a third that is pure
# noise. What is its J&F then?


# %% tags=["exercise"]
def score_with_noise():
    """J&F of two perfect objects and one that is noise."""
    ### BEGIN SOLUTION
    return 1.0
    ### END SOLUTION


# %% tags=["check"]
check(score_with_noise, check_extra)

# %% [markdown]
# **2. Code: change the video** (8 minutes). A mirror image shows the same objects. Does the network find
# them as well? Write the J&F of a video's mirror image, left and right exchanged, as one number. You have
# `Video(name, frames, ids, categories)`, `predict_video` and `evaluate_davis([(name, true ids, found
# ids)]).jf_mean`.
#
# <details><summary>Hint</summary>Frames are T x H x W x 3 and ids T x H x W: width is axis 2 of both.
# <code>video.read_frames(range(len(video)))</code> gives all frames.</details>


# %% tags=["exercise"]
def mirrored_score(network, config, video):
    """J&F of the network on the video with left and right exchanged."""
    ### BEGIN SOLUTION
    frames = video.read_frames(range(len(video)))[:, :, ::-1]
    ids = video.read_ids(range(len(video)))[:, :, ::-1]
    mirrored = Video(video.name, frames, ids, video.categories)
    tracks = predict_video(network, mirrored, config)
    return evaluate_davis([(video.name, ids, tracks.ids)]).jf_mean
    ### END SOLUTION


# %% tags=["check"]
check(mirrored_score, check_mirrored_score)

# %% [markdown]
# Then call `mirrored_score(network, config, video)` for a few of `videos`, and try others: played backwards,
# upside down, in grey. Training has shown the network mirrored and reversed clips, but none of the other
# two. Which of them hurts, and what does that say of what it looks at?

# %% [markdown]
# **3. Break it** (6 minutes). J&F takes up to 20 found objects and never asks whether they are too many.
# Write the cheapest result that you can think of which scores above 0 for *any* video, without looking at
# the video: label maps, T x H x W, from the size alone.
#
# <details><summary>Hint</summary>An object is somewhere. How many pieces may a result have?</details>


# %% tags=["exercise"]
def blind_result(T, H, W):
    """Label maps, uint8, T x H x W, of at most 20 objects, from the size alone."""
    ### BEGIN SOLUTION
    rows, columns = np.arange(H) * 4 // H, np.arange(W) * 4 // W
    return np.tile((1 + 4 * rows[:, None] + columns).astype(np.uint8), (T, 1, 1))
    ### END SOLUTION


# %% tags=["check"]
check(blind_result, check_free_objects)

# %% [markdown]
# **4. Open.** Film ten seconds with your phone and give the file as DATA, or paint a clip. *Judge the
# picture*, not a number: which heaps are objects, which are places? The network has seen toy videos only, so
# expect places.

# %% [markdown]
# ## Quiz
#
# <details><summary>1. All tags of a clip are multiplied by 100. Does a perfect result change?</summary>
#
# Not the grouping: the order and the gaps stay in proportion. But the bandwidth above is in tag units.
# A kernel of 0.4 would see the noise within each object as many heaps. The training margin fixes the
# unit: objects should be 3 apart. <!-- given: bandwidth and margin are in tag units -->
# </details>
#
# <details><summary>2. An object hides behind another for two frames. What keeps its id?</summary>
#
# Its tag. When it is seen again the network must give it the same number as before. All frames of the clip
# go through the network together, which makes that possible; nothing guarantees it, and most of the reach
# between distant frames is small (lesson [12](12_attention.ipynb)). No rule afterwards could mend it. <!--
# given: nothing in step 3 looks at frames -->
# </details>
#
# <details><summary>3. A network finds every object but calls each star a disc. What is its J&F?</summary>
#
# Unchanged. J&F looks at masks only, the DAVIS benchmark has no classes. YouTube-VIS counts classes,
# with average precision (lesson 20). <!-- given: the definition of J&F -->
# </details>

# %% [markdown]
# ## In the package
#
# `predict_video` is the three steps in one call, and then carries the masks to the video's own frames
# and size. The nearest mode is our shortcut: the package cuts at the valley between two modes, and
# lets tiny heaps go. On nearly all pixels that is the same.

# %%
tracks = predict_video(network, video, config)
by_stages = interpolate_ids(instances.ids, kept, len(video), size)
np.testing.assert_array_equal(tracks.ids, by_stages)
same = (ids == instances.ids)[foreground].mean() if foreground.any() else 1.0
assert same > 0.9, "nearest mode and valleys should rarely disagree"

# %% [markdown]
# And our J is the official one, once we know which found id was matched with which true one. A 0 in
# `assignment` stands for an object that was not found.

# %%
test, result = videos[0], full[0.4, 0.1][0]
official = sequence_scores(test.ids, result)
pairs = zip(official.objects, official.assignment, strict=True)
J = [jaccard(test.ids == n, (result == k) & (result > 0)) for n, k in pairs]
np.testing.assert_allclose(J, official.j.mean)

# %% [markdown]
# ## Metrics
#
# The shipped network on eight test videos.

# %% tags=["fold"]
ours, errors = scores[0.4, 0.1], extra[0.4, 0.1]
works = claim(
    "On toy videos the shipped network finds most objects and their number",
    ours.jf_mean > 0.6 and np.abs(errors).mean() < 1,
    over=f"{len(videos)} test videos",
)
metrics = {
    "J&F": ours.jf_mean,
    "J": ours.j_mean,
    "F": ours.f_mean,
    "count error": np.abs(errors).mean(),
    "J&F, wide kernel": scores[0.75, 0.1].jf_mean,
    "J&F, high prominence": scores[0.4, 0.3].jf_mean,
}
record("00", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert DATA or sequence_scores(video.ids, tracks.ids).jf_mean.mean() > 0.45

# %% [markdown]
# ## Summary
#
# - A network gives each pixel of a clip a tag and a class; the class says where the background
#   is. <!-- given: the method -->
# - The modes of one histogram over the whole clip are the instances. Following them is included: objects
#   move, their tags stay. <!-- claim: stay -->
# - J&F compares masks, not classes, and extra objects are free. On toy videos it says that the machinery
#   works; it says nothing about real video. <!-- claim: works -->
#
# Reference: Kini and Shah, *Tag-Based Attention Guided Bottom-Up Approach for Video Instance
# Segmentation*, 2022, sections I, III and IV. J and F are from Perazzi et al., *A Benchmark Dataset and
# Evaluation Methodology for Video Object Segmentation*, 2016.

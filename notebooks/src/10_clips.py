# %% [markdown]
# # 10 · Clips: what the network is fed
#
# **One idea:** from one video make a different clip in every epoch, by leaving out short runs of frames, by
# cropping and by flipping, and take the labels along.
#
# Paper: section IV, 'Training' and 'Inference' · Time: 30 minutes to read, 25 for the exercises; 20 seconds on two
# CPU cores
#
# One video, as the network gets it in three epochs. Look at the numbers of the frames, and at where the objects are.


# %% tags=["parameters"]
PROFILE = "toy"  # toy, smoke or paper: length and size of the clips
SEED = 0  # of every draw below
DATA = ""  # empty: a toy video; or a DAVIS or YouTube-VIS root, whose first video is taken
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from tagvis_lite.clips import ClipDataset, sample_indices, spread_indices
from tagvis_lite.config import PROFILES
from tagvis_lite.course import (
    COLOURS,
    check,
    claim,
    explore,
    lesson_video,
    record,
    show,
    subplots,
)
from tagvis_lite.course.checks.lesson_10 import check_blind_test, check_farthest, check_sampler
from tagvis_lite.data.toy import ToyConfig, render_video
from tagvis_lite.views.overlay import overlay

config = PROFILES[PROFILE].data
generator = torch.Generator().manual_seed(SEED)

# %% tags=["fold"]
longer = ToyConfig(num_frames=3 * PROFILES["toy"].data.clip_frames)
video = lesson_video(DATA) if DATA else render_video(SEED + 1, longer)
toy = replace(config, size=(64, 64), clip_frames=8)
classes = max(2, max(video.categories.values(), default=1) + 1)
profile = PROFILES["toy"]
profile = replace(
    profile,
    model=replace(profile.model, num_classes=classes),
    data=toy,
    train=replace(profile.train, seed=SEED),
)
dataset = ClipDataset([video], profile)


def picture(clip, t):
    """Frame t of a clip, as it travels to the network, with its labels over it."""
    return overlay(clip.frames[:, t].permute(1, 2, 0).numpy(), clip.ids[t].numpy(), 0.15)


figure, axes = subplots(3, 5, width=5.2, height=3.5)
for epoch, row in zip((0, 2, 6), axes, strict=True):
    _, clip = dataset[epoch]  # one video: clip i is that of epoch i
    for axis, t in zip(row, range(0, 8), strict=False):
        axis.imshow(picture(clip, t))
        axis.set(xticks=[], yticks=[])
        axis.set_title(f"frame {clip.frame_indices[t]}")
    row[0].set_ylabel(f"epoch {epoch}")
figure.suptitle("One video, three epochs")
show(
    figure,
    alt="""Three rows of five toy frames from three epochs of the same video: differently cropped,
    some mirrored, some with frame numbers that fall. The label outlines lie on the objects in all.""",
)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - choose frames for a training clip and for a prediction, and say why the two differ,
# - augment a clip without ever separating a mask from its object,
# - resize label maps without moving them.
#
# You need: [01](01_task.ipynb) for `Video` and its label maps.
#
# Previous: [09 · where names come from](09_twins.ipynb) · Next: [11 · the encoder](11_encoder.ipynb)

# %% [markdown]
# ## A question
#
# A video has 90 frames, the network takes 32. You train on it for 100 epochs, and later you want masks for
# all 90 frames.
#
# Write down before you go on: *which 32 frames do you take in an epoch of training? Which 32 for the
# prediction? And may a training clip run backwards?*

# %% [markdown]
# ## The paper
#
# Two sentences of section IV, in other words:
#
# - *Training.* In each epoch a clip of 32 frames is made from each video by dropping random runs of 1 to 5
#   consecutive frames. Random crops, spatial flips and temporal flips augment it.
# - *Inference.* A long video becomes one clip of 32 frames 'by dropping intermittent frames'; the masks of
#   the dropped ones are interpolated.
#
# | symbol | meaning | here |
# |---|---|---|
# | T | frames of a clip | `config.clip_frames`: 32 in `paper`, 8 in `toy` |
# | H x W | size of the input | `config.size`: 224 x 224, or 64 x 64 |
# | h x w | size of tags and labels | H x W over `config.model.label_stride`: 2, or 1 |

# %% [markdown]
# ## In code
#
# *For a prediction* every part of the video must be near a frame that was seen: spread them evenly, first
# and last included.


# %%
def spread(num_frames, clip_frames):
    """Indices spread evenly over a video: clip_frames of num_frames."""
    return np.rint(np.linspace(0, num_frames - 1, clip_frames)).astype(int)


spread(90, 32)

# %% [markdown]
# *For training* walk through the video, and between two kept frames sometimes skip 1 to 5. The walk may
# begin anywhere it fits. Our version throws a coin before every step; the package draws the number of runs
# instead, which we compare below.


# %%
def sample(num_frames, clip_frames, max_drop, generator):
    """Rising indices with random runs of 1 to max_drop frames left out."""
    steps = np.ones(clip_frames - 1, dtype=int)
    spare = num_frames - clip_frames
    for k in range(clip_frames - 1):
        if torch.rand((), generator=generator) < 0.5:
            run = int(torch.randint(1, max_drop + 1, (), generator=generator))
            run = min(run, spare)
            steps[k] += run
            spare -= run
    first = int(torch.randint(0, spare + 1, (), generator=generator))
    return first + np.concatenate([[0], np.cumsum(steps)])


# %% tags=["fold"]
hundred = [sample(90, 32, 5, generator) for _ in range(100)]
rises = claim(
    "Every draw rises, in steps of 1 to 6, within the video",
    all(
        d.shape == (32,) and 0 <= d[0] < d[-1] < 90 and set(np.diff(d)) <= {1, 2, 3, 4, 5, 6}
        for d in hundred
    ),
    over=f"{len(hundred)} clips of 32 of 90 frames",
)

# %% [markdown]
# ## By hand
#
# Spread 4 frames over 10: the steps are $9/3 = 3$, so 0, 3, 6, 9. Over 9 frames: steps of $8/3$ give 0,
# 2.67, 5.33, 8, rounded 0, 3, 5, 8.
#
# A video of 3 frames for a clip of 5: steps of a half give 0, 0.5, 1, 1.5, 2, and NumPy rounds halves to
# even: 0, 0, 1, 2, 2. Short videos repeat frames. The same by `spread`:

# %% tags=["nbval-check-output"]
for total, number in [(10, 4), (9, 4), (3, 5)]:
    print(f"{number} of {total}:", spread(total, number).tolist())

# %% [markdown]
# ## The picture
#
# Six training clips of one video, and the clip of a prediction.

# %% tags=["fold"]
rows = [sample_indices(90, 32, 5, generator) for _ in range(6)] + [spread(90, 32)]
new_window = claim(
    "Training draws a new window with new gaps each time; prediction spreads evenly",
    len({tuple(row) for row in rows}) == 7 and np.ptp(np.diff(rows[-1])) <= 1,
    over="6 epochs and 1 prediction",
)
figure, axis = subplots(width=9, height=2.8)
for y, row in enumerate(rows):
    training = y < 6
    axis.plot([row[0], row[-1]], [y, y], color="lightgrey", zorder=0)
    axis.scatter(row, [y] * 32, s=14, color=COLOURS[0] if training else COLOURS[1])
axis.set_yticks(range(7), [f"epoch {k}" for k in range(6)] + ["prediction"])
axis.invert_yaxis()
axis.set_xlabel("frame of the video")
axis.set_title(new_window)
show(
    figure,
    alt="""Seven rows of 32 dots along the 90 frames of a video. Six training clips begin at different
    frames and have irregular gaps; the clip for prediction has even gaps from the first to the last
    frame.""",
)

# %% [markdown]
# The paper's text leaves room for other readings, but not for this one: gaps in training are 1 to 6 frames
# wide, and at inference a video of 900 frames has gaps of 29. The network has never seen such gaps. That is
# one reason to distrust very long videos.
#
# Now the pixels, in the first picture: crop, mirror and time change from epoch to epoch, and outlines stay on
# objects. <!-- claim: follow -->
# One draw holds for the whole clip: the same crop and the same flip in all frames, or else objects would
# jump. And yes, a clip may run backwards: its frame numbers fall. Which way time runs does not change
# what an instance is.

# %% [markdown]
# ## Try it
#
# The slider is the longest run that may be dropped. What does a clip of 32 frames span?

# %% tags=["fold"]
longest = [0, 1, 2, 3, 5, 8, 12]
medians = [
    np.median([np.ptp(sample_indices(500, 32, most, generator)) for _ in range(60)])
    for most in longest
]
wider = claim(
    "Longer runs make clips span more of the video",
    all(a < b for a, b in pairwise(medians)),
    over=f"60 clips for each of {len(longest)} longest runs",
)


def spans(figure, max_drop):
    axis = figure.subplots()
    draws = torch.Generator().manual_seed(SEED)
    for y in range(8):
        row = sample_indices(200, 32, max_drop, draws)
        axis.scatter(row - row[0], [y] * 32, s=4, color=COLOURS[0])
    axis.set(xlim=(-3, 203), yticks=[], xlabel="frames after the first", ylabel="eight clips")


explore(
    spans,
    values=longest,
    label="longest run",
    title=wider,
    alt="""Eight clips of 32 frames each for longest runs of 0, 2, 5 and 12 frames. The clips grow
    longer and more irregular, from 31 frames to almost 200.""",
)

# %% [markdown]
# ## The paper does not say
#
# **How often a run is dropped** ([D18](../docs/decisions.md)). A coin before every step, as in ours above, or
# a number of runs drawn first, as in the package? The gaps are alike, the spans are not:


# %% tags=["fold"]
def spans_of(sampler, number=400):
    clips = [sampler(200, 32, 5, generator) for _ in range(number)]
    return np.array([clip[-1] - clip[0] for clip in clips])


coin, package = spans_of(sample), spans_of(sample_indices)
alike = claim(
    "A random number of runs gives short and long clips alike",
    package.std() > 1.5 * coin.std(),
    over=f"{len(coin)} clips each",
)
figure, axis = subplots(width=6, height=2.4)
axis.hist(coin, bins=range(30, 200, 5), alpha=0.7, label="a coin per step (this lesson)")
axis.hist(package, bins=range(30, 200, 5), alpha=0.7, label="a random number of runs (package)")
axis.set(xlabel="frames that a clip of 32 spans", ylabel="clips")
axis.legend()
axis.set_title(alike)
show(
    figure,
    alt="""Histogram of the spans of clips. With a coin per step they gather around 80 frames; with a
    random number of runs they spread evenly from 31 to about 125.""",
)

# %% [markdown]
# We take the even spread: <!-- claim: alike --> clips without any gap, as short videos have them, are as frequent as wide ones.
#
# **Videos shorter than a clip** ([D19](../docs/decisions.md)) repeat frames evenly, as by hand above; what is
# predicted for the repeats of one frame is averaged.
#
# **How labels are resized.** A label has no 'in between', so the nearest one is taken. Nearest to what? Plain
# `nearest` takes the pixel under the *corner* of the new pixel, `nearest-exact` the one under its *centre*.
# A disc in the middle of a frame shows the difference:

# %%
y, x = torch.meshgrid(torch.arange(105.0), torch.arange(105.0), indexing="ij")
disc = ((y - 52).square() + (x - 52).square() < 33**2).to(torch.uint8)[None]


def offset(mode, size):
    """How far the centre of the resized disc is from the centre of the map, in new pixels."""
    small = transforms.resize(disc, [size, size], interpolation=mode, antialias=False)[0]
    return small.nonzero()[:, 0].double().mean().item() - (size - 1) / 2


offsets = {
    mode.value: [offset(mode, size) for size in (35, 21, 15)]
    for mode in (InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT)
}

# %% tags=["nbval-check-output"]
for mode, values in offsets.items():
    print(f"{mode:<14}", *[f"{value:+.2f}" for value in values], "pixels off at 35, 21 and 15")

# %% tags=["fold"]
centred = claim(
    "The pixel under the centre leaves a mask where it is, the one under the corner moves it",
    max(map(abs, offsets["nearest-exact"])) < 0.01 < min(map(abs, offsets["nearest"])),
    over="a disc at 3 sizes",
)

# %% [markdown]
# Plain nearest moves every mask down and to the right by up to half a label pixel, and in mirrored clips to
# the other side. The network would be taught two different places for the same edge. We use
# `nearest-exact`. (The sizes here divide by odd numbers. By even ones no pixel lies under the centre, and
# half a *source* pixel of offset is left.)

# %% [markdown]
# ## Exercise
#
# **Predict** (3 minutes). The network sees 12 of the 100 frames of a video, spread evenly, first and last included. How many
# frames away from the nearest seen one is a frame at worst?


# %% tags=["exercise"]
def farthest():
    """Largest distance of a frame of 100 to the nearest of 12 seen ones, in frames."""
    ### BEGIN SOLUTION
    return 4  # steps of 99 / 11 = 9: in between lie 8 frames, the middle ones 4 from either side
    ### END SOLUTION


# %% tags=["check"]
check(farthest, check_farthest)

# %% [markdown]
# **Code** (12 minutes). Write the sampler that the package uses. Draw *first* how many runs are left out, evenly from none to
# one before every frame but the first; then before which frames; then how long each is, 1 to `max_drop`. Where the video is
# too short, the later runs are shortened. Begin at a random place. Use the generator for every draw.
#
# <details><summary>Hint</summary><code>torch.randperm(n, generator=generator)[:k]</code> draws k places of n. Keep count of
# the frames you can still spare.</details>


# %% tags=["exercise"]
def sampler(num_frames, clip_frames, max_drop, generator):
    """Rising int indices, clip_frames of num_frames, with a random number of runs left out."""
    ### BEGIN SOLUTION
    spare = num_frames - clip_frames
    steps = torch.ones(clip_frames, dtype=torch.int64)
    runs = int(torch.randint(clip_frames, (), generator=generator))
    for k in torch.randperm(clip_frames - 1, generator=generator)[:runs] + 1:
        run = min(int(torch.randint(1, max_drop + 1, (), generator=generator)), spare)
        steps[k] += run
        spare -= run
    steps[0] = torch.randint(0, spare + 1, (), generator=generator)
    return steps.cumsum(0).numpy()
    ### END SOLUTION


# %% tags=["check"]
check(sampler, check_sampler)

# %% [markdown]
# **Break** (4 minutes). 'In the package' below tests that masks follow the frames when a clip is mirrored. Break that test:
# give a label map, uint8 8 x 10, of at least two objects, on which a lost mirror would go unnoticed. What does that say
# about tests on one video?


# %% tags=["exercise"]
def blind_test():
    """A label map of two objects or more that a lost mirror does not change."""
    ### BEGIN SOLUTION
    ids = np.zeros((8, 10), np.uint8)
    ids[1:3, 2:8], ids[5:7, 3:7] = 1, 2  # each is its own mirror image, about the middle column
    return ids
    ### END SOLUTION


# %% tags=["check"]
check(blind_test, check_blind_test)

# %% [markdown]
# **Open.** Which augmentation is missing here that real video would reward: colour, blur, larger runs, two videos pasted into
# one? Choose one and say which of the four terms of the loss would notice, and how you would find out whether it
# helps. Judge yourself by lesson 21: how many seeds would your experiment need?

# %% [markdown]
# ## Quiz
#
# <details><summary>1. Why does dropping frames help at all?</summary>
#
# It changes the speed of everything: the same video shows slow and fast motion, short and long occlusions.
# And the prediction of a long video will need large gaps. <!-- claim: wider -->
# </details>
#
# <details><summary>2. A horizontal flip turns a left shoe into a right one. A vertical flip would turn a dog
# on its back. Why is the first harmless and the second not used?</summary>
#
# Mirror images are as likely in the world as originals; dogs on their back are not. Augmentation should
# stay within what the network will meet. <!-- given: the paper's 'spatial flips'; the package mirrors only -->
# </details>
#
# <details><summary>3. Item 7 of epoch 3 is made twice, on two machines. Are the clips equal?</summary>
#
# Yes. A clip is a function of the seed, the epoch and the item, not of what was drawn before. That is what
# makes a run repeatable after a crash. <!-- claim: again -->
# </details>

# %% tags=["fold"]
twice = [ClipDataset([video], profile)[25][1] for _ in range(2)]
again = claim(
    "The same item of the same epoch is the same clip",
    all(
        torch.equal(getattr(twice[0], name), getattr(twice[1], name)) for name in ("frames", "ids")
    ),
    over="1 item, made by 2 data sets",
)

# %% [markdown]
# ## In the package
#
# `tagvis_lite.clips` holds both choices of frames, `make_clip`, and the data set for a `DataLoader`.

# %% tags=["fold"]
sizes = [(total, number) for total in range(1, 100, 7) for number in (1, 8, 32)]
even = claim(
    "Ours and the package spread alike",
    all((spread(*size) == spread_indices(*size)).all() for size in sizes),
    over=f"{len(sizes)} lengths of videos and clips",
)

# %% [markdown]
# And the promise of this lesson: masks follow the frames. We *paint the ids into the frames*, augment, and ask
# whether each frame still shows what its labels say.

# %%
ids = video.read_ids(range(len(video)))
ids = np.where(ids == 255, 0, ids)
painted = replace(
    video, frames=np.repeat(40 * ids[..., None], 3, axis=-1).astype(np.uint8), ids=ids
)
plain = replace(toy, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
augmented = ClipDataset([painted], replace(profile, data=plain))


def agreement(frames, ids):
    """Share of the objects' pixels whose colour in the frame is that of their label."""
    return ((frames / 40).round() == ids)[ids > 0].double().mean().item()


clips = [augmented[epoch][1] for epoch in range(20)]
agreements = [agreement(clip.frames[0], clip.ids) for clip in clips if (clip.ids > 0).any()]
lost_flip = [agreement(c.frames[0].flip(-1), c.ids) for c in clips if (c.ids > 0).any()]
print(
    f"at worst {min(agreements):.2f}; had a mirror been lost, {np.mean(lost_flip):.2f} on average"
)

# %% tags=["fold"]
follow = claim(
    "Masks follow the frames through crop, mirror and time",
    min(agreements) > 0.75 and np.mean(lost_flip) < 0.5,
    over=f"{len(agreements)} epochs of one video",
)

# %% [markdown]
# Not quite all pixels: at edges the frame is interpolated and the label is not. Had we lost one mirror, most pixels of
# objects would disagree. (Background is left out: it agrees with itself whatever one does.)

# %% [markdown]
# ## Metrics
#
# What this lesson measures, as numbers, and every claim above with what it rests on.

# %% tags=["fold"]
metrics = {
    "worst agreement of frames and labels": min(agreements),
    "agreement if a mirror were lost": np.mean(lost_flip),
    "offset of nearest-exact": max(map(abs, offsets["nearest-exact"])),
    "offset of nearest": max(map(abs, offsets["nearest"])),
    "widest gap in training": int(max(np.diff(row).max() for row in rows[:6])),
}
record("10", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)

# %% tags=["fold"]
assert metrics["widest gap in training"] <= 6

# %% [markdown]
# ## Summary
#
# - Training: random windows, random runs of 1 to 5 frames left out, one crop and one flip per
#   clip. <!-- claim: rises, new_window, follow -->
# - Prediction: frames spread evenly; the rest is interpolated ([lesson 18](18_inference.ipynb)). <!-- claim: even -->
# - Labels are resized by the pixel under the centre, so that they stay where the objects are. <!-- claim: centred -->
#
# Reference: Kini and Shah, 2022, section IV.

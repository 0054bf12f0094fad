# %% [markdown]
# # 09 · Where names come from: places, and why twins meet
#
# **One idea:** a trained network reads an object's tag off its place. On a line of tags two twins that
# change places must meet on the way, whatever the network; with two numbers they need not.
#
# Paper: section II, 'temporally consistent tags' · Time: 30 minutes to read, 25 for the exercises; half a
# minute on two CPU cores
#
# Move the slider: two equal shapes are turned about each other by half a turn. In the middle their tags from
# a network with one number, right from one with two.

# %% tags=["parameters"]
PROFILE = "toy"  # not used in this lesson: the shipped weights bring their own configuration (toy)
SEED = 0  # which twins are turned, and which test videos are looked at
DATA = ""  # not used in this lesson: it turns twins that it draws itself
OUT = ""  # folder for the metrics; empty keeps none

# %% tags=["imports"]
import json
from dataclasses import replace

import numpy as np
from scipy.ndimage import distance_transform_edt

from tagvis_lite.clips import normalise, prepare_frames
from tagvis_lite.course import check, claim, explore, record, show, subplots
from tagvis_lite.course.checks.lesson_09 import check_equal_pose, check_jump, check_number_found
from tagvis_lite.data.toy import Path, ToyConfig, draw_scene, render, toy_split
from tagvis_lite.evaluation.davis import sequence_scores
from tagvis_lite.inference import look, predict_clip
from tagvis_lite.instances import cluster_instances
from tagvis_lite.runs import load_network, shipped
from tagvis_lite.study.oracles import best_order, nearest_true_mean, places
from tagvis_lite.views import play
from tagvis_lite.views.figures import tag_pictures
from tagvis_lite.views.objects import colour_of

# %% tags=["imports"]
NETWORKS = {
    "one number": load_network(shipped("checkpoints/toy.safetensors")),
    "two numbers": load_network(shipped("checkpoints/toy2.safetensors")),
}


# %% tags=["fold"]
def twins(angle, number=6 * SEED, alike=True):
    """A still clip of two shapes, opposite each other at an angle: frames and label maps."""
    kind = ToyConfig(min_instances=2, max_instances=2)
    scene = draw_scene(np.random.default_rng(number), kind)
    nothing, away = np.zeros(2), 0.24 * np.array([np.cos(angle), np.sin(angle)])
    first, second = scene.instances.values()
    drawn = {}
    for n, shape, side in [(1, first, 1), (2, first if alike else second, -1)]:
        path = Path(0.5 + side * away, nothing, np.ones(2), nothing, nothing)
        still = {"angle": 0.0, "spin": 0.0, "stretch": 0.0, "strength": nothing}
        look = replace(shape.look, radius=0.15)
        drawn[n] = replace(shape, look=look, path=path, **still)
    frames, ids = render(replace(scene, instances=drawn), np.zeros(8), kind.size)
    return np.clip(255 * frames + 0.5, 0, 255).astype(np.uint8), ids


# %% tags=["fold"]
def tags_of(name, frames):
    """Tags of a clip from one of the two networks: T x H x W x K."""
    network, config = NETWORKS[name]
    prepared = normalise(prepare_frames(frames, config.data), config.data)
    tags = predict_clip(network, prepared).tags.numpy()
    return tags if tags.ndim == 4 else tags[..., None]


# %% tags=["fold"]
angles = np.linspace(0, np.pi, 25)
turned = [twins(angle) for angle in angles]
pictures, labels = (np.stack([clip[k][0] for clip in turned]) for k in (0, 1))
maps = {name: np.stack([tags_of(name, f)[0] for f, _ in turned]) for name in NETWORKS}

# %% tags=["fold"]
play(
    {
        "twins": pictures,
        "one number": tag_pictures(maps["one number"][..., 0], labels),
        "two numbers": tag_pictures(maps["two numbers"], labels),
    },
    title="Half a turn of twins",  # given: a label
    alt="""Two equal shapes circle each other by half a turn. With one number their shades change
    places with a jump near one angle; with two numbers their colours turn smoothly.""",
    fps=4,
)

# %% [markdown]
# ## What you will learn
#
# You will be able to
#
# - measure what a network's tags are made of, and say which direction of the frame orders them,
# - prove that on a line two twins have equal tags in some pose, and find that pose for a given network,
# - say what a second number changes, and what it leaves as it was.
#
# You need: lessons [02](02_names.ipynb) and [07](07_tagging_loss.ipynb).
#
# Live, in your browser: [turn twins about each other yourself](../docs/live.md)
#
# Previous: [08 · sixty seconds of training](08_sixty_seconds.ipynb) · Next: [10 · clips](10_clips.ipynb)

# %% [markdown]
# ## A question
#
# Two identical discs lie in a picture, one on the left and one on the right. A network that has learnt its
# losses well gives them tags 3 apart. Now turn the pair slowly about its middle, until each lies where the
# other lay.
#
# Write down before you go on: *which disc has the larger tag at the end? What does that say about the way
# there? And which property of a disc could the network have read its tag off in the first place?*

# %% [markdown]
# ## The paper
#
# The paper wants 'well-separated consistent tags per instance'. Its losses say when tags are good; they do
# not say which tag an object gets, and every renaming is as good as another. But a network computes its tags
# from the pixels. What is equal in the pixels gets equal tags.
#
# | symbol | meaning | here |
# |---|---|---|
# | $h_1, h_2$ | mean tags of the two twins | K numbers each |
# | $\theta$ | the angle of the pair | 0 to 180 degrees |
# | $d(\theta) = h_1 - h_2$ | what tells them apart | K numbers |

# %% [markdown]
# ## In code
#
# **First: what are tags made of?** For 24 test videos, the mean tag of each object and the middle of its
# mask, both over the clip, and the same for each frame.


# %%
def objects_of(tags, truth):
    """Mean tags and middles (x, y) of the objects of a clip, then of every frame."""
    names = [n for n in np.unique(truth) if n not in (0, 255)]

    def both(mask, tags):
        return tags[mask].mean(0), np.argwhere(mask)[:, :-3:-1].mean(0) / truth.shape[1]

    of_clip = [both(truth == n, tags) for n in names]
    of_frame = [
        [both(m == n, t) for m, t in zip(truth, tags, strict=True) if (m == n).any()] for n in names
    ]
    return of_clip, of_frame


# %% [markdown]
# Both networks look at the same videos, and we take the truth at the frames that they saw.

# %%
videos = toy_split("test", 24 * (SEED + 1))[24 * SEED :]
seen = {
    name: [look(network, video, config) for video in videos]
    for name, (network, config) in NETWORKS.items()
}
truths = [video.read_ids(s.kept) for video, s in zip(videos, seen["one number"], strict=True)]
found = {
    name: [
        objects_of(s.prediction.tags.numpy().reshape(*truth.shape, -1), truth)
        for s, truth in zip(shown, truths, strict=True)
    ]
    for name, shown in seen.items()
}

# %% [markdown]
# Is there one direction of the frame in which objects lie as their tags do? We try one every three degrees,
# and count pairs of objects of a clip. As a control, the tags of each clip dealt out anew.

# %%
clips = {
    name: [tuple(np.stack(part) for part in zip(*of_clip, strict=True)) for of_clip, _ in all_clips]
    for name, all_clips in found.items()
}
order, degrees = best_order(clips["one number"])
dice = np.random.default_rng(SEED)
dealt, _ = best_order([(dice.permutation(h), where) for h, where in clips["one number"]])

# %% [markdown]
# The same as one number: how much of what differs between tags does a linear map of places explain?

# %%
explained = {name: places(of_clips) for name, of_clips in clips.items()}
pairs = sum(len(h) * (len(h) - 1) // 2 for h, _ in clips["one number"])
print(f"in order along {degrees:.0f} degrees: {order:.0%} of {pairs} pairs; dealt anew {dealt:.0%}")
print({name: f"{share:.0%} of the tags' variance is place" for name, share in explained.items()})

# %% [markdown]
# And does the tag follow an object that moves? We compare two slopes along that direction: from object to
# object, and from frame to frame of one object.

# %%
direction = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def slope(groups):
    """Tag per side of the frame, within groups of (tag, place) pairs."""
    x = np.concatenate(
        [[w @ direction for _, w in g] - np.mean([w @ direction for _, w in g]) for g in groups]
    )
    y = np.concatenate([[h[0] for h, _ in g] - np.mean([h[0] for h, _ in g]) for g in groups])
    return (x * y).sum() / (x * x).sum()


# %% [markdown]
# From object to object, and then within every object from frame to frame:

# %%
across = slope([of_clip for of_clip, _ in found["one number"]])
within = slope([frames for _, by_frame in found["one number"] for frames in by_frame])
print(f"tag per side of the frame: {across:.1f} from object to object, {within:.1f} in one object")

# %% tags=["fold"]
over = f"{pairs} pairs of objects of {len(videos)} videos"
ordered = claim(
    "One direction of the frame orders the tags", order > 0.8 and order > dealt + 0.15, over=over
)

# %% tags=["fold"]
placed = claim(
    "Most of what differs between tags is place, with one number and with two",
    min(explained.values()) > 0.6,
    over=over,
)
held = claim(
    "An object that moves keeps its tag all the same",
    abs(within) < 0.4 * abs(across),
    over=f"{sum(len(h) for h, _ in clips['one number'])} objects, frame by frame",
)

# %% tags=["fold"]
figure, axis = subplots(width=6, height=3)
for h, where in clips["one number"]:
    axis.plot(
        (where - where.mean(0)) @ direction, h[:, 0] - h[:, 0].mean(), "o", markersize=4, alpha=0.6
    )
axis.set(
    xlabel=f"place along {degrees:.0f} degrees, from the clip's middle",
    ylabel="tag, from the clip's mean",
)
axis.set_title(ordered)
show(
    figure,
    alt="""Mean tags of objects against their places along one direction of the frame, a colour for
    each clip: a rising band of dots.""",
)

# %% [markdown]
# So the network sorts objects along one direction, spaces them by the margin and holds them there. That is a
# name: while an object moves a little it stays what it was. But nothing else is in it: not the colour, not
# the shape. <!-- claim: ordered, placed, held -->
#
# **Second: the theorem of the twins.** Turn two twins by half a turn. The picture at the end *is* the
# picture at the beginning, so the tag maps are the same, and each twin now has the tag that the other had:
#
# $$d(180°) = -d(0°).$$
#
# With one number $d$ changes sign. If it depends continuously on the angle, as everything does that a
# network computes, it is zero somewhere in between. **In that pose no clustering can tell the twins apart.**
# No training, no size and no architecture helps. With two numbers $d$ is an arrow; it too ends opposite to
# where it began, but it can *turn* there.

# %% [markdown]
# ## By hand
#
# A network that is all place: tag $= x + 3y$. Twins at $\pm(\cos\theta, \sin\theta)$, so $d = 2(\cos\theta +
# 3 \sin\theta)$: 2 at 0 degrees, 6 at 90, -2 at 180. It is zero where $\tan\theta = -1/3$, at 161.6 degrees.
# With the two numbers $(x, y)$ the arrow $d = 2(\cos\theta, \sin\theta)$ has length 2 at every angle.

# %% tags=["nbval-check-output"]
theta = np.radians([0, 90, 161.565, 180])
line = 2 * (np.cos(theta) + 3 * np.sin(theta))
plane = 2 * np.stack([np.cos(theta), np.sin(theta)])
print((line + 0.0).round(1).tolist(), np.linalg.norm(plane, axis=0).round(1).tolist())

# %% [markdown]
# ## The picture
#
# And the shipped networks? First $d$ for the pair above, at every angle of the slider.


# %%
def difference(name, angle, number=6 * SEED, **options):
    """d of a pair of twins: K numbers."""
    frames, ids = twins(angle, number, **options)
    tags = tags_of(name, frames)
    return tags[ids == 1].mean(0) - tags[ids == 2].mean(0)


# %% [markdown]
# At all angles of the slider, for both networks:

# %%
along = np.array([difference("one number", angle)[0] for angle in angles])
arrow = np.array([difference("two numbers", angle) for angle in angles])

# %% [markdown]
# Then, for five pairs, the pose in which one number fails, by halving: keep the half at whose ends $d$ has
# different signs.


# %%
def equal_pose_of(number, steps=14):
    low, high = 0.0, np.pi
    at_low = difference("one number", low, number)[0]
    for _ in range(steps):
        middle = (low + high) / 2
        here = difference("one number", middle, number)[0]
        low, high = (middle, high) if here * at_low > 0 else (low, middle)
    return middle, here


# %% [markdown]
# Here they are, and $d$ at the start, at a quarter turn and at the end:

# %%
PAIRS = [6 * SEED + k for k in range(5)]
poses = {number: equal_pose_of(number) for number in PAIRS}
ends = {n: [difference("one number", a, n)[0] for a in (0, np.pi / 2, np.pi)] for n in PAIRS}

# %% [markdown]
# What does that cost? We cluster both networks' tags in that pose, and at 90 degrees for comparison, and score the result
# (J&F, lesson [00](00_overview.ipynb)).


# %%
def score_at(name, angle, number):
    """J&F of what the package finds in the clip."""
    network, config = NETWORKS[name]
    frames, truth = twins(angle, number)
    prepared = normalise(prepare_frames(frames, config.data), config.data)
    found = cluster_instances(predict_clip(network, prepared), config.inference)
    return sequence_scores(truth, found.ids).jf_mean.mean()


# %% [markdown]
# And in numbers:

# %%
meeting = {name: [score_at(name, poses[n][0], n) for n in PAIRS] for name in NETWORKS}
upright = {name: [score_at(name, np.pi / 2, n) for n in PAIRS] for name in NETWORKS}
lengths = [np.linalg.norm(difference("two numbers", poses[n][0], n)) for n in PAIRS]
for name in NETWORKS:
    print(
        f"{name}: J&F {np.mean(meeting[name]):.2f} in that pose, {np.mean(upright[name]):.2f} upright"
    )

# %% tags=["fold"]
pairs_over = f"{len(PAIRS)} pairs of twins"
swap = max(abs(start + end) for start, _, end in ends.values())
meet = claim(
    "Half a turn swaps the tags of twins, so on a line they meet",
    swap < 0.01 and max(abs(here) for _, here in poses.values()) < 1.0,
    over=pairs_over,
)

# %% tags=["fold"]
fall = {name: np.mean(upright[name]) - np.mean(meeting[name]) for name in NETWORKS}
lost = claim(
    "Where they meet the score falls, with two numbers it hardly does",
    fall["one number"] > 0.15 and fall["two numbers"] < 0.1,
    over=pairs_over,
)
around = claim(
    "In a plane the difference turns around zero",
    np.linalg.norm(arrow, axis=1).min() > 1 and min(lengths) > 1,
    over=f"{len(angles)} angles and {pairs_over}",
)

# %% tags=["fold"]
figure, (left, right) = subplots(1, 2, width=8, height=3.2)
left.plot(np.degrees(angles), along, "o-", markersize=3)
left.axhline(0, color="black", linewidth=0.8)
left.set(xlabel="angle, degrees", ylabel="d, one number", title="one number")
right.plot(*arrow.T, "o-", markersize=3)
right.plot(0, 0, "+", color="black")
right.set(xlabel="d, first number", ylabel="d, second number", title="two numbers", aspect="equal")
figure.suptitle(f"{meet};\n{around[0].lower()}{around[1:]}")
show(
    figure,
    alt="""Left: the difference of the twins' tags against the angle, far from zero until it jumps
    through zero to the opposite value. Right: the difference as a point in a plane, half way round
    a ring about zero.""",
)

# %% [markdown]
# ## Try it
#
# The slider is the angle again, and below the picture are the tags of all pixels of the twins. Where do the
# two heaps run into each other?


# %%
def at_angle(figure, degree):
    above, below = figure.subplots(2, 1, height_ratios=[2, 1])
    k = int(np.abs(np.degrees(angles) - degree).argmin())
    above.imshow(pictures[k])
    above.set_axis_off()
    for n in (1, 2):
        values = maps["one number"][k][..., 0][labels[k] == n]
        below.hist(values, bins=np.linspace(-8, 8, 60), color=colour_of(n))
    below.set(xlabel="tag", yticks=[])


# %% tags=["fold"]
explore(
    at_angle,
    values=[0.0, 45.0, 90.0, 135.0, 165.0, 172.5, 180.0],
    label="degrees",
    title="Tags by true twin",
    alt="""Pictures of the twins at four angles, each above a histogram of their tags in two colours:
    two heaps apart, which at the last angle have changed sides.""",
    size=(1.8, 2.5),
)

# %% [markdown]
# ## The paper does not say
#
# **How wide is the gap of a line?** A tag that changes from one object to the next passes, at their common
# border, over all values in between. If a third object's name lies there, its colour appears on the border:
# an error of the *ladder*. We take the true foreground and give every pixel to the object with the nearest
# mean tag, so that clustering is perfect, and look at the pixels that still go wrong.


# %%
def takers(truth, named, h):
    """Wrong pixels: to the neighbour, to a third between both in tag, to another third; chance."""
    counts, chance = np.zeros(3, int), np.zeros(2, int)
    table = np.zeros(256)
    table[list(h)] = [value[0] for value in h.values()]
    for labels, given in zip(truth, named, strict=True):
        for n in h:
            wrong, others = (labels == n) & (given != n), (labels > 0) & (labels != n)
            if wrong.any() and others.any():
                y, x = distance_transform_edt(~others, return_distances=False, return_indices=True)
                taker, neighbour = given[wrong], labels[y, x][wrong]
                third = taker != neighbour
                between = (table[taker] - table[n]) * (table[taker] - table[neighbour]) < 0
                counts += [(~third).sum(), (third & between).sum(), (third & ~between).sum()]
                for other in set(h) - {n}:
                    free = neighbour != other
                    inside = (table[other] - table[n]) * (table[other] - table[neighbour]) < 0
                    chance += [(free & inside).sum(), (free & ~inside).sum()]
    return counts, chance


# %% [markdown]
# Counted over all videos, for both networks:

# %%
wrong, by_chance = {}, {}
for name, shown in seen.items():
    wrong[name], by_chance[name] = np.zeros(3, int), np.zeros(2, int)
    for truth, s in zip(truths, shown, strict=True):
        tags = s.prediction.tags.numpy().reshape(*truth.shape, -1)
        h = {int(n): tags[truth == n].mean(0) for n in np.unique(truth) if n not in (0, 255)}
        named = nearest_true_mean(tags, truth > 0, truth)
        counts, chance = takers(truth, named, h)
        wrong[name] += counts
        by_chance[name] += chance
    print(
        f"{name}: neighbour {wrong[name][0]}, third between {wrong[name][1]}, other {wrong[name][2]}"
    )

# %% tags=["fold"]
thirds = {name: counts[1:].sum() / counts.sum() for name, counts in wrong.items()}
between, luck = (c[0] / c.sum() for c in (wrong["one number"][1:], by_chance["one number"]))
pixels = f"{wrong['one number'].sum()} wrong pixels of {len(videos)} videos"

# %% tags=["fold"]
ladder = claim(
    "On a line, what a third object takes it mostly takes from a blend",
    between > 2 * luck,
    over=f"{pixels}, {between:.0%} against {luck:.0%} by chance",
)
fewer = claim(
    "With two numbers a third object takes less than half as large a share",
    thirds["two numbers"] < 0.5 * thirds["one number"],
    over=f"{pixels} with one number, {wrong['two numbers'].sum()} with two",
)

# %% [markdown]
# **What is a second number worth?** ([D23](../docs/decisions.md)) Both shipped networks were trained by one
# recipe; each has a card with its J&F on 64 held-out videos. On it also stands how far a name would get that
# is nothing but each pixel's own place, with the true foreground and perfect clustering.

# %%
cards = {
    name: json.loads(shipped(f"checkpoints/{file}.json").read_text())["test"]
    for name, file in [("one number", "toy"), ("two numbers", "toy2")]
}
worth = {name: 100 * card["davis"]["J&F-Mean"] for name, card in cards.items()}
control = "position, true foreground, nearest true clip mean"
print({name: round(score, 1) for name, score in worth.items()})
print(f"a place for a name: {100 * cards['two numbers']['parts'][control]:.1f}")

# %% tags=["fold"]
second_number = claim(
    "The same recipe with a second number scores higher",
    worth["two numbers"] > worth["one number"] + 3,
    over="the cards of the two shipped networks, 64 videos each",
)

# %% [markdown]
# That is a step beyond the paper, which has one number. And it is a step sideways: with two numbers a tag is
# still mostly a place. <!-- claim: placed -->

# %% [markdown]
# ## Exercise
#
# **1. Predict** (2 minutes). In the pose in which $d = 0$, how many instances does a perfect clustering of
# tags of one number find in the clip of twins?


# %% tags=["exercise"]
def instances_found():
    """How many of the two are found where their tags are equal."""
    ### BEGIN SOLUTION
    return 1
    ### END SOLUTION


# %% tags=["check"]
check(instances_found, check_number_found)

# %% [markdown]
# **2. Code** (10 minutes). Write the search by halving: `gap(angle)` is a continuous function, `low` and
# `high` are angles at which it has different signs. Return an angle at which it is nearly zero, after at
# most 25 calls.
#
# <details><summary>Hint</summary>Of the two halves, one has different signs at its ends. The gap may rise or fall.</details>


# %% tags=["exercise"]
def equal_pose(gap, low, high):
    """An angle between `low` and `high` at which the gap is zero to 1e-4 of the interval."""
    ### BEGIN SOLUTION
    at_low = gap(low)
    for _ in range(20):
        middle = (low + high) / 2
        if gap(middle) * at_low > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
    ### END SOLUTION


# %% tags=["check"]
check(equal_pose, check_equal_pose)

# %% [markdown]
# **3. Break it** (8 minutes). The theorem stands on three legs: equal pictures get equal tags, one number,
# no jumps. Saw off the third: write $d$ for twins at the places $(x_1, y_1)$ and $(x_2, y_2)$ so that it is
# *never* smaller than 3 in size, and changes sign when the two change places. Then explain why a network
# cannot learn it.
#
# <details><summary>Hint</summary>Who is first? And what if both are at the same height?</details>


# %% tags=["exercise"]
def jump(x1, y1, x2, y2):
    """h_1 - h_2 of twins at two different places: at least 3 in size at every pair of places."""
    ### BEGIN SOLUTION
    return 3.0 if (y1, x1) > (y2, x2) else -3.0
    ### END SOLUTION


# %% tags=["check"]
check(jump, check_jump)

# %% [markdown]
# **4. Open.** Twins that move in *space* can be turned about each other in more ways than in a picture: $d$
# is then a continuous function on a sphere of directions, and opposite directions have opposite $d$. How
# many numbers are enough? (Look up the theorem of Borsuk and Ulam.) *Judge your answer*: does it give 2 for
# the plane? Then design a set of videos in which a name that is only a place scores badly, and say how you
# would check that it does.

# %% [markdown]
# ## Quiz
#
# <details><summary>1. Would a larger network, or one that sees more frames, escape the theorem?</summary>
#
# No. It needs only that equal input gives equal output and that nothing jumps. More frames help if the twins
# were in other places *before*: then the clips differ, and so may the tags. <!-- given: the proof above -->
# </details>
#
# <details><summary>2. The two shapes of a pair look different. Does the theorem hold for them?</summary>
#
# No, half a turn gives another picture. But a network whose tags are places swaps them all the same: a sign
# changes from 0 to 180 degrees. <!-- claim: unlike -->
# </details>
#
# <details><summary>3. On the border of two objects a thin line has the colour of a third, far away. Why?</summary>
#
# The third one's tag lies between theirs, and the tag map passes over it on its way from one to the
# other. <!-- claim: ladder -->
# </details>

# %% tags=["fold"]
others = [[difference("one number", a, n, alike=False)[0] for a in (0, np.pi)] for n in PAIRS]
unlike = claim(
    "Different shapes that change places mostly swap their tags too",
    np.mean([start * end < 0 for start, end in others]) > 0.5,
    over=f"{len(PAIRS)} pairs of unlike shapes",
)

# %% [markdown]
# ## In the package
#
# `study.oracles` measures both for any network and any labelled videos. Our slope and its share of the variance are
# two views of one thing: what a linear map of places explains.

# %%
for name in NETWORKS:
    own = [where - where.mean(0) for _, where in clips[name]]
    h = np.concatenate([h - h.mean(0) for h, _ in clips[name]])
    left = h - np.concatenate(own) @ np.linalg.lstsq(np.concatenate(own), h, rcond=None)[0]
    np.testing.assert_allclose(1 - (left**2).sum() / (h**2).sum(), explained[name], rtol=1e-5)

# %% [markdown]
# ## Metrics
#
# What the claims rest on, as numbers.

# %% tags=["fold"]
metrics = {
    "pairs in order along one direction": order,
    "variance of one number that is place": explained["one number"],
    "variance of two numbers that is place": explained["two numbers"],
    "largest |d(0) + d(180)|": swap,
    "shortest arrow with two numbers": min(*lengths, np.linalg.norm(arrow, axis=1).min()),
    "share of wrong pixels to a third, one number": thirds["one number"],
    "share of wrong pixels to a third, two numbers": thirds["two numbers"],
}
record("09", metrics, profile=PROFILE, seed=SEED, data=DATA, out=OUT)
assert all(np.isfinite(value) for value in metrics.values())

# %% [markdown]
# ## Summary
#
# - Tags are places: one direction orders them, and objects that move a little keep
#   theirs. <!-- claim: ordered, placed, held -->
# - On a line twins that change places have equal tags on the way, for every continuous network; there they
#   are lost. <!-- claim: meet, lost -->
# - With two numbers the difference turns around zero, and third objects take fewer pixels on
#   borders. <!-- claim: around, fewer -->
#
# Reference: Kini and Shah, 2022; the Borsuk-Ulam theorem: Matousek, *Using the Borsuk-Ulam Theorem*, 2003.

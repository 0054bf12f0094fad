"""The spatio-temporal tagging loss and the overall loss (section III-E, equations 1 to 7).

Everything is computed for all clips, instances and frames at once. Pixels are gathered into
groups, one per (clip, instance, frame), and each equation is a sum over groups, pairs of groups or
pixels. An instance that is not in a clip, or not in a frame, is an empty group and takes part in
nothing (docs/decisions.md, D12). Background and void pixels belong to no group (D13).

A tag is one number, as in the paper, or a vector of K (D23). Vectors are the last dimension of tags
and of means, [x K] below; |.| is then the Euclidean norm and a square is a squared norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from tagvis_lite.config import LossConfig
from tagvis_lite.video import VOID, Clip, Prediction

Generators = torch.Generator | Sequence[torch.Generator] | None
"""One for all clips, or one for each: then what a clip draws does not depend on its batch."""


@dataclass(frozen=True)
class Losses:
    """The terms of eqs. (6) and (7), each a scalar, a mean over clips and not yet weighted."""

    spectra: Tensor
    specter: Tensor
    tempra: Tensor
    temper: Tensor
    cross_entropy: Tensor
    overall: Tensor
    """The weighted sum of all: what is minimised."""

    def as_dict(self) -> dict[str, float]:
        """The terms as plain numbers, for a log."""
        return {name: float(value.detach()) for name, value in vars(self).items()}


@dataclass(frozen=True)
class InstanceMeans:
    """Mean tags of all instances of B clips: eq. (1) and its per-frame form.

    Attributes:
        h_n: B x N [x K], mean tag of each instance over the whole clip; 0 where absent.
        h_nt: B x N x T [x K], mean tag of each instance in each frame; 0 where absent.
        counts: int64, B x N x T, pixels of each instance in each frame (M of eq. 1, per frame).
        group: int64, B x T x h x w, index of each pixel's group in the flattened B x N x T, or -1.
    """

    h_n: Tensor
    h_nt: Tensor
    counts: Tensor
    group: Tensor

    @property
    def vectors(self) -> bool:
        """Tags are vectors, not numbers."""
        return self.h_nt.ndim > self.counts.ndim

    @property
    def in_frame(self) -> Tensor:
        """bool, B x N x T: the instance has pixels in that frame."""
        return self.counts > 0

    @property
    def in_clip(self) -> Tensor:
        """bool, B x N: the instance has pixels in some frame."""
        return self.in_frame.any(dim=-1)


def instance_means(
    tags: Tensor,
    ids: Tensor,
    background_as_instance: bool = False,
    largest_id: int | None = None,
) -> InstanceMeans:
    """Eq. (1): the mean tag h_n of each instance, over the clip and per frame.

    Args:
        tags: float, B x T x h x w [x K].
        ids: int64, B x T x h x w: 0 background, 1..254 instances, 255 void.
        background_as_instance: count the background as one more instance.
        largest_id: in the batch, where it is known: to ask a GPU for it is to wait for it.

    Returns:
        Means for N = the largest id in the batch (and one more for the background).
    """
    batch, num_frames = ids.shape[:2]
    first = 0 if background_as_instance else 1
    valid = (ids != VOID) & (ids >= first)
    instance = ids - first
    if largest_id is None:
        largest_id = int(torch.where(valid, ids, -1).max())
    num_instances = max(0, largest_id + 1 - first)
    clip = torch.arange(batch, device=ids.device).view(-1, 1, 1, 1)
    frame = torch.arange(num_frames, device=ids.device).view(1, -1, 1, 1)
    group = torch.where(valid, (clip * num_instances + instance) * num_frames + frame, -1)

    shape = (batch, num_instances, num_frames)
    size = batch * num_instances * num_frames
    # Pixels of no group go to one more, which is cut off: to pick the others is to count them,
    # and a processor that counts on a GPU waits for it.
    index = torch.where(valid, group, size).flatten()
    counts = index.new_zeros(size + 1).index_add(0, index, torch.ones_like(index))[:size]
    channels = tags.shape[4:]
    sums = tags.new_zeros(size + 1, *channels).index_add(0, index, tags.flatten(0, 3))[:size]
    counts, sums = counts.view(shape), sums.view(*shape, *channels)
    divisor = counts.view(*shape, *[1] * len(channels))
    return InstanceMeans(
        h_n=sums.sum(2) / divisor.sum(2).clamp(min=1),
        h_nt=sums / divisor.clamp(min=1),
        counts=counts,
        group=group,
    )


def spectra_loss(
    tags: Tensor,
    means: InstanceMeans,
    *,
    h_n: str = "clip",
    reduction: str = "mean",
    pixels_per_instance: int | None = 64,
    generator: Generators = None,
) -> Tensor:
    """Eq. (2), spatial-intra-instance loss: pull the pixels of an instance to its mean.

    Args:
        tags: float, B x T x h x w [x K].
        means: of the same tags.
        h_n: the mean of the whole clip (`clip`) or of the pixel's own frame (`frame`).
        reduction: `sum` over pixels, as printed, or their `mean`; both average over instances.
        pixels_per_instance: M', pixels drawn per instance with replacement; None takes all M.
        generator: source of the draws, on the CPU.

    Returns:
        B values, one per clip; 0 for a clip without instances.
    """
    batch, num_instances, num_frames = means.counts.shape
    targets = means.h_nt if h_n == "frame" else means.h_n.unsqueeze(2).expand_as(means.h_nt)
    targets = targets.flatten(0, 2)
    if pixels_per_instance is None:
        group = means.group.flatten()
        group = torch.where(group >= 0, group, len(targets))
        padded = torch.cat([targets, targets.new_zeros(1, *targets.shape[1:])])
        inside = (means.group >= 0).view(-1, *[1] * (tags.ndim - 4))
        difference = torch.where(inside, padded[group] - tags.flatten(0, 3), 0)
        squared = _squared(difference, means.vectors)
        per_instance = squared.new_zeros(batch * num_instances + 1).index_add(
            0, group // num_frames, squared
        )[:-1]
        terms = means.counts.sum(-1)
    else:
        pixel, drawn = _draw_pixels(means, pixels_per_instance, generator)
        difference = targets[means.group.flatten()[pixel]] - tags.flatten(0, 3)[pixel]
        difference = torch.where(drawn.unsqueeze(-1) if means.vectors else drawn, difference, 0)
        per_instance = _squared(difference, means.vectors).sum(-1)
        terms = torch.full_like(means.counts[..., 0], pixels_per_instance)
    per_instance = per_instance.view(batch, num_instances)
    if reduction == "mean":
        per_instance = per_instance / terms.clamp(min=1)
    return per_instance.sum(-1) / means.in_clip.sum(-1).clamp(min=1)


def _draw_pixels(means: InstanceMeans, number: int, generator: Generators) -> tuple[Tensor, Tensor]:
    """Draw `number` pixels of each instance: flat indices, BN x number, and which are real."""
    batch, num_instances, num_frames = means.counts.shape
    group = means.group.reshape(-1)
    instance = torch.where(group >= 0, group // num_frames, batch * num_instances)
    by_instance = instance.argsort(stable=True)
    available = means.counts.sum(-1).view(-1, 1)
    first = available.cumsum(0) - available
    # Whole numbers: float32 cannot tell all pixels apart and Apple GPUs have no float64. On the
    # CPU, where an instance draws the same however many there are and whatever the device is.
    each = generator if isinstance(generator, Sequence) else [generator] * batch
    draws = [torch.randint(2**31 - 1, (num_instances, number), generator=g) for g in each]
    random = torch.cat(draws).to(group.device)
    place = first + random % available.clamp(min=1)
    return by_instance[place.clamp(max=len(by_instance) - 1)], (available > 0).expand_as(place)


def _squared(difference: Tensor, vectors: bool) -> Tensor:
    """The square of numbers, or the squared norm of vectors in the last dimension."""
    return difference.square().sum(-1) if vectors else difference.square()


def _norm(difference: Tensor, vectors: bool) -> Tensor:
    """|.| of numbers, or of vectors in the last dimension. Its gradient at 0 is 0, never NaN."""
    return torch.linalg.vector_norm(difference, dim=-1) if vectors else difference.abs()


def hinge(distance: Tensor, margin: float) -> Tensor:
    """max(0, G - distance): the penalty of eqs. (3) and (5) for a distance of 0 or more."""
    return (margin - distance).clamp(min=0)


def specter_loss(means: InstanceMeans, *, margin: float = 3.0, reduction: str = "mean") -> Tensor:
    """Eq. (3), spatial-inter-instance loss: push the mean tags of two instances G apart.

    `sum` over pairs n < n', as printed, or their `mean`. Returns B values, one per clip; 0 for a
    clip with fewer than two instances.
    """
    difference = means.h_n.unsqueeze(2) - means.h_n.unsqueeze(1)
    penalty = hinge(_norm(difference, means.vectors), margin)
    together = means.in_clip.unsqueeze(2) & means.in_clip.unsqueeze(1)
    return _over_pairs(penalty.unsqueeze(-1), together.unsqueeze(-1), reduction)


def temper_loss(means: InstanceMeans, *, margin: float = 3.0, reduction: str = "mean") -> Tensor:
    """Eq. (5), temporal-instance-separation loss: push instances G apart within every frame.

    `sum` over pairs and frames, as printed, or their `mean` over the frames both instances are in.
    The 'arbitrary subset' N' is all instances (docs/decisions.md, D11). Returns B values.
    """
    difference = means.h_nt.unsqueeze(2) - means.h_nt.unsqueeze(1)
    penalty = hinge(_norm(difference, means.vectors), margin)
    together = means.in_frame.unsqueeze(2) & means.in_frame.unsqueeze(1)
    return _over_pairs(penalty, together, reduction)


def _over_pairs(penalty: Tensor, together: Tensor, reduction: str) -> Tensor:
    """Sum or mean of `penalty`, B x N x N x T, over pairs n < n' that are `together`."""
    num_instances = penalty.shape[1]
    upper = torch.ones(num_instances, num_instances, device=penalty.device).triu(1).bool()
    counted = together & upper.unsqueeze(-1)
    total = torch.where(counted, penalty, 0).sum((1, 2, 3))
    return total if reduction == "sum" else total / counted.sum((1, 2, 3)).clamp(min=1)


def tempra_loss(means: InstanceMeans, *, reduction: str = "mean") -> Tensor:
    """Eq. (4), temporal-instance-grouping loss: hold an instance's frame means at its clip mean.

    `sum` over frames, as printed, or their `mean` over the frames the instance is in; both average
    over instances. Returns B values; 0 for a clip without instances.
    """
    squared = _squared(means.h_n.unsqueeze(2) - means.h_nt, means.vectors)
    per_instance = torch.where(means.in_frame, squared, 0).sum(-1)
    if reduction == "mean":
        per_instance = per_instance / means.in_frame.sum(-1).clamp(min=1)
    return per_instance.sum(-1) / means.in_clip.sum(-1).clamp(min=1)


def semantic_loss(
    logits: Tensor,
    semantic: Tensor,
    class_weights: tuple[float, ...] | None = None,
    sigmoid: bool = False,
) -> Tensor:
    """L_crossentropy of eq. (7), a mean over the pixels that are not void.

    Args:
        logits: B x c x T x h x w.
        semantic: int64, B x T x h x w; 255 is ignored.
        class_weights: one per class, or None for plain cross-entropy (docs/decisions.md, D21).
        sigmoid: sum the binary cross-entropies of c binary masks, one a class, in place of the
            cross-entropy of a softmax. A class weight is then that of its mask.

    Returns:
        A scalar; 0 when every pixel is void or of weight 0.

    Raises:
        ValueError: a label that is no class, or another number of weights than of classes.
    """
    num_classes = logits.shape[1]
    if class_weights is not None and len(class_weights) != num_classes:
        raise ValueError(
            f"loss.class_weights has {len(class_weights)} values for {num_classes} classes: "
            "give one per class, background first, as many as model.num_classes"
        )
    known = semantic != VOID
    classes = torch.where(known, semantic, 0)
    if on_cpu(semantic) and not ((classes >= 0) & (classes < num_classes)).all():
        strange = classes[(classes < 0) | (classes >= num_classes)]  # a GPU finds them by itself
        raise ValueError(
            f"semantic labels hold class {int(strange[0])}, but logits have classes 0 to "
            f"{num_classes - 1}: check model.num_classes"
        )
    weight = logits.new_tensor(class_weights or (1.0,) * num_classes)
    if sigmoid:
        masks = one_hot(classes, num_classes).to(logits.dtype)
        each = binary_cross_entropy_with_logits(
            logits.movedim(1, -1), masks, weight, reduction="none"
        )
        return torch.where(known, each.sum(-1), 0).sum() / known.sum().clamp(min=1)
    total = cross_entropy(logits, semantic, weight, ignore_index=VOID, reduction="sum")
    terms = torch.where(known, weight[classes], 0).sum()
    return total / torch.where(terms > 0, terms, 1)


def on_cpu(values: Tensor) -> bool:
    """Whether to look at values is free: on a GPU it is to wait for all that went before."""
    return values.device.type == "cpu"


def overall_loss(
    prediction: Prediction,
    clip: Clip,
    config: LossConfig,
    generator: Generators = None,
) -> Losses:
    """Eqs. (6) and (7) on a batch of clips.

    Args:
        prediction: of `clip`, with the leading dimension B.
        clip: with the leading dimension B, labels at the prediction's resolution.
        config: margin, reductions and weights.
        generator: source of the M' random pixels of eq. (2), on the CPU.

    Raises:
        ValueError: labels and prediction of different sizes, or without the dimension B; labels
            or weights that do not fit the classes (see `semantic_loss`).
    """
    if prediction.tags.ndim not in (4, 5):
        raise ValueError(
            f"tags are {tuple(prediction.tags.shape)}, expected B x T x h x w [x K]: "
            "Clip.collate([clip]) makes a batch of one"
        )
    if prediction.tags.shape[:4] != clip.ids.shape:
        raise ValueError(
            f"tags are {tuple(prediction.tags.shape)} but labels {tuple(clip.ids.shape)}: "
            "labels are model.label_stride times smaller than the frames of a clip"
        )
    tags = _full_precision(prediction.tags)
    terms = tagging_terms(tags, clip.ids, config, generator, clip.largest_id)
    semantic = tags.new_zeros(())
    if prediction.semantic_logits is not None:
        logits = _full_precision(prediction.semantic_logits)
        clips = zip(logits.split(1), clip.semantic.split(1), strict=True)
        semantic = torch.stack(
            [semantic_loss(*pair, config.class_weights, prediction.sigmoid) for pair in clips]
        ).mean()
    overall = _weighted(terms, config) + config.cross_entropy * semantic
    return Losses(**terms, cross_entropy=semantic, overall=overall)


def tagging_loss(
    tags: Tensor, ids: Tensor, config: LossConfig, generator: Generators = None
) -> Tensor:
    """Eq. (6), L_tagging: the weighted sum of `tagging_terms`, a scalar. Arguments as there."""
    return _weighted(tagging_terms(tags, ids, config, generator), config)


def tagging_terms(
    tags: Tensor,
    ids: Tensor,
    config: LossConfig,
    generator: Generators = None,
    largest_id: int | None = None,
) -> dict[str, Tensor]:
    """The four terms of eq. (6), each a mean over clips and not yet weighted.

    Args:
        tags: float, B x T x h x w [x K].
        ids: int64, B x T x h x w: 0 background, 1..254 instances, 255 void.
        config: margin, h_n, reduction and pixels per instance.
        generator: source of the M' random pixels of eq. (2), on the CPU.
        largest_id: see `instance_means`.
    """
    means = instance_means(tags, ids, config.background_as_instance, largest_id)
    spectra = spectra_loss(
        tags,
        means,
        h_n=config.h_n,
        reduction=config.reduction,
        pixels_per_instance=config.pixels_per_instance,
        generator=generator,
    )
    specter = specter_loss(means, margin=config.margin, reduction=config.reduction)
    tempra = tempra_loss(means, reduction=config.reduction)
    temper = temper_loss(means, margin=config.margin, reduction=config.reduction)
    terms = {"spectra": spectra, "specter": specter, "tempra": tempra, "temper": temper}
    return {name: term.mean() for name, term in terms.items()}


def _weighted(terms: dict[str, Tensor], config: LossConfig) -> Tensor:
    return (
        config.spectra * terms["spectra"]
        + config.specter * terms["specter"]
        + config.tempra * terms["tempra"]
        + config.temper * terms["temper"]
    )


def _full_precision(values: Tensor) -> Tensor:
    """At least float32: sums over a clip overflow or stall in 16 bits."""
    return values.to(torch.promote_types(values.dtype, torch.float32))

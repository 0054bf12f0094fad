"""Every choice a run can make, and the profiles that name a set of choices.

A profile is a value of these dataclasses, never a second implementation: `toy` fits two CPU
cores, `paper` is sections III and IV of the paper number for number, `smoke` is `toy` cut to a
few steps for tests of the plumbing. Where the paper is silent the choice is a field here and a
row of docs/decisions.md (the numbers D1, D2, ... below).

Every field has its range beside it (tagvis_lite.ranges). A value of another type or out of range is
refused when the config is made, and nothing else in the package checks it again.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from tyro.conf import Suppress  # an option that the command line does not have

from tagvis_lite.ranges import (
    Coefficient,
    Count,
    Deviation,
    Range,
    Ranged,
    Scale,
    Share,
    Weight,
    Width,
    fits,
    hints_of,
    in_words,
    shortened,
)


@dataclass(frozen=True)
class ModelConfig(Ranged):
    """The network of section III; see tagvis_lite.model for what each part does."""

    num_classes: Annotated[int, Range(at_least=2, at_most=255), Suppress] = 41
    """Semantic classes c, background included: 41 for YouTube-VIS, 2 for DAVIS (D17). It is no
    option of a command: the data decide."""
    widths: tuple[Width, Width, Width] = (64, 128, 256)
    """Channels of layer1, layer2, layer3 of the encoder (the stem has those of layer1)."""
    blocks: tuple[Count, Count, Count] = (2, 2, 2)
    """Residual blocks in layer1, layer2, layer3."""
    spatial_strides: tuple[Count, Count, Count, Count, Count] = (2, 2, 1, 2, 2)
    """Of stem, pool after the stem, layer1, layer2, layer3. The paper's H/16 (D1)."""
    pretrained: bool = True
    """Start the encoder from torchvision's Kinetics-400 weights."""
    location_embedding: bool = True
    """Two extra channels, x and y in [-1, 1] (D3)."""
    temporal_dilation: bool = False
    """Where torchvision's encoder strides in time, dilate what follows: features as it has them,
    and at every frame. Otherwise strides are left out and nothing takes their place (D2)."""
    temporal_convolutions: bool = True
    """Without them layer2 and layer3 look at each frame alone, and beyond a few frames attention is
    the only path in time. An experiment, not a reading of the paper."""
    spatio_temporal_attention: Literal[
        "pooled", "literal", "max_pooled", "non_local", "removed"
    ] = "pooled"
    """`pooled` equals `literal` and costs about half; `max_pooled` takes the largest over time
    instead of the mean; `non_local` is the ordinary reading (D4)."""
    tag_attention: Literal["same", "pooled", "literal", "max_pooled", "non_local"] = "same"
    """Of Tag-Based Attention: the `same` as Spatio-Temporal Attention (`pooled` where that is
    removed), or one of its own (D4)."""
    attention_channels: Count = 128
    """Channels of queries and keys after the 1 x 1 convolutions."""
    attention_residual: bool = True
    """Add each attention module's input to its output (D5)."""
    multiplication: Literal["none", "attention", "decoder", "tags"] = "none"
    """Where the element-wise multiplication in the legend of Figure 1 stands: what an attention
    module finds times its input; v_t times w_t, in place of both side by side; tags times the
    probability of foreground (D24)."""
    bottleneck_channels: Count = 512
    """Channels of the bottleneck at half the size of the encoder's map (D6)."""
    feature_channels: Count = 256
    """Channels of q_t, v_t and w_t."""
    upsampling: tuple[Scale, Scale] = (4, 2)
    """Scale of the two layers of the tag generator and of the decoder: 14 to 112 (D7)."""
    head_channels: Count = 64
    """Channels between those two layers."""
    tag_channels: Annotated[int, Range(at_least=1, at_most=4)] = 1
    """K: numbers in a tag. The paper has 1, a point on a line; 2 make it a point in a plane. 4 is
    the largest K whose modes inference can find (D23)."""
    class_activation: Literal["softmax", "sigmoid"] = "softmax"
    """`sigmoid`: every class has a binary mask of its own, trained with binary cross-entropy
    (D21)."""
    tag_range: Literal["unbounded", "sigmoid"] = "unbounded"
    """Sigmoid tags cannot meet a margin of 3 (D8)."""
    tag_branch: Literal["attention", "embedding", "removed"] = "attention"
    """What the decoder sees of the tags: `embedding` drops Tag-Based Attention alone,
    `removed` its connector too (Table III)."""
    feature_branch: Literal["attention", "identity", "removed"] = "attention"
    """What the decoder sees of q_t: `identity` drops Self-Attention alone, `removed` its
    connector too. With both branches removed there is no decoder (Table III, last row)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if math.prod(self.spatial_strides) % math.prod(self.upsampling):
            raise ValueError(
                f"model.spatial_strides make the frames {math.prod(self.spatial_strides)} times "
                f"smaller and model.upsampling makes them {math.prod(self.upsampling)} times "
                "larger: the first must be a multiple of the second"
            )

        decoder_inputs = (self.feature_branch, self.tag_branch)
        if self.multiplication == "decoder" and "removed" in decoder_inputs:
            raise ValueError(
                "model.multiplication is decoder, which multiplies v_t and w_t: keep "
                "model.feature_branch and model.tag_branch"
            )
        if self.multiplication == "tags" and decoder_inputs == ("removed", "removed"):
            raise ValueError(
                "model.multiplication is tags, which takes the foreground from the decoder: keep "
                "model.feature_branch or model.tag_branch"
            )

    @property
    def size_multiple(self) -> int:
        """What H and W of a clip are multiples of: the bottleneck halves the encoder's map."""
        return 2 * math.prod(self.spatial_strides)

    @property
    def label_stride(self) -> int:
        """H / h: how much smaller tags, semantics and labels are than the frames of a clip."""
        return math.prod(self.spatial_strides) // math.prod(self.upsampling)


@dataclass(frozen=True)
class LossConfig(Ranged):
    """Equations (2) to (7)."""

    margin: Annotated[float, Range(above=0)] = 3.0
    """G of eqs. (3) and (5): how far apart the mean tags of two instances are pushed."""
    h_n: Literal["clip", "frame"] = "clip"
    """Over what the mean tag h_n of eq. (2) is taken (D9)."""
    reduction: Literal["mean", "sum"] = "mean"
    """`sum` is eqs. (2) to (5) as printed; `mean` divides by the number of terms (D10)."""
    pixels_per_instance: Count | None = 64
    """M': pixels drawn per instance for eq. (2); None takes all of them (D11)."""
    spectra: Weight = 1.0
    """Weight of eq. (2), which pulls an instance's tags to their mean; the paper's is 1 (D14)."""
    specter: Weight = 1.0
    """Weight of eq. (3), which pushes the mean tags of two instances apart (D14)."""
    tempra: Weight = 1.0
    """Weight of eq. (4), which holds an instance's frame means at its clip mean (D14)."""
    temper: Weight = 1.0
    """Weight of eq. (5), which pushes frame means of different instances apart (D14)."""
    cross_entropy: Weight = 1.0
    """Weight of the semantic loss in eq. (7) (D14)."""
    class_weights: tuple[Weight, ...] | None = None
    """Weights of the semantic classes, background first; None weighs all alike (D21)."""
    background_as_instance: bool = False
    """Tag the background as one more instance, as there must be without a semantic branch (D13)."""


@dataclass(frozen=True)
class DataConfig(Ranged):
    """Clips: what the network is fed (sections III-A and IV)."""

    clip_frames: Count = 32
    """T, the frames of a clip."""
    size: tuple[Count, Count] = (224, 224)
    """H x W of the input clip."""
    max_drop: Annotated[int, Range(at_least=0, at_most=2**31 - 1)] = 5
    """Training drops runs of 1 to `max_drop` consecutive frames (section IV)."""
    drops: Literal["runs", "one_run", "every_gap", "fixed_stride"] = "runs"
    """Where these runs are: between any neighbours of a clip, as many as chance has it; `one_run`
    in a clip; one in `every_gap`; or in every gap and all of one length, a `fixed_stride` (D18)."""
    min_crop: Annotated[float, Range(above=0, at_most=1)] = 0.6
    """Smallest side of a random crop, as a share of the frame's side."""
    crop_shape: Literal["frame", "input"] = "frame"
    """Shape of a random crop: that of the `frame`, squeezed into `size` as whole frames are, or
    that of the `input`, which keeps proportions in training alone (D25)."""
    mean: tuple[Share, Share, Share] = (0.43216, 0.394666, 0.37645)
    """Red, green and blue that count as 0: the mean of Kinetics-400 in torchvision."""
    std: tuple[Deviation, Deviation, Deviation] = (0.22803, 0.22145, 0.216989)
    """What red, green and blue are divided by: the deviations of Kinetics-400 in torchvision."""


@dataclass(frozen=True)
class InferenceConfig(Ranged):
    """Tags to instances, clips to whole videos (section IV; D15, D16, D18, D19)."""

    foreground: Annotated[float, Range(at_least=0, below=1)] = 0.5
    """A pixel is foreground where 1 - p(background) is above this."""
    bandwidth: Annotated[float, Range(above=0)] = 0.75
    """Full width at half maximum, in tag units, of the kernel of the tag density."""
    prominence: Share = 0.3
    """A mode of the density stands this share of its height above the valleys beside it."""
    min_area: Share = 0.002
    """Instances below this share of the clip's pixels are dropped."""
    max_instances: Annotated[int, Range(at_least=1, at_most=253)] = 20
    """Only so many instances of a clip are kept, the largest."""
    score: Literal["probability_and_compactness", "probability"] = "probability_and_compactness"
    """Confidence of an instance: its mean probability, times the share of its tags within one
    bandwidth of their mode or not (D16)."""
    interpolation: Literal["signed_distance", "nearest"] = "signed_distance"
    """How masks reach the frames the network did not see."""
    long_videos: Literal["spread", "windows"] = "spread"
    """What the network sees of a video longer than a clip: one clip of frames `spread` over all of
    it, or overlapping `windows` of it, linked where they overlap (D18)."""
    window_stride: Count = 1
    """Every so many frames of the video is one of a window."""
    trust: tuple[Coefficient, Coefficient, Coefficient, Coefficient] | None = None
    """Weights of the estimate of how far to believe an instance (D27): a constant, valley depth,
    foreground probability and stability in a mirror. None spares a second pass of the network."""


@dataclass(frozen=True)
class TrainConfig(Ranged):
    """The loop (section IV; D20). One step is one optimiser step."""

    epochs: Count = 100
    """Clips drawn from each video: one per epoch."""
    steps: Count | None = None
    """Stop after this many steps instead of after `epochs`."""
    batch_size: Count = 1
    """Clips that a device takes at a time; batch norm goes over those of all devices."""
    accumulate: Count = 1
    """Batches of each device whose gradients are averaged into one step."""
    workers: Annotated[int, Range(at_least=0, at_most=1024)] | None = None
    """Processes per device that read and augment clips; 0 does it between steps. None is 0 on a CPU
    and as many as there are cores, 8 at most, for a GPU."""
    learning_rate: Annotated[float, Range(above=0)] = 1e-4
    """Learning rate of Adam; with `one_cycle` the largest one."""
    schedule: Literal["constant", "warm_up", "one_cycle"] = "constant"
    """`warm_up` rises over a tenth of the steps, 200 at most, and stays; `one_cycle` falls to 0
    along a cosine after it."""
    weight_decay: Weight = 0.0
    """L2 penalty of Adam."""
    clip_gradient: Annotated[float, Range(above=0)] | None = None
    """Largest gradient norm; None leaves gradients alone."""
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Arithmetic of the network; the loss is in float32 always. `auto` is bfloat16 where the
    processor has instructions for it (D20)."""
    average: Annotated[float, Range(at_least=0, below=1)] = 0.0
    """Above 0, a running mean of the weights is validated and kept instead of the last ones; it
    retains this share of itself at every step, such as 0.999 (D28)."""
    encoder_rate: Weight = 1.0
    """Learning rate of the encoder, as a share of `learning_rate` (D28)."""
    frozen_statistics: bool = False
    """Batch norm of the encoder keeps the statistics that it starts with (D28)."""
    best_by: Literal["jf", "ap"] = "jf"
    """Score of validations that chooses the best weights: J&F, or AP, which sees classes (D28)."""
    tf32: bool = False
    """Let a GPU round the factors of float32 products to 10 bits: faster, less exact (D28)."""
    deterministic: bool = False
    """Use algorithms that give the same bits in every run, also on a GPU: slower (D28)."""
    channels_last: bool = True
    """Keep activations in the memory layout that convolutions are fastest in."""
    seed: Annotated[int, Range(at_least=0, at_most=2**32 - 1)] = 0
    """Source of initial weights, order of videos, augmentation and the pixels of eq. (2)."""
    log_every: Count = 20
    """Steps between lines of metrics; loss terms are means over them."""
    validate_every: Count = 1000
    """Steps between validations (J&F); the state is saved before and after."""
    save_every: Count | None = None
    """Steps between savings of the state; None leaves them to time and validations."""
    save_minutes: Annotated[float, Range(above=0)] | None = 10.0
    """Minutes between savings of the state; None leaves them to steps and validations."""
    keep: Count = 1
    """Training states that are kept: the last alone, or as many of the latest."""


SECTIONS: dict[str, type[Ranged]] = {
    "model": ModelConfig,
    "loss": LossConfig,
    "data": DataConfig,
    "inference": InferenceConfig,
    "train": TrainConfig,
}


@dataclass(frozen=True)
class Config:
    """Everything one run needs to know.

    Raises:
        ValueError: an unknown profile, clips of a size that the network cannot take, or windows
            of one frame.
    """

    profile: Literal["toy", "paper", "smoke"]
    """Named set of choices that all other fields start from."""
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    data: DataConfig = field(default_factory=DataConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        profiles = hints_of(Config)["profile"]
        if not fits(self.profile, profiles):
            raise ValueError(
                f"unknown profile {shortened(self.profile)}, expected {in_words(profiles)}"
            )
        if self.inference.long_videos == "windows" and self.data.clip_frames == 1:
            raise ValueError(
                "inference.long_videos is windows, which share frames, and data.clip_frames is 1: "
                "use inference.long_videos spread"
            )
        multiple = self.model.size_multiple
        if any(side % multiple for side in self.data.size):
            raise ValueError(
                f"data.size is {self.data.size}, expected multiples of {multiple}, twice the "
                "product of model.spatial_strides"
            )


PAPER = Config(profile="paper")

TOY = Config(
    profile="toy",
    model=ModelConfig(
        num_classes=5,
        widths=(24, 48, 128),
        blocks=(1, 1, 1),
        spatial_strides=(2, 1, 1, 2, 2),
        pretrained=False,
        attention_channels=64,
        bottleneck_channels=384,
        feature_channels=96,
        upsampling=(2, 4),
        head_channels=64,
    ),
    loss=LossConfig(pixels_per_instance=None, specter=4.0, temper=4.0, cross_entropy=12.0),
    data=DataConfig(clip_frames=8, size=(64, 64), min_crop=0.8),
    inference=InferenceConfig(bandwidth=0.4, prominence=0.1),
    train=TrainConfig(
        steps=1800,
        batch_size=4,
        learning_rate=1e-3,
        schedule="one_cycle",
        clip_gradient=1.0,
        precision="auto",
        validate_every=400,
    ),
)

SMOKE = replace(
    TOY,
    profile="smoke",
    train=replace(TOY.train, steps=4, batch_size=2, validate_every=2),
)

PROFILES: dict[str, Config] = {"toy": TOY, "paper": PAPER, "smoke": SMOKE}


def config_to_dict(config: Config) -> dict[str, Any]:
    """Plain dicts, lists and numbers: what json can hold."""
    return dataclasses.asdict(config)


def config_from_dict(values: Mapping[str, Any]) -> Config:
    """Rebuild a `Config` from `config_to_dict`, possibly read back from json.

    Fields that are not there take the defaults of their section.

    Raises:
        ValueError: what is no config, or a section or field that no config has, as in a file of
            another version or after a typing error, or a value that a field does not take.
    """
    if not isinstance(values, Mapping) or "profile" not in values:
        raise ValueError("not a config: it has no profile name")
    sections = {name: section for name, section in values.items() if name != "profile"}
    _refuse_unknown(sections, SECTIONS, "section of the config")
    return Config(
        profile=values["profile"],
        **{name: _section(name, section) for name, section in sections.items()},
    )


def _section(name: str, values: Any) -> Any:
    if not isinstance(values, Mapping):
        raise ValueError(f"config section {name!r} is {shortened(values)}, expected its fields")
    kind = SECTIONS[name]
    _refuse_unknown(values, hints_of(kind), f"field of config section {name!r}")
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _refuse_unknown(names: Mapping[str, Any], known: Mapping[str, Any], what: str) -> None:
    unknown = ", ".join(repr(name) for name in names if name not in known)
    if unknown:
        raise ValueError(f"{unknown} is no {what}, which are {', '.join(known)}")

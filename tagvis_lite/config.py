"""Every choice a run can make, and the profiles that name a set of choices.

A profile is a value of these dataclasses, never a second implementation: `toy` fits two CPU
cores, `paper` is sections III and IV of the paper number for number, `smoke` is `toy` cut to a
few steps for tests of the plumbing. Where the paper is silent the choice is a field here and a
row of docs/decisions.md (the numbers D1, D2, ... below).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints


class _Section:
    """Base of the sections: a field takes one of its choices, or as many numbers as it has.

    Raises:
        ValueError: names the field, its value and what was expected.
    """

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            value, expected = getattr(self, name), get_args(hint)
            where = f"{type(self).__name__}.{name} is {value!r}"
            if get_origin(hint) is Literal and value not in expected:
                raise ValueError(f"{where}, expected one of {expected}")
            if get_origin(hint) is tuple and (
                not isinstance(value, tuple) or len(value) != len(expected)
            ):
                raise ValueError(f"{where}, expected a tuple of {len(expected)}")


@dataclass(frozen=True)
class ModelConfig(_Section):
    """The network of section III; see tagvis_lite.model for what each part does."""

    num_classes: int = 41
    """Semantic classes c, background included: 41 for YouTube-VIS, 2 for DAVIS (D17)."""
    widths: tuple[int, int, int] = (64, 128, 256)
    """Channels of layer1, layer2, layer3 of the encoder (the stem has those of layer1)."""
    blocks: tuple[int, int, int] = (2, 2, 2)
    """Residual blocks in layer1, layer2, layer3."""
    spatial_strides: tuple[int, int, int, int, int] = (2, 2, 1, 2, 2)
    """Of stem, pool after the stem, layer1, layer2, layer3. The paper's H/16 (D1)."""
    pretrained: bool = True
    """Start the encoder from torchvision's Kinetics-400 weights."""
    location_embedding: bool = True
    """Two extra channels, x and y in [-1, 1] (D3)."""
    spatio_temporal_attention: Literal["pooled", "literal", "non_local", "removed"] = "pooled"
    """`pooled` equals `literal` and costs about half; `non_local` is the ordinary reading
    (D4)."""
    attention_channels: int = 128
    """Channels of queries and keys after the 1 x 1 convolutions."""
    attention_residual: bool = True
    """Add each attention module's input to its output (D5)."""
    bottleneck_channels: int = 512
    feature_channels: int = 256
    """Channels of q_t, v_t and w_t."""
    upsampling: tuple[int, int] = (4, 2)
    """Scale of the two layers of the tag generator and of the decoder: 14 to 112 (D7)."""
    head_channels: int = 64
    """Channels between those two layers."""
    tag_range: Literal["unbounded", "sigmoid"] = "unbounded"
    """Sigmoid tags cannot meet a margin of 3 (D8)."""
    tag_branch: Literal["attention", "embedding", "removed"] = "attention"
    """What the decoder sees of the tags: `embedding` drops Tag-Based Attention alone,
    `removed` its connector too (Table III)."""
    feature_branch: Literal["attention", "identity", "removed"] = "attention"
    """What the decoder sees of q_t: `identity` drops Self-Attention alone, `removed` its
    connector too. With both branches removed there is no decoder (Table III, last row)."""


@dataclass(frozen=True)
class LossConfig(_Section):
    """Equations (2) to (7)."""

    margin: float = 3.0
    """G."""
    h_n: Literal["clip", "frame"] = "clip"
    """Over what the mean tag h_n of eq. (2) is taken (D9)."""
    reduction: Literal["mean", "sum"] = "mean"
    """`sum` is eqs. (2) to (5) as printed; `mean` divides by the number of terms (D10)."""
    pixels_per_instance: int | None = 64
    """M': pixels drawn per instance for eq. (2); None takes all of them (D11)."""
    spectra: float = 1.0
    specter: float = 1.0
    tempra: float = 1.0
    temper: float = 1.0
    cross_entropy: float = 1.0
    """Weights of the terms; the paper has them all at 1 (D14)."""
    class_weights: tuple[float, ...] | None = None
    """Per semantic class, background first (D21)."""
    background_as_instance: bool = False
    """Tag the background as one more instance: needed when there is no semantic branch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pixels_per_instance is not None and self.pixels_per_instance < 1:
            raise ValueError(
                f"LossConfig.pixels_per_instance is {self.pixels_per_instance}, expected 1 or "
                "more, or None for all pixels"
            )


@dataclass(frozen=True)
class DataConfig(_Section):
    """Clips: what the network is fed (sections III-A and IV)."""

    clip_frames: int = 32
    """T."""
    size: tuple[int, int] = (224, 224)
    """H x W of the input clip."""
    label_stride: int = 2
    """H / h: how much smaller tags and semantics are than the input."""
    max_drop: int = 5
    """Training drops runs of 1 to `max_drop` consecutive frames (section IV)."""
    min_crop: float = 0.6
    """Smallest side of a random crop, as a share of the frame's side."""
    mean: tuple[float, float, float] = (0.43216, 0.394666, 0.37645)
    std: tuple[float, float, float] = (0.22803, 0.22145, 0.216989)
    """Normalisation of the Kinetics-400 weights in torchvision."""


@dataclass(frozen=True)
class InferenceConfig(_Section):
    """Tags to instances, clips to whole videos (section IV; D15, D16, D18, D19)."""

    foreground: float = 0.5
    """A pixel is foreground where 1 - p(background) is above this."""
    bandwidth: float = 0.75
    """Full width at half maximum, in tag units, of the kernel of the tag density; a quarter of
    the margin."""
    prominence: float = 0.3
    """A mode of the density stands this share of its height above the valleys beside it."""
    min_area: float = 0.002
    """Instances below this share of the clip's pixels are dropped."""
    max_instances: int = 20
    interpolation: Literal["signed_distance", "nearest"] = "signed_distance"
    """How masks reach the frames the network did not see."""


@dataclass(frozen=True)
class TrainConfig(_Section):
    """The loop (section IV; D20). One step is one optimiser step."""

    epochs: int = 100
    """Clips drawn from each video: one per epoch."""
    steps: int | None = None
    """Stop after this many steps instead of after `epochs`."""
    batch_size: int = 1
    """Clips that a device takes at a time; batch norm goes over those of all devices."""
    accumulate: int = 1
    """Batches of each device whose gradients are averaged into one step."""
    workers: int = 0
    """Processes per device that read and augment clips; 0 does it between steps."""
    learning_rate: float = 1e-4
    schedule: Literal["constant", "one_cycle"] = "constant"
    weight_decay: float = 0.0
    clip_gradient: float | None = None
    """Largest gradient norm; None leaves gradients alone."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    channels_last: bool = True
    """Keep activations in the memory layout that convolutions are fastest in."""
    activation_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: less memory, more
    time (benchmarks/paper_size.py)."""
    compile: bool = False
    """Run the network through `torch.compile`; needs a C++ compiler."""
    seed: int = 0
    validate_every: int = 1000
    """Steps between validations (J&F) and checkpoints."""


@dataclass(frozen=True)
class Config:
    """Everything one run needs to know."""

    profile: str
    """Named set of choices that all other fields start from: toy, paper or smoke."""
    model: ModelConfig = field(default_factory=ModelConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    data: DataConfig = field(default_factory=DataConfig)
    inference: InferenceConfig = field(default_factory=InferenceConfig)
    train: TrainConfig = field(default_factory=TrainConfig)


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
    data=DataConfig(clip_frames=8, size=(64, 64), label_stride=1, min_crop=0.8),
    inference=InferenceConfig(bandwidth=0.4, prominence=0.1),
    train=TrainConfig(
        steps=1800,
        batch_size=4,
        learning_rate=1e-3,
        schedule="one_cycle",
        clip_gradient=1.0,
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

    Raises:
        ValueError: a key no config has (a file of another version, or a typing error), a section
            that is not one, a value that is none of a field's choices, or no profile name.
    """
    sections = {name: type(value) for name, value in vars(PAPER).items()}
    if not isinstance(values, Mapping) or not isinstance(values.get("profile"), str):
        raise ValueError("not a config: it has no profile name")
    unknown = set(values) - set(sections)
    if unknown:
        raise ValueError(f"unknown config sections {sorted(unknown)}; known: {sorted(sections)}")
    rebuilt: dict[str, Any] = {}
    for name, section in values.items():
        if name == "profile":
            rebuilt[name] = section
            continue
        if not isinstance(section, Mapping):
            raise ValueError(f"config section {name!r} is {section!r}, expected fields and values")
        known = {f.name for f in dataclasses.fields(sections[name])}
        if set(section) - known:
            raise ValueError(
                f"unknown fields {sorted(set(section) - known)} in config section {name!r}; "
                f"known: {sorted(known)}"
            )
        rebuilt[name] = sections[name](
            **{k: tuple(v) if isinstance(v, list) else v for k, v in section.items()}
        )
    return Config(**rebuilt)

"""Configs survive json, refuse what they do not know, and their profiles fit together."""

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite.config import (
    PAPER,
    PROFILES,
    Config,
    DataConfig,
    InferenceConfig,
    LossConfig,
    ModelConfig,
    TrainConfig,
    config_from_dict,
    config_to_dict,
)

SECTIONS = ("model", "loss", "data", "inference", "train")


def through_json(config: Config) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(config_to_dict(config)))
    return values


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_survive_json(name: str) -> None:
    config = PROFILES[name]
    assert config.profile == name
    assert config_from_dict(through_json(config)) == config


@settings(max_examples=25, deadline=None)
@given(
    margin=st.floats(allow_nan=False, allow_infinity=False),
    weights=st.none() | st.lists(st.floats(0, 10), max_size=4).map(tuple),
    size=st.tuples(st.integers(1, 999), st.integers(1, 999)),
    attention=st.sampled_from(["pooled", "literal", "non_local", "removed"]),
    seed=st.integers(),
)
def test_any_values_survive_json(
    margin: float,
    weights: tuple[float, ...] | None,
    size: tuple[int, int],
    attention: Any,
    seed: int,
) -> None:
    config = dataclasses.replace(
        PAPER,
        model=ModelConfig(spatio_temporal_attention=attention),
        loss=LossConfig(margin=margin, class_weights=weights),
        data=dataclasses.replace(PAPER.data, size=size),
        train=TrainConfig(seed=seed),
    )
    assert config_from_dict(through_json(config)) == config


def test_a_config_is_hashable_and_cannot_be_changed() -> None:
    rebuilt = config_from_dict(through_json(PAPER))
    assert hash(rebuilt) == hash(PAPER)
    with pytest.raises(dataclasses.FrozenInstanceError):
        rebuilt.train.seed = 1  # type: ignore[misc]


def test_missing_fields_take_their_defaults() -> None:
    values = {"profile": "paper", "loss": {"margin": 1.5}}
    expected = Config(profile="paper", loss=LossConfig(margin=1.5))
    assert config_from_dict(values) == expected


@pytest.mark.parametrize("section", SECTIONS)
def test_an_unknown_field_is_named(section: str) -> None:
    values = through_json(PAPER)
    values[section]["lerning_rate"] = 1
    with pytest.raises(ValueError, match=rf"'lerning_rate'.*{section}"):
        config_from_dict(values)


def test_an_unknown_section_is_named() -> None:
    with pytest.raises(ValueError, match=r"'optimizer'.*'train'"):
        config_from_dict({**through_json(PAPER), "optimizer": {}})


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("value", [None, 3, "pooled", [1, 2]])
def test_a_section_must_hold_fields(section: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"'{section}'"):
        config_from_dict({**through_json(PAPER), section: value})


@pytest.mark.parametrize(
    "values", [{}, [], None, 5, "paper", {"profile": {}}, {"profile": None}, {"model": {}}]
)
def test_what_is_no_config_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="profile"):
        config_from_dict(values)


@pytest.mark.parametrize(
    ("section", "field"),
    [
        (ModelConfig, "spatio_temporal_attention"),
        (ModelConfig, "tag_range"),
        (ModelConfig, "tag_branch"),
        (ModelConfig, "feature_branch"),
        (LossConfig, "h_n"),
        (LossConfig, "reduction"),
        (InferenceConfig, "interpolation"),
        (TrainConfig, "schedule"),
        (TrainConfig, "precision"),
    ],
)
def test_a_misspelt_choice_is_refused(section: Any, field: str) -> None:
    good = getattr(section(), field)
    with pytest.raises(ValueError, match=rf"{section.__name__}\.{field} .*'{good}'"):
        section(**{field: good + "s"})
    with pytest.raises(ValueError, match=rf"{section.__name__}\.{field} "):
        dataclasses.replace(section(), **{field: None})


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [
        (ModelConfig, "widths", (64, 128)),
        (ModelConfig, "spatial_strides", (2, 2, 2)),
        (ModelConfig, "upsampling", (2, 2, 2)),
        (ModelConfig, "blocks", 2),
        (DataConfig, "size", [224, 224]),
        (DataConfig, "mean", ()),
    ],
)
def test_a_tuple_of_another_length_is_refused(section: Any, field: str, value: object) -> None:
    number = len(getattr(section(), field))
    with pytest.raises(ValueError, match=rf"{section.__name__}\.{field} .* tuple of {number}"):
        section(**{field: value})


def test_paper_has_the_numbers_of_sections_3_and_4() -> None:
    assert PAPER.model.pretrained
    assert PAPER.model.widths[-1] + 2 * PAPER.model.location_embedding == 258
    assert PAPER.model.bottleneck_channels == 512
    assert PAPER.model.feature_channels == 256
    assert math.prod(PAPER.model.spatial_strides) == 16
    assert PAPER.data.clip_frames == 32
    assert PAPER.data.max_drop == 5
    assert PAPER.train.learning_rate == 1e-4
    assert PAPER.train.schedule == "constant"
    loss = PAPER.loss
    assert [loss.spectra, loss.specter, loss.tempra, loss.temper, loss.cross_entropy] == [1] * 5


@pytest.mark.parametrize("name", PROFILES)
def test_sizes_of_a_profile_fit_together(name: str) -> None:
    config = PROFILES[name]
    stride = math.prod(config.model.spatial_strides)
    for side in config.data.size:
        assert side % (2 * stride) == 0
        tags = side // stride * math.prod(config.model.upsampling)
        assert tags == side // config.data.label_stride


def test_pixels_per_instance_is_a_number_of_pixels() -> None:
    with pytest.raises(ValueError, match=r"pixels_per_instance is 0, expected 1 or more"):
        LossConfig(pixels_per_instance=0)

"""Configs survive json, refuse what does not fit, and their profiles fit together."""

import ast
import dataclasses
import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tagvis_lite import config as module
from tagvis_lite.config import (
    PAPER,
    PROFILES,
    SECTIONS,
    TOY,
    Config,
    DataConfig,
    LossConfig,
    ModelConfig,
    TrainConfig,
    config_from_dict,
    config_to_dict,
)

FIELDS = [
    (section, name) for section, kind in SECTIONS.items() for name in kind.__dataclass_fields__
]


def through_json(config: Config) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(config_to_dict(config)))
    return values


def with_field(section: str, name: str, value: Any) -> Any:
    """The section of the paper profile with one field changed."""
    return dataclasses.replace(getattr(PAPER, section), **{name: value})


# ---------------------------------------------------------------- every field


def docstrings() -> dict[tuple[str, str], str]:
    """The words below each field in the source."""
    words = {}
    tree = ast.parse(Path(module.__file__).read_text())
    for section, kind in SECTIONS.items():
        (body,) = [n.body for n in tree.body if getattr(n, "name", "") == kind.__name__]
        for before, after in itertools.pairwise(body):
            if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
                assert isinstance(before.target, ast.Name)
                words[section, before.target.id] = ast.literal_eval(after.value)
    return words


@pytest.mark.parametrize(("section", "name"), FIELDS)
def test_every_field_has_words_of_its_own(section: str, name: str) -> None:
    words = docstrings().get((section, name), "")
    assert len(words.split()) >= 4, words
    assert "see above" not in words


def edges(hint: Any) -> Iterator[tuple[list[Any], list[Any]]]:
    """Values just inside and just outside, for each part of a type."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        base, limits = parts[:2]
        step = 1 if base is int else 1e-9
        assert base is int or any(vars(limits).values()) or 0 in vars(limits).values()
        assert base is float or limits.at_least is not None, "an integer has a smallest value"
        inside, outside = [], []
        for limit, way in ((limits.at_least, -1), (limits.at_most, 1)):
            if limit is not None:
                by = limits.multiple_of or step
                inside += [limit, limit - way * by]
                outside += [limit + way * by, limit - way * (by - step)][: 2 if by > 1 else 1]
        for limit, way in ((limits.above, -1), (limits.below, 1)):
            if limit is not None:
                inside.append(limit - way * step)
                outside += [limit, limit + way * step]
        yield inside, [*outside, True, "3", math.nan, math.inf, [3], 2.5 if base is int else None]
    elif kind is Literal:
        yield list(parts), [parts[0].upper(), parts[0] + "s", "", None, 0, [parts[0]]]
    elif kind is tuple:
        number = 3 if parts[-1] is ... else len(parts)
        for inside, outside in edges(parts[0]):
            good = inside[0]
            others = [(), (good,) * (number + 1)] if parts[-1] is not ... else []
            yield (
                [(value,) * number for value in inside],
                [
                    *((good,) * (number - 1) + (value,) for value in outside),
                    *others,
                    [good] * number,
                    good,
                ],
            )
    elif hint is bool:
        yield [True, False], [0, 1, "True", None, 1.0]
    else:  # may be None
        kinds = [part for part in parts if part is not type(None)]
        assert len(kinds) == 1, hint
        for inside, outside in edges(kinds[0]):
            yield [None, *inside], [value for value in outside if value is not None]


@pytest.mark.parametrize(("section", "name"), FIELDS)
def test_every_field_takes_just_inside_its_range_and_refuses_just_outside(
    section: str, name: str
) -> None:
    hint = get_type_hints(SECTIONS[section], include_extras=True)[name]
    for inside, outside in edges(hint):
        for value in inside:
            if (section, name) == ("model", "upsampling"):  # tied to the strides
                value = value if math.prod(value) <= 16 else (2, 2)
            if (section, name) == ("model", "spatial_strides"):
                value = value if math.prod(value) % 8 == 0 else (8, 1, 1, 1, 1)
            assert getattr(with_field(section, name, value), name) == value
        for value in outside:
            with pytest.raises(ValueError, match=rf"^{section}\.{name} is .*, expected ") as caught:
                with_field(section, name, value)
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 300


def test_parts_that_belong_together() -> None:
    with pytest.raises(ValueError, match=r"spatial_strides .* 4 times .*upsampling .* 8 times"):
        ModelConfig(spatial_strides=(2, 2, 1, 1, 1))
    with pytest.raises(ValueError, match=r"data\.size is \(224, 225\), expected multiples of 32"):
        dataclasses.replace(PAPER, data=DataConfig(size=(224, 225)))
    for name in ("Paper", "", "PAPER", None, ["toy"], "huge"):
        with pytest.raises(ValueError, match=r"unknown profile .*toy, paper, smoke"):
            Config(profile=name)  # type: ignore[arg-type]


# ---------------------------------------------------------------- json


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_survive_json(name: str) -> None:
    config = PROFILES[name]
    assert config.profile == name
    assert config_from_dict(through_json(config)) == config


@settings(max_examples=25, deadline=None)
@given(
    margin=st.floats(min_value=1e-300, allow_infinity=False),
    weights=st.none() | st.lists(st.floats(0, 10), max_size=4).map(tuple),
    size=st.tuples(st.integers(1, 99), st.integers(1, 99)),
    attention=st.sampled_from(["pooled", "literal", "non_local", "removed"]),
    seed=st.integers(0, 2**32 - 1),
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
        data=DataConfig(size=(32 * size[0], 32 * size[1])),
        train=TrainConfig(seed=seed),
    )
    assert config_from_dict(through_json(config)) == config


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(field=st.sampled_from(FIELDS), value=JSON)
def test_odd_json_is_a_config_or_one_error_that_names_the_field(
    field: tuple[str, str], value: Any
) -> None:
    section, name = field
    said = ""
    try:
        config = config_from_dict({"profile": "paper", section: {name: value}})
    except ValueError as error:
        said = str(error)
    if said:
        assert section in said
        assert name in said or "data.size" in said
        assert len(said) < 400
    else:
        assert through_json(config)[section][name] == value


@given(values=JSON)
def test_what_is_no_config_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match="profile"):
        config_from_dict(values)


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
def test_what_no_config_has_is_named(section: str) -> None:
    values = through_json(PAPER)
    values[section]["lerning_rate"] = 1
    with pytest.raises(ValueError, match=rf"'lerning_rate'.*{section}"):
        config_from_dict(values)
    with pytest.raises(ValueError, match=r"'optimizer'.*train"):
        config_from_dict({**through_json(PAPER), "optimizer": {}})
    for value in (None, 3, "pooled", [1, 2]):
        with pytest.raises(ValueError, match=f"'{section}'"):
            config_from_dict({**through_json(PAPER), section: value})


# ---------------------------------------------------------------- profiles


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
    assert (PAPER.model.label_stride, TOY.model.label_stride) == (2, 1)

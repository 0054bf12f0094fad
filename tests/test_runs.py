"""Checkpoints: what is saved comes back, and no file can do worse than one clear error."""

import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from tagvis_lite.config import TOY, ModelConfig, config_to_dict
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network, load_state, save_network, save_state, write_json

MODEL = ModelConfig(
    num_classes=3,
    widths=(4, 4, 6),
    blocks=(1, 1, 1),
    spatial_strides=(2, 1, 1, 2, 1),
    pretrained=False,
    attention_channels=4,
    bottleneck_channels=6,
    feature_channels=4,
    upsampling=(2, 2),
    head_channels=4,
)
CONFIG = replace(TOY, model=MODEL)


@pytest.fixture(scope="module")
def network() -> TagVIS:
    torch.manual_seed(0)
    network = TagVIS(MODEL).train()
    network(torch.randn(2, 3, 2, 16, 16))  # moves the running statistics
    return network


@pytest.fixture(scope="module")
def saved(network: TagVIS, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Content of a good file."""
    path = tmp_path_factory.mktemp("saved") / "good.safetensors"
    save_network(path, network, CONFIG)
    return path.read_bytes()


def one_clear_error(load: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        load(path)
    message = str(caught.value)
    assert type(caught.value) is ValueError
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_weights_and_config_come_back(network: TagVIS, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "best.safetensors"
    save_network(path, network, CONFIG)
    random_state = torch.get_rng_state()
    loaded, config = load_network(path)
    assert torch.equal(torch.get_rng_state(), random_state)
    assert config == CONFIG
    assert loaded.config == MODEL
    assert not loaded.training
    assert all(p.requires_grad for p in loaded.parameters())
    expected = network.state_dict()
    assert list(loaded.state_dict()) == list(expected)
    for name, value in loaded.state_dict().items():
        assert value.dtype == expected[name].dtype
        assert value.device == expected[name].device
        assert torch.equal(value, expected[name]), name


def test_a_loaded_network_predicts_and_trains_like_the_saved_one(
    network: TagVIS, saved: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "best.safetensors"
    path.write_bytes(saved)
    loaded, _ = load_network(path)
    path.write_bytes(b"\0" * len(saved))  # the loaded weights are not a view of the file
    original = TagVIS(MODEL).eval()
    original.load_state_dict(network.state_dict())
    frames = torch.randn(1, 3, 2, 16, 16)
    a, b = loaded(frames), original(frames)
    assert torch.equal(a.tags, b.tags)
    assert torch.equal(a.semantic_logits, b.semantic_logits)
    loaded.train()(frames).tags.sum().backward()


def test_channels_last_and_pretrained_networks_can_be_saved(
    network: TagVIS, tmp_path: Path
) -> None:
    config = replace(CONFIG, model=replace(MODEL, pretrained=True))
    path = tmp_path / "best.safetensors"
    converted = TagVIS(MODEL)
    converted.load_state_dict(network.state_dict())
    save_network(path, converted.to(memory_format=torch.channels_last_3d), config)
    loaded, read = load_network(path)
    assert read == config, "the config is what was asked for"
    assert not loaded.config.pretrained, "but loading a checkpoint downloads nothing"
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for load in (load_network, load_state):
        for path in (tmp_path / "absent", tmp_path):
            with pytest.raises(FileNotFoundError, match=str(path)):
                load(path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80", b"\xff" * 64, b"{}" * 9, b"PK\3\4.."])
def test_foreign_files_give_one_clear_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(content)
    for load in (load_network, load_state):
        one_clear_error(load, path)


@pytest.fixture(scope="module")
def good_files(saved: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Content of weights and of a training state."""
    path = tmp_path_factory.mktemp("state") / "last.pt"
    save_state(path, {"step": 7, "network": {"weight": torch.arange(12.0)}})
    return {"weights": saved, "state": path.read_bytes()}


LOADS: dict[str, Callable[[Path], object]] = {"weights": load_network, "state": load_state}


@pytest.mark.parametrize("kind", LOADS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_truncated_or_damaged_file_loads_or_gives_one_clear_error(
    kind: str,
    data: st.DataObject,
    good_files: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Of weights the header is damaged: a bit in a weight is another weight."""
    content, path = bytearray(good_files[kind]), tmp_path_factory.mktemp("bad") / "file"
    if data.draw(st.booleans()):
        path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        one_clear_error(LOADS[kind], path)
    end = len(content) if kind == "state" else 8 + int.from_bytes(content[:8], "little")
    for position in data.draw(st.lists(st.integers(0, end - 1), min_size=1, max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        LOADS[kind](path)
    except ValueError:
        one_clear_error(LOADS[kind], path)


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("as_torch_file", [True, False])
def test_a_malicious_pickle_is_never_executed(as_torch_file: bool, tmp_path: Path) -> None:
    path, marker = tmp_path / "last.pt", tmp_path / "executed"
    if as_torch_file:
        torch.save({"step": Malicious(marker)}, path)
    else:
        path.write_bytes(pickle.dumps({"step": Malicious(marker)}, protocol=2))
    for load in (load_network, load_state):
        one_clear_error(load, path)
        assert not marker.exists()
    torch.load(path, weights_only=False) if as_torch_file else pickle.loads(path.read_bytes())
    assert marker.exists(), "the trap itself works"


def write_with(path: Path, content: bytes, tensors: dict[str, Any] | None, config: Any) -> None:
    """The good file again, with other tensors (None: the same) or another config."""
    original = path.with_name("original")
    original.write_bytes(content)
    with safe_open(original, framework="pt") as file:
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    metadata = None if config is None else {"config": config}
    save_file(kept if tensors is None else tensors, path, metadata)


@pytest.mark.parametrize("config", [None, "", "{", "[]", "null", "3", '"paper"', "{}", "[[]]"])
def test_weights_without_our_config_give_one_clear_error(
    config: str | None, saved: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "best.safetensors"
    write_with(path, saved, None, config)
    one_clear_error(load_network, path)


def changed(**sections: Any) -> str:
    values = config_to_dict(CONFIG)
    return json.dumps({**values, **sections})


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (changed(future={}), "future"),
        (changed(model={**asdict(MODEL), "future": 1}), "future"),
        (changed(model={**asdict(MODEL), "tag_branch": "atention"}), "atention"),
        (changed(model={**asdict(MODEL), "feature_channels": 8}), "size mismatch"),
        (changed(model={**asdict(MODEL), "tag_branch": "removed"}), "tag_attention"),
        (changed(model={**asdict(MODEL), "blocks": (2, 1, 1)}), "layer1.1"),
        (changed(model={**asdict(MODEL), "widths": (4, 4)}), "widths"),
        (changed(model={**asdict(MODEL), "bottleneck_channels": 10**8}), "size mismatch"),
    ],
)
def test_weights_of_another_config_give_one_clear_error(
    config: str, named: str, saved: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "best.safetensors"
    write_with(path, saved, None, config)
    assert named in one_clear_error(load_network, path)


@pytest.mark.parametrize("more", [True, False])
def test_a_missing_or_an_unknown_tensor_is_named(
    more: bool, network: TagVIS, saved: bytes, tmp_path: Path
) -> None:
    tensors = dict(network.state_dict())
    if more:
        tensors["encoder.extra.weight"] = torch.zeros(3)
    else:
        del tensors["decoder.layers.0.weight"]
    path = tmp_path / "best.safetensors"
    write_with(path, saved, tensors, json.dumps(config_to_dict(CONFIG)))
    name = "encoder.extra.weight" if more else "decoder.layers.0.weight"
    assert name in one_clear_error(load_network, path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(field=st.sampled_from(sorted(asdict(MODEL))), value=json_values)
def test_any_value_of_a_model_field_loads_or_gives_one_clear_error(
    field: str, value: Any, saved: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("value") / "best.safetensors"
    write_with(path, saved, None, changed(model={**asdict(MODEL), field: value}))
    try:
        load_network(path)
    except ValueError:
        one_clear_error(load_network, path)


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], 5, None])
def test_a_torch_file_of_something_else_gives_one_clear_error(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    torch.save(content, path)
    one_clear_error(load_state, path)


@pytest.mark.parametrize("what", ["weights", "state"])
def test_saving_what_cannot_be_saved_keeps_the_old_checkpoint(
    what: str, network: TagVIS, saved: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(saved)
    unsaveable = replace(CONFIG)
    object.__setattr__(unsaveable, "profile", lambda: None)
    save = {
        "weights": lambda: save_network(path, network, unsaveable),
        "state": lambda: save_state(path, {"step": 1, "function": lambda: None}),
    }[what]
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        save()
    assert path.read_bytes() == saved
    assert list(tmp_path.iterdir()) == [path]


def test_half_precision_halves_the_file_and_comes_back_as_float32(tmp_path: Path) -> None:
    network = TagVIS(CONFIG.model)
    save_network(tmp_path / "full.safetensors", network, CONFIG)
    save_network(tmp_path / "half.safetensors", network, CONFIG, half=True)
    sizes = {name: (tmp_path / f"{name}.safetensors").stat().st_size for name in ("full", "half")}
    assert sizes["half"] < 0.75 * sizes["full"]
    loaded, _ = load_network(tmp_path / "half.safetensors")
    for (name, value), expected in zip(
        loaded.state_dict().items(), network.state_dict().values(), strict=True
    ):
        assert value.dtype == expected.dtype, name
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on files")
@pytest.mark.parametrize("write", ["network", "state", "text"])
def test_a_full_disk_is_one_line_that_names_the_file(write: str, tmp_path: Path) -> None:
    """A limit on the size of files stops a write half way, as a full disk does."""
    import resource

    path = tmp_path / "file"
    path.write_text("before")
    writes: dict[str, Callable[[], object]] = {
        "network": lambda: save_network(path, TagVIS(TOY.model), TOY),
        "state": lambda: save_state(path, {"step": 1, "weights": torch.randn(100_000)}),
        "text": lambda: write_json(path, "x" * 100_000),
    }
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match="file") as caught:
            writes[write]()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "before"
    assert [left.name for left in tmp_path.iterdir()] == ["file"]

"""An exported file computes what torch computes, says what it is, and is not kept otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_network import SIZE, TINY, save_tiny

from tagvis_lite.__main__ import main
from tagvis_lite.commands import export as exporting
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network, save_network, shipped

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")
pytest.importorskip("onnxscript", reason="the extra `export` is not installed")


def session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, (*shape, 3), np.uint8)


def in_torch(checkpoint: Path, frames: np.ndarray) -> list[np.ndarray]:
    """Tags and logits of frames that are normalised here, not by the code that exports."""
    network, config = load_network(checkpoint)
    mean, std = (np.array(v, np.float32) for v in (config.data.mean, config.data.std))
    clip = ((frames / np.float32(255) - mean) / std).transpose(3, 0, 1, 2)
    with torch.inference_mode():
        prediction = network(torch.from_numpy(np.ascontiguousarray(clip))[None])
    return [prediction.tags[0].numpy(), prediction.semantic_logits[0].numpy()]


@pytest.mark.parametrize("half", [False, True])
def test_the_shipped_network_is_the_same_in_onnxruntime(tmp_path: Path, half: bool) -> None:
    out, weights = tmp_path / "toy.onnx", shipped("checkpoints/toy.safetensors")
    exporting.export(weights, out, half=half)
    frames = noise(8, 64, 64)
    found = session(out).run(["tags", "logits"], {"frames": frames})
    for values, wanted in zip(found, in_torch(weights, frames), strict=True):
        np.testing.assert_allclose(values, wanted, atol=1e-4)
    assert out.stat().st_size < (8e6 if half else 15e6)


def test_another_length_and_size(tmp_path: Path) -> None:
    weights, out = save_tiny(tmp_path / "tiny.safetensors"), tmp_path / "tiny.onnx"
    main(["export", str(weights), "--out", str(out), "--clip-frames", "3", "--size", "32", "64"])
    frames = noise(3, 32, 64)
    found = session(out).run(["tags", "logits"], {"frames": frames})
    for values, wanted in zip(found, in_torch(weights, frames), strict=True):
        np.testing.assert_allclose(values, wanted, atol=1e-4)


@pytest.mark.parametrize("form", ["pooled", "non_local"])
def test_attention_maps(tmp_path: Path, form: Any) -> None:
    """They are weights, and with the values they make what the module makes of its input."""
    config = replace(TINY, model=replace(TINY.model, spatio_temporal_attention=form))
    torch.manual_seed(0)
    network = TagVIS(config.model).eval()
    save_network(tmp_path / "w.safetensors", network, config)
    card = exporting.export(tmp_path / "w.safetensors", tmp_path / "w.onnx", attention=True)
    names = ["spatio_temporal_attention", "self_attention", "tag_attention"]
    assert list(card["outputs"]) == ["tags", "logits", *names]
    found = session(tmp_path / "w.onnx").run(names, {"frames": noise(4, SIZE, SIZE)})
    maps = dict(zip(names, found, strict=True))

    seen: dict[str, torch.Tensor] = {}
    module = network.self_attention
    assert module is not None
    module.register_forward_hook(lambda _, args, out: seen.update(inputs=args[0], outputs=out))
    frames = torch.from_numpy(noise(4, SIZE, SIZE)).permute(3, 0, 1, 2) / 255
    mean, std = (torch.tensor(v).view(3, 1, 1, 1) for v in (config.data.mean, config.data.std))
    with torch.inference_mode():
        network(((frames - mean) / std)[None])
        value = module.value(seen["inputs"]).flatten(3)[0].permute(1, 2, 0)  # T x S x d
        mixed = (torch.from_numpy(maps["self_attention"]) @ value).permute(2, 0, 1)
        again = module.project(mixed.unflatten(2, seen["inputs"].shape[-2:])[None])
    torch.testing.assert_close(again + seen["inputs"], seen["outputs"], atol=1e-4, rtol=1e-4)
    cells = (SIZE // 8) ** 2
    for name in ("spatio_temporal_attention", "tag_attention"):
        assert maps[name].shape == (4, cells, 4, cells)
        total = maps[name].sum((2, 3)) if form == "non_local" else maps[name].sum(3)
        np.testing.assert_allclose(total, 1, atol=1e-4)


def test_the_file_holds_its_card(tmp_path: Path) -> None:
    weights = save_tiny(tmp_path / "tiny.safetensors")
    card = exporting.export(weights, tmp_path / "tiny.onnx", half=True)
    stored = session(tmp_path / "tiny.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(stored[exporting.CARD]) == card
    assert card["frames_shape"] == [4, SIZE, SIZE, 3]
    assert card["outputs"] == {"tags": [4, SIZE, SIZE], "logits": [5, 4, SIZE, SIZE]}
    assert card["stored_in"] == "float16"
    assert 0 < card["rounding"] < 0.1  # random weights are not exact in float16


def test_a_file_that_differs_from_torch_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, out = save_tiny(tmp_path / "tiny.safetensors"), tmp_path / "tiny.onnx"
    out.write_text("earlier")
    store = exporting._store_in_half

    def spoil(graph: Any) -> None:
        store(graph)
        weights = next(tensor for tensor in graph.initializer if "stem.0.weight" in tensor.name)
        weights.raw_data = bytes(len(weights.raw_data))

    monkeypatch.setattr(exporting, "_store_in_half", spoil)
    with pytest.raises(SystemExit, match="2"):
        main(["export", str(weights), "--out", str(out), "--half"])
    assert "differs from torch" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["tiny.onnx"]
    assert out.read_text() == "earlier"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--size", "30", "32"], "multiples of"),
        (["--clip-frames", "0"], "hold nothing"),
        (["--out", "file.bin"], "ends in .onnx"),
    ],
)
def test_what_cannot_be_exported(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = save_tiny(tmp_path / "tiny.safetensors")
    with pytest.raises(SystemExit, match="2"):
        main(["export", str(weights), "--out", str(tmp_path / "a.onnx"), *options])
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("*.onnx"))

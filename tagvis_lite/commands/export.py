"""One checkpoint as one ONNX file, for programs and pages that have no torch.

The file takes frames as they are decoded, uint8, and holds the normalisation, so that whoever runs
it needs nothing of this package. It is checked against torch before it is kept.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tyro.conf import Positional

from tagvis_lite.atomic import replacing
from tagvis_lite.checkpoint import weights_file
from tagvis_lite.commands.check import folder_problems, refuse
from tagvis_lite.commands.extras import needs
from tagvis_lite.commands.options import Checkpoint
from tagvis_lite.config import Config
from tagvis_lite.model.attention import Attention, attention_maps
from tagvis_lite.model.network import TagVIS
from tagvis_lite.runs import load_network

TOLERANCE = 1e-3
"""Largest difference from torch, as a share of the largest value of an output."""

CARD = "tagvis_lite"
"""Key of the card, as json, among the metadata of the file."""


class Exported(nn.Module):
    """What the file computes: uint8 frames T x H x W x 3 to tags, logits and, if asked, maps.

    Args:
        network: a `TagVIS`; a copy of it is used.
        config: of the network; the mean and standard deviation of its data are used.
        attention: give the attention maps too (`names` lists which).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: TagVIS, config: Config, attention: bool = False) -> None:
        super().__init__()
        self.network = deepcopy(network).eval()
        self.register_buffer("mean", torch.tensor(config.data.mean).view(3, 1, 1, 1))
        self.register_buffer("std", torch.tensor(config.data.std).view(3, 1, 1, 1))
        self.inputs: dict[str, Tensor] = {}  # of each attention module, in the pass at hand
        self.names = ["tags"] + ["logits"] * (network.decoder is not None)
        for path, module in self.network.named_modules():
            if attention and isinstance(module, Attention):
                name = path.split(".")[0]
                self.names.append(name)
                module.register_forward_pre_hook(
                    lambda _, args, name=name: self.inputs.__setitem__(name, args[0])
                )
        for module in self.network.modules():
            if isinstance(module, nn.Conv3d) and module.bias is None:
                # onnxruntime folds a batch norm into the convolution before it, if that has a bias
                module.bias = nn.Parameter(torch.zeros(module.out_channels))

    def forward(self, frames: Tensor) -> tuple[Tensor, ...]:
        """All of `names`, without a batch dimension."""
        clip = frames.permute(3, 0, 1, 2).to(torch.float32) / 255
        prediction = self.network(((clip - self.mean) / self.std)[None])
        outputs = [prediction.tags[0]]
        if prediction.semantic_logits is not None:
            outputs.append(prediction.semantic_logits[0])
        for name in self.names[len(outputs) :]:
            outputs.append(asked_maps(self._attention(name), self.inputs[name])[0])
        return tuple(outputs)

    def _attention(self, name: str) -> Attention:
        module = getattr(self.network, name)
        attention: Attention = module if isinstance(module, Attention) else module.attention
        return attention


def asked_maps(module: Attention, features: Tensor) -> Tensor:
    """Where each position looks.

    Args:
        module: one of the three.
        features: its input, B x C x T x h x w.

    Returns:
        B x T (asks) x S x T (answers) x S, S = h w, of sum 1 over the last axis; B x T x S x S
        where each frame asks itself; of sum 1 over the last two axes where a position asks the
        whole clip (`non_local`).
    """
    query, key = (
        projection(features).flatten(3).permute(0, 2, 3, 1)  # B x T x S x d
        for projection in (module.query, module.key)
    )
    scale = query.shape[-1] ** -0.5
    if module.form == "per_frame":
        return (query * scale @ key.mT).softmax(dim=-1)
    if module.form == "non_local":
        scores = (query.flatten(1, 2) * scale) @ key.flatten(1, 2).mT
        return scores.softmax(dim=-1).unflatten(2, key.shape[1:3]).unflatten(1, query.shape[1:3])
    return attention_maps(query, key).permute(0, 2, 3, 1, 4)


def export(
    checkpoint: Positional[Checkpoint],
    out: Path,
    clip_frames: int | None = None,
    size: tuple[int, int] | None = None,
    attention: bool = False,
    half: bool = False,
) -> dict[str, Any]:
    """Write a checkpoint as one ONNX file, for programs without torch (docs/deploy.md).

    Args:
        out: the file, FILE.onnx; kept only if onnxruntime gets what torch gets.
        clip_frames: frames of a clip; those of the training when not given.
        size: height and width of the frames; those of the training when not given.
        attention: add the maps of the three attention modules to the outputs.
        half: store weights in float16, for a file of half the size; it computes in float32.

    Returns:
        The card of the file, which it holds as well.

    Raises:
        ValueError: the extra `export` is not installed, a size that the network does not take, or a
            file that differs from torch by more than `TOLERANCE`.
    """
    if out.suffix != ".onnx":
        raise ValueError(f"{out}: give the file a name that ends in .onnx")
    with needs("export"):
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    refuse(folder_problems(out.parent))
    weights = weights_file(checkpoint)
    network, config = load_network(weights)
    length = config.data.clip_frames if clip_frames is None else clip_frames
    shape = (length, *(size or config.data.size), 3)
    if min(shape) < 1:
        raise ValueError(f"frames of shape {shape} hold nothing: give larger numbers")
    module = Exported(network, config, attention)
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    with torch.inference_mode():
        exact = expected = dict(zip(module.names, module(frames), strict=True))
        if half:
            for parameter in module.parameters():
                if parameter.ndim > 1:
                    parameter.copy_(parameter.half())
            expected = dict(zip(module.names, module(frames), strict=True))
    with replacing(out) as temporary:
        _write(module, frames, temporary, half)
        difference = _difference_from_torch(temporary, frames, expected)
        card: dict[str, Any] = {
            "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "profile": config.profile,
            "frames": "uint8, T x H x W x 3: RGB as decoded, 0 to 255, resized to H x W",
            "frames_shape": list(shape),
            "outputs": {name: list(value.shape) for name, value in expected.items()},
            "classes": config.model.num_classes,
            "class_activation": config.model.class_activation,
            "foreground": config.inference.foreground,
            "bandwidth": config.inference.bandwidth,
            "prominence": config.inference.prominence,
            "min_area": config.inference.min_area,
            "max_instances": config.inference.max_instances,
            "stored_in": "float16" if half else "float32",
            "rounding": max(float((expected[k] - exact[k]).abs().max()) for k in exact),
            "difference_from_torch": difference,
        }
        _add_card(temporary, card)
    size_mb = out.stat().st_size / 1e6
    print(f"{out}: {size_mb:.1f} MB, differs from torch by {difference:.0e} of the largest value")
    for name, sides in {"frames": shape, **card["outputs"]}.items():
        print(f"  {name}: {' x '.join(map(str, sides))}")
    return card


def _write(module: Exported, frames: Tensor, path: Path, half: bool) -> None:
    import onnx
    from onnxscript import optimizer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        program = torch.onnx.export(
            module,
            (frames,),
            dynamo=True,
            optimize=False,
            input_names=["frames"],
            output_names=module.names,
            verbose=False,
        )
    assert program is not None
    # Not `optimize=True`: it folds batch norms into weights, which then are no longer the
    # checkpoint's and no longer exact in float16. onnxruntime folds them when it loads the file.
    optimizer.inline(program.model)
    optimizer.fold_constants(program.model)
    optimizer.remove_unused_nodes(program.model)
    model = program.model_proto
    if half:
        _store_in_half(model.graph)
    onnx.save(model, path)


def _store_in_half(graph: Any) -> None:
    """Keep float32 weights as float16, with a node before all others that casts them back."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for tensor in graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2:
            continue
        values, name = numpy_helper.to_array(tensor), tensor.name
        rounded = values.astype(np.float16)
        if (rounded == values).all():
            tensor.CopyFrom(numpy_helper.from_array(rounded, f"{name}.half"))
            casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _difference_from_torch(path: Path, frames: Tensor, expected: dict[str, Tensor]) -> float:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(list(expected), {"frames": frames.numpy()})
    largest = 0.0
    for (name, wanted), values in zip(expected.items(), found, strict=True):
        scale = float(wanted.abs().max()) or 1.0
        difference = float(np.abs(values - wanted.numpy()).max()) / scale
        if not difference <= TOLERANCE:
            raise ValueError(
                f"output {name} of the ONNX file differs from torch by {difference:.1e}, more than "
                f"{TOLERANCE:.0e}: nothing was written; please report it with your versions of "
                f"torch ({torch.__version__}) and onnxruntime ({onnxruntime.__version__})"
            )
        largest = max(largest, difference)
    return largest


def _add_card(path: Path, card: dict[str, Any]) -> None:
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {CARD: json.dumps(card)})
    onnx.save(model, path)

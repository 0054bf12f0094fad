"""Figures 1 to 4 of the paper, drawn from a network: its parts, the paper's letters, real shapes.

Shapes are measured by a forward pass on the meta device, which has sizes and no numbers; so a
diagram is right for any configuration, and a part that is removed is drawn as removed.
"""

from __future__ import annotations

import html
from dataclasses import replace
from typing import Any, Literal

import torch

from tagvis_lite.config import Config
from tagvis_lite.model.network import TagVIS
from tagvis_lite.views.picture import Picture, alternative_text

FILL = {"encoder": "#dbe9f4", "attention": "#fde3c8", "tags": "#d3eee2", "decoder": "#eadcea"}
STYLE = (
    "text{font-family:DejaVu Sans,Verdana,sans-serif;font-size:12px;fill:#222;text-anchor:middle}"
    ".s{font-size:10px;fill:#444}.l{font-style:italic;font-weight:bold;font-size:14px}"
    "rect{stroke:#444;rx:6}.gone{fill:none;stroke-dasharray:4 3}path{stroke:#444;fill:none}"
)
Which = Literal["spatio_temporal", "self", "tag"]


def shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """Shape of what flows in the network, by the paper's letters; C x T x h x w each.

    `I` are the frames and `O` the semantic logits; a letter whose part is removed is missing.
    Keys such as `tag_attention.query` are outputs of the modules of that name.
    """
    found: dict[str, tuple[int, ...]] = {}

    def note(name: str) -> Any:
        return lambda _module, _inputs, output: found.update({name: tuple(output.shape[1:])})

    with torch.device("meta"):
        network = TagVIS(replace(config.model, pretrained=False)).eval()
        for name, module in [*network.named_modules()][1:]:
            module.register_forward_hook(note(name))
        frames = torch.empty(1, 3, config.data.clip_frames, *config.data.size)
        with torch.no_grad():
            network(frames)
    inputs = {"I": tuple(frames.shape[1:]), "f": found["spatio_temporal_attention"]}
    letters = {
        "u": "spatio_temporal_attention",
        "q": "bottleneck",
        "p": "tag_generator",
        "v": "self_attention",
        "w": "tag_attention",
        "O": "decoder",
    }
    return {**found, **inputs, **{a: found[name] for a, name in letters.items() if name in found}}


def draw_network(config: Config) -> Picture:
    """Figure 1: from the frames to tags p and semantic masks O."""
    model, shape = config.model, shapes(config)
    coordinates = "with x and y" if model.location_embedding else ""
    attended = model.spatio_temporal_attention != "removed"
    parts = [
        _box(70, 90, 92, 56, "Encoder", "ResNet (2+1)D", "encoder"),
        _box(250, 90, 108, 56, "Spatio-Temporal", "Attention", "attention", attended),
        _box(444, 90, 92, 56, "Bottleneck", "half size, back", "encoder"),
        _box(620, 20, 96, 56, "Tag", "Generator", "tags"),
        _box(620, 120, 96, 56, "Tag-Based", "Attention", "attention", "w" in shape),
        _box(620, 220, 96, 56, "Self-", "Attention", "attention", "v" in shape),
        _box(790, 170, 92, 56, "Decoder", "to classes", "decoder", "O" in shape),
        _arrow("M20 118L70 118", 36, 85, "I", shape["I"]),
        _arrow("M162 118L250 118", 206, 72, "f", shape["f"], coordinates),
        _arrow("M358 118L444 118", 401, 85, "u", shape["u"]),
        _arrow("M536 118L576 118L576 48L620 48", 538, 166, "q", shape["q"]),
        _arrow("M576 118L576 248L620 248"),
        _arrow("M716 48L868 48", 800, 15, "p", shape["p"]),
        _arrow("M668 76L668 120"),
    ]
    joined = "⊙" if model.multiplication == "decoder" else "⊕"
    if "w" in shape:
        parts.append(_arrow("M716 148L764 148L764 188", 812, 116, "w", shape["w"]))
    if "v" in shape:
        parts.append(_arrow("M716 248L764 248L764 208", 812, 252, "v", shape["v"]))
    if "O" in shape:
        parts += [
            '<circle cx="764" cy="198" r="10" fill="white" stroke="#444"/>',
            _text(764, 202, joined),
            _arrow("M774 198L790 198"),
            _arrow("M882 198L930 198", 920, 165, "O", shape["O"]),
        ]
    flow = ", ".join(f"{name} {_size(shape[name])}" for name in "IfuqpvwO" if name in shape)
    text = (
        "Figure 1 of the paper as a block diagram: encoder, spatio-temporal attention, bottleneck; "
        "then a branch to the tag generator and tag-based attention and one to self-attention, "
        f"both into the decoder. Shapes (channels, frames, height, width): {flow}."
    )
    return _svg(parts, 960, 300, text)


def draw_attention(config: Config, which: Which) -> Picture:
    """Figures 2 (`spatio_temporal`), 3 (`tag`) and 4 (`self`): who asks whom, and what comes out.

    Raises:
        ValueError: this network has that module removed.
    """
    model, shape = config.model, shapes(config)
    name = {"tag": "tag_attention.attention"}.get(which, f"{which}_attention")
    if f"{name}.query" not in shape:
        raise ValueError(f"this network has no {which} attention: its configuration removes it")
    d, frames, height, width = shape[f"{name}.query"]
    own = which == "self"
    form = "per_frame" if own else model.spatio_temporal_attention
    if which == "tag" and model.tag_attention != "same":
        form = model.tag_attention
    ends = {"spatio_temporal": ("f", "u"), "self": ("q", "v"), "tag": ("p", "w")}
    enters, leaves = ends[which]
    asks, answers = ("t", "all") if form == "non_local" else ("t" if own else "all", "t")
    says = {"t": "of frame t", "all": f"of all {frames} frames"}
    many = frames * height * width if answers == "all" else height * width
    start = "embedded p" if which == "tag" else enters
    pools = {"literal": "mean", "pooled": "mean", "max_pooled": "maximum"}
    pooled = f"{pools[form]} over frames" if form in pools else ""
    parts = [
        _text(70, 40, start, "l") + _text(70, 58, says[asks], "s"),
        _text(70, 170, start, "l") + _text(70, 188, says[answers], "s"),
        _box(170, 16, 110, 46, "Query", f"1 × 1, {d} channels", "attention"),
        _box(170, 116, 110, 46, "Key", f"1 × 1, {d} channels", "attention"),
        _box(170, 206, 110, 46, "Value", f"1 × 1, {d} channels", "attention"),
        _box(380, 66, 110, 46, "⊗ and softmax", f"scaled by √{d}", "encoder"),
        _box(560, 136, 100, 46, "⊗", "weighted mean", "encoder"),
        _box(710, 136, 112, 46, "Project", f"1 × 1, {shape[name][0]} channels", "attention"),
        _arrow("M120 39L170 39"),
        _arrow("M120 168L145 168L145 139L170 139"),
        _arrow("M145 168L145 229L170 229"),
        _arrow("M280 39L330 39L330 80L380 80"),
        _arrow("M280 139L330 139L330 98L380 98"),
        _arrow("M490 89L610 89L610 136", 560, 82, word=f"{many} weights for each"),
        _arrow("M280 229L610 229L610 182"),
        _arrow("M660 159L710 159", 684, 126, word=pooled),
        _arrow("M822 159L900 159", 884, 110, leaves, shape[leaves], "of frame t"),
    ]
    if model.attention_residual:
        parts.append(_arrow("M70 200L70 280L860 280L860 163", 470, 272, word="+ input"))
    number = {"spatio_temporal": 2, "tag": 3, "self": 4}[which]
    title = {"spatio_temporal": "spatio-temporal", "tag": "tag-based", "self": "self"}[which]
    text = (
        f"Figure {number} of the paper, {title} attention, as a block diagram: queries "
        f"{says[asks]} meet keys {says[answers]}, of {d} channels; softmax gives each that "
        f"asks {many} weights for the values; a projection gives {leaves}, {_size(shape[leaves])}."
    )
    return _svg(parts, 960, 300, text)


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{html.escape(text)}</text>' if text else ""


def _box(
    x: int, y: int, width: int, height: int, name: str, below: str, kind: str, there: bool = True
) -> str:
    """A named box; dashed and without colour where the part is removed."""
    look = f'fill="{FILL[kind]}"' if there else 'class="gone"'
    middle, second = x + width / 2, below if there else "removed"
    rect = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" {look}/>'
    centre = y + height / 2
    return rect + _text(middle, centre - 3, name) + _text(middle, centre + 14, second, "s")


def _arrow(
    path: str,
    x: int = 0,
    y: int = 0,
    letter: str = "",
    shape: tuple[int, ...] = (),
    word: str = "",
) -> str:
    """A line to an arrowhead; from (x, y) down a letter, its shape and a word, if any."""
    lines = [letter, *([_size(shape[:2]) + " ×", _size(shape[2:])] if shape else []), word]
    words = [
        _text(x, y + 13 * k, text, "l" if text == letter else "s")
        for k, text in enumerate(filter(None, lines))
    ]
    return f'<path d="{path}" marker-end="url(#a)"/>{"".join(words)}'


def _svg(parts: list[str], width: int, height: int, alt: str) -> Picture:
    size = f'width="{width}" height="{height}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {size}>'
        f"<style>{STYLE}</style>"
        '<marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#444"/></marker>'
        f'<rect {size} style="fill:white;stroke:none;rx:0"/>'
    )
    file = (head + "".join(parts) + "</svg>").encode("utf-8")
    return Picture(file, alternative_text(alt), min(width, 760))

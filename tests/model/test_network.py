"""The whole network: the paper's printed sizes, Table III's removals, and how it may be run."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tagvis_lite.config import PAPER, TOY, LossConfig, ModelConfig
from tagvis_lite.losses import Losses, overall_loss
from tagvis_lite.model.network import TagVIS, location_embedding, upsample
from tagvis_lite.study.ablation import TABLE_3
from tagvis_lite.video import Clip, Prediction

MODEL = ModelConfig(
    num_classes=3,
    widths=(8, 12, 16),
    blocks=(1, 1, 1),
    spatial_strides=(2, 1, 1, 2, 1),
    pretrained=False,
    attention_channels=6,
    bottleneck_channels=16,
    feature_channels=12,
    upsampling=(2, 2),
    head_channels=8,
)
LOSS = LossConfig(pixels_per_instance=None)
TAGS_ONLY = {"tag_branch": "removed", "feature_branch": "removed"}

# Row of Table III -> which parts of the network go.
REMOVED: dict[str, set[str]] = {
    "full": set(),
    "spectra": set(),
    "specter": set(),
    "tempra": set(),
    "temper": set(),
    "spatio-temporal-attention": {"spatio_temporal_attention"},
    "tag-based-attention": {"tag_attention.attention"},
    "self-attention": {"self_attention"},
    "location-embedding": set(),
    "tag-based-attention-connector": {"tag_attention"},
    "self-attention-connector": {"self_attention"},
    "semantic-branch": {"tag_attention", "self_attention", "decoder"},
}
# The rows as `tagvis ablate` trains them, on a small model.
TABLE_III = {row.name: row.apply(replace(TOY, model=MODEL, loss=LOSS)) for row in TABLE_3}
PARTS = {
    "encoder",
    "spatio_temporal_attention",
    "bottleneck",
    "tag_generator",
    "self_attention",
    "tag_attention.embed",
    "tag_attention.attention",
    "decoder",
}


def network_of(config: ModelConfig, seed: int = 0) -> TagVIS:
    torch.manual_seed(seed)
    return TagVIS(config)


def random_clip(batch: int = 2, num_frames: int = 3, size: int = 16) -> Clip:
    """Noise with two instances, of classes 1 and 2, on a background; labels at full size."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch, num_frames, size, size)
    ids = torch.randint(0, 3, shape, generator=generator)
    return Clip(
        frames=torch.randn(batch, 3, *shape[1:], generator=generator),
        ids=ids,
        semantic=ids.clone(),
        frame_indices=torch.arange(num_frames).expand(batch, -1),
        names=tuple(f"clip{b}" for b in range(batch)),
    )


def losses_of(network: TagVIS, loss: LossConfig) -> Losses:
    clip = random_clip()
    return overall_loss(network(clip.frames), clip, loss)


def assert_close(actual: Prediction, expected: Prediction, atol: float) -> None:
    torch.testing.assert_close(actual.tags.float(), expected.tags, rtol=0, atol=atol)
    assert actual.semantic_logits is not None
    logits = actual.semantic_logits.float()
    torch.testing.assert_close(logits, expected.semantic_logits, rtol=0, atol=atol)


def test_every_size_printed_in_the_paper() -> None:
    """Section III-A at 224 x 224, with T = 32 kept from one end to the other."""
    inputs: dict[str, tuple[int, ...]] = {}
    outputs: dict[str, tuple[int, ...]] = {}
    with torch.device("meta"):
        network = TagVIS(replace(PAPER.model, pretrained=False))
        frames = torch.empty(1, 3, 32, 224, 224)

    def note(name: str) -> None:
        def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            inputs[name], outputs[name] = tuple(args[0].shape), tuple(output.shape)

        network.get_submodule(name).register_forward_hook(hook)

    for name in (
        "encoder",
        "spatio_temporal_attention",
        "bottleneck.compress",
        "bottleneck",
        "tag_generator",
        "self_attention",
        "tag_attention",
        "decoder",
    ):
        note(name)
    prediction = network(frames)

    f, q = (1, 256 + 2, 32, 14, 14), (1, 256, 32, 14, 14)
    assert outputs["encoder"] == (1, 256, 32, 224 // 16, 224 // 16)
    assert inputs["spatio_temporal_attention"] == f
    assert outputs["spatio_temporal_attention"] == f  # u
    assert outputs["bottleneck.compress"] == (1, 512, 32, 7, 7)
    assert outputs["bottleneck"] == q
    assert inputs["tag_generator"] == q
    assert outputs["tag_generator"] == (1, 1, 32, 112, 112)  # p
    assert inputs["self_attention"] == q
    assert outputs["self_attention"] == q  # v
    assert inputs["tag_attention"] == (1, 1, 32, 112, 112)
    assert outputs["tag_attention"] == q  # w
    assert inputs["decoder"] == (1, 256 + 256, 32, 14, 14)
    assert prediction.tags.shape == (1, 32, 112, 112)
    assert prediction.semantic_logits is not None
    assert prediction.semantic_logits.shape == (1, 41, 32, 112, 112)
    assert prediction.tags.is_meta, "no part of the network made a tensor on another device"


def test_the_other_reading_of_the_input_size_gives_the_same_maps() -> None:
    """112 x 112 frames and no pool (docs/decisions.md, D1)."""
    with torch.device("meta"):
        config = replace(PAPER.model, pretrained=False, spatial_strides=(2, 1, 1, 2, 2))
        network = TagVIS(config)
        prediction = network(torch.empty(2, 3, 8, 112, 112))
        assert network.encoder(torch.empty(2, 3, 8, 112, 112)).shape == (2, 256, 8, 14, 14)
    assert prediction.tags.shape == (2, 8, 112, 112)


def test_location_embedding_is_x_then_y_from_corner_to_corner() -> None:
    location = location_embedding(torch.zeros(2, 7, 3, 3, 5, dtype=torch.float64))
    assert location.shape == (2, 2, 3, 3, 5)
    assert location.dtype == torch.float64
    x = torch.tensor([-1, -0.5, 0, 0.5, 1], dtype=torch.float64).expand(3, 5)
    y = torch.tensor([[-1], [0], [1]], dtype=torch.float64).expand(3, 5)
    for batch in range(2):
        for t in range(3):
            torch.testing.assert_close(location[batch, 0, t], x)
            torch.testing.assert_close(location[batch, 1, t], y)


def test_location_embedding_follows_the_encoder_features() -> None:
    network = network_of(MODEL)
    seen: list[Tensor] = []
    network.spatio_temporal_attention.register_forward_pre_hook(lambda _, args: seen.append(*args))
    frames = random_clip().frames
    network.eval()(frames)
    f = network.encoder(frames)
    torch.testing.assert_close(seen[0], torch.cat([f, location_embedding(f)], dim=1))


@pytest.mark.parametrize("row", TABLE_III)
def test_each_row_of_table_3_trains_all_it_has_left(row: str) -> None:
    removed = REMOVED[row]
    network = network_of(TABLE_III[row].model)
    losses = losses_of(network, TABLE_III[row].loss)
    losses.overall.backward()
    assert losses.overall.isfinite()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), name
        if parameter.ndim > 1:
            assert parameter.grad.any(), f"the gradient of {name} is 0"

    names = [name for name, _ in network.named_parameters()]
    left = {part for part in PARTS if any(name.startswith(part + ".") for name in names)}
    gone = {part for part in PARTS if any(f"{part}.".startswith(r + ".") for r in removed)}
    assert left == PARTS - gone


def test_table_3_removes_something_in_each_of_eleven_rows() -> None:
    rows = [config for name, config in TABLE_III.items() if name != "full"]
    assert len(rows) == 11
    assert len({(config.model, config.loss) for config in TABLE_III.values()}) == 12


@pytest.mark.parametrize("row", ["spectra", "specter", "tempra", "temper"])
def test_a_removed_loss_is_left_out_of_the_sum(row: str) -> None:
    network = network_of(MODEL)
    terms = losses_of(network, TABLE_III[row].loss)
    kept = {"spectra", "specter", "tempra", "temper", "cross_entropy"} - {row}
    assert len(kept) == 4
    total = torch.stack([getattr(terms, name) for name in kept]).sum()
    torch.testing.assert_close(terms.overall, total)
    assert getattr(terms, row) > 0


def test_location_embedding_removed_leaves_256_channels() -> None:
    with torch.device("meta"):
        config = replace(PAPER.model, pretrained=False, location_embedding=False)
        compress = TagVIS(config).bottleneck.compress
    assert isinstance(compress[0], nn.Conv3d)
    assert compress[0].in_channels == 256


@pytest.mark.parametrize("tag_branch", ["attention", "embedding", "removed"])
def test_only_the_connector_carries_the_semantic_loss_to_the_tags(tag_branch: str) -> None:
    network = network_of(replace(MODEL, tag_branch=tag_branch))  # type: ignore[arg-type]
    losses_of(network, LOSS).cross_entropy.backward()
    gradients = [p.grad is not None and p.grad.any() for p in network.tag_generator.parameters()]
    assert any(gradients) == (tag_branch != "removed")
    assert all(p.grad is not None for p in network.bottleneck.parameters())


@pytest.mark.parametrize("feature_branch", ["attention", "identity", "removed"])
def test_the_decoder_sees_features_but_for_their_connector(feature_branch: str) -> None:
    """With the tags held still, logits change with q_t only where a branch carries q_t."""
    network = network_of(replace(MODEL, feature_branch=feature_branch)).eval()  # type: ignore[arg-type]
    network.tag_generator.register_forward_hook(lambda *_: torch.ones(1, 1, 2, 16, 16))
    logits = [network(torch.randn(1, 3, 2, 16, 16)).semantic_logits for _ in range(2)]
    assert torch.equal(*logits) == (feature_branch == "removed")


def test_without_semantic_branch_there_are_no_logits() -> None:
    prediction = network_of(replace(MODEL, **TAGS_ONLY))(random_clip().frames)  # type: ignore[arg-type]
    assert prediction.semantic_logits is None
    assert prediction.tags.shape == (2, 3, 16, 16)


def test_sigmoid_tags_lie_between_0_and_1_and_unbounded_ones_do_not_have_to() -> None:
    unbounded, sigmoid = (network_of(replace(MODEL, tag_range=r)) for r in ("unbounded", "sigmoid"))
    frames = random_clip().frames
    with torch.no_grad():
        for network in (unbounded, sigmoid):
            for parameter in network.tag_generator.layers[3].parameters():
                parameter.mul_(2)
        tags, squashed = unbounded(frames).tags, sigmoid(frames).tags
    assert tags.min() < 0 < 1 < tags.max()
    assert 0 < squashed.min() < squashed.max() < 1
    torch.testing.assert_close(squashed, tags.sigmoid())


@pytest.mark.parametrize("tag_branch", ["attention", "embedding"])
def test_literal_and_pooled_networks_are_the_same_function(tag_branch: str) -> None:
    pooled = network_of(replace(MODEL, tag_branch=tag_branch)).eval()  # type: ignore[arg-type]
    literal = TagVIS(replace(pooled.config, spatio_temporal_attention="literal")).eval()
    literal.load_state_dict(pooled.state_dict())
    frames = random_clip().frames
    with torch.no_grad():
        assert_close(literal(frames), pooled(frames), atol=1e-5)


def test_clips_of_a_batch_do_not_mix() -> None:
    network = network_of(MODEL).eval()
    frames = random_clip(batch=3).frames
    with torch.no_grad():
        together = network(frames)
        for b in range(3):
            alone = network(frames[b : b + 1])
            one = Prediction(together.tags[b : b + 1], together.semantic_logits[b : b + 1])
            assert_close(alone, one, atol=1e-5)


def test_compiles_without_a_graph_break_to_the_same_values_and_gradients() -> None:
    network = network_of(MODEL)
    clip = random_clip()
    torch.compiler.reset()
    results = []
    for forward in (network, torch.compile(network, fullgraph=True, backend="aot_eager")):
        network.zero_grad(set_to_none=True)
        prediction = forward(clip.frames)
        (prediction.tags.square().mean() + prediction.semantic_logits.square().mean()).backward()
        gradients = [p.grad for p in network.parameters()]
        results.append([prediction.tags, prediction.semantic_logits, *gradients])
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(compiled, eager, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("attention", ["pooled", "literal", "non_local"])
def test_bfloat16_autocast_is_close_to_float32(attention: str) -> None:
    network = network_of(replace(MODEL, spatio_temporal_attention=attention)).eval()  # type: ignore[arg-type]
    frames = random_clip().frames
    with torch.no_grad():
        expected = network(frames)
        with torch.autocast("cpu", torch.bfloat16):
            prediction = network(frames)
    assert prediction.tags.isfinite().all()
    scale = max(expected.tags.abs().max(), expected.semantic_logits.abs().max())
    assert_close(prediction, expected, atol=0.05 * float(scale))


def test_channels_last_gives_the_same_prediction() -> None:
    network = network_of(MODEL).eval()
    frames = random_clip().frames
    with torch.no_grad():
        expected = network(frames)
        network.to(memory_format=torch.channels_last_3d)
        assert_close(network(frames.to(memory_format=torch.channels_last_3d)), expected, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 33), width=st.integers(1, 33), num_frames=st.integers(1, 4))
def test_sizes_fit_or_give_one_clear_error(height: int, width: int, num_frames: int) -> None:
    with torch.device("meta"):
        network = TagVIS(MODEL)
        frames = torch.empty(1, 3, num_frames, height, width)
    if height % 8 or width % 8:
        message = rf"\(1, 3, {num_frames}, {height}, {width}\).*multiples of 8.*data.size"
        with pytest.raises(ValueError, match=message):
            network(frames)
    else:
        assert network(frames).tags.shape == (1, num_frames, height, width)


@pytest.mark.parametrize("shape", [(3, 2, 16, 16), (1, 4, 2, 16, 16), (16, 16), (16,), ()])
def test_frames_of_another_layout_give_one_clear_error(shape: tuple[int, ...]) -> None:
    network = network_of(MODEL)
    with pytest.raises(ValueError, match="expected B x 3 x T x H x W"):
        network(torch.zeros(shape))


@settings(max_examples=20, deadline=None)
@given(
    scale=st.sampled_from([2, 4, 6]),
    frames=st.sampled_from([1, 3]),
    num_frames=st.integers(1, 4),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
)
def test_upsampling_multiplies_the_size_and_keeps_time(
    scale: int, frames: int, num_frames: int, height: int, width: int
) -> None:
    with torch.device("meta"):
        layer = upsample(2, 3, scale, frames)
        output = layer(torch.empty(1, 2, num_frames, height, width))
    assert output.shape == (1, 3, num_frames, scale * height, scale * width)


def test_upsampling_draws_no_checkerboard() -> None:
    """Constant in, constant out, away from the border: all outputs see as many inputs."""
    layer = upsample(1, 1, scale=4)
    nn.init.ones_(layer.weight)
    output = layer(torch.ones(1, 1, 1, 5, 5))[..., 4:-4, 4:-4]
    torch.testing.assert_close(output, output.mean().expand_as(output))

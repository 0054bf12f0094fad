"""The encoder against torchvision's R(2+1)D-18, and its weights through torchvision's loader."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import max_pool3d
from torchvision.models.video import R2Plus1D_18_Weights, VideoResNet, r2plus1d_18
from torchvision.models.video.resnet import BasicBlock, Conv2Plus1D, R2Plus1dStem

from tagvis_lite.model.encoder import Encoder

WITHOUT_POOL = (2, 1, 1, 2, 2)
WEIGHTS = R2Plus1D_18_Weights.KINETICS400_V1


@pytest.fixture(scope="module")
def torchvision_model() -> VideoResNet:
    """r2plus1d_18 with random weights and, so that they count, random running statistics."""
    generator = torch.Generator().manual_seed(0)
    model = r2plus1d_18(weights=None)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            tensors = module.state_dict()
            for name in ("weight", "running_var"):
                tensors[name].uniform_(0.5, 1.5, generator=generator)
            for name in ("bias", "running_mean"):
                tensors[name].normal_(0, 0.1, generator=generator)
    return model.eval()


def conv4(model: VideoResNet, frames: torch.Tensor, pool: int) -> torch.Tensor:
    stem = max_pool3d(model.stem(frames), (1, pool, pool))
    return model.layer3(model.layer2(model.layer1(stem)))


@pytest.mark.parametrize("blocks", [2, 3])
def test_dilation_gives_torchvisions_own_features_at_every_fourth_frame(blocks: int) -> None:
    torch.manual_seed(0)
    depth = [blocks] * 4
    model = VideoResNet(BasicBlock, [Conv2Plus1D] * 4, depth, R2Plus1dStem)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm3d)):
        norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
    model.eval()
    frames = torch.randn(1, 3, 16, 32, 32)
    with torch.no_grad():
        expected = conv4(model, frames, pool=1)
        for dilated in (True, False):
            encoder = Encoder(
                blocks=(blocks,) * 3,
                spatial_strides=WITHOUT_POOL,
                temporal_dilation=dilated,
            ).eval()
            encoder.load_kinetics(model.state_dict())
            features = encoder(frames)
            assert features.shape[2] == 16
            assert torch.allclose(features[:, :, ::4], expected, atol=1e-4) == dilated


def test_without_temporal_convolutions_it_sees_seven_frames() -> None:
    """Stem and layer1 reach one frame and two to either side; layer2 and layer3 none."""
    torch.manual_seed(0)
    encoder = Encoder((4, 4, 4), (1, 1, 1), temporal_convolutions=False).eval()
    frames = torch.randn(1, 3, 16, 32, 32, requires_grad=True)
    encoder(frames)[:, :, 8].sum().backward()
    assert frames.grad is not None
    reached = frames.grad.abs().sum(dim=(0, 1, 3, 4)).nonzero().flatten().tolist()
    assert reached == list(range(5, 12))


@pytest.mark.parametrize("pool", [1, 2])
def test_is_torchvisions_network_with_temporal_strides_of_one(
    torchvision_model: VideoResNet, pool: int
) -> None:
    encoder = Encoder(spatial_strides=(2, pool, 1, 2, 2)).eval()
    encoder.load_kinetics(torchvision_model.state_dict())
    frames = torch.randn(1, 3, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    convolutions = [m for m in torchvision_model.modules() if isinstance(m, nn.Conv3d)]
    original = [m.stride for m in convolutions]
    with torch.no_grad():
        assert conv4(torchvision_model, frames, pool).shape[2] == 1, "torchvision keeps T / 4"
        for module in convolutions:
            module.stride = (1, *module.stride[1:])
        try:
            expected = conv4(torchvision_model, frames, pool)
        finally:
            for module, stride in zip(convolutions, original, strict=True):
                module.stride = stride
        features = encoder(frames)
    assert expected.shape == (1, 256, 4, 4 // pool, 4 // pool)
    assert expected.std() > 0.1
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-6)


def test_has_torchvisions_parameters_and_no_others() -> None:
    with torch.device("meta"):
        ours = {name: p.shape for name, p in Encoder().state_dict().items()}
        theirs = {name: p.shape for name, p in r2plus1d_18(weights=None).state_dict().items()}
    left_out = {name for name in theirs if name.startswith(("layer4.", "fc."))}
    assert ours == {name: shape for name, shape in theirs.items() if name not in left_out}


@settings(max_examples=15, deadline=None)
@given(
    widths=st.tuples(*[st.integers(2, 9)] * 3),
    blocks=st.tuples(*[st.integers(1, 3)] * 3),
    strides=st.tuples(*[st.sampled_from([1, 2])] * 5),
    num_frames=st.integers(1, 5),
)
def test_keeps_time_and_divides_space_by_the_strides(
    widths: tuple[int, int, int],
    blocks: tuple[int, int, int],
    strides: tuple[int, int, int, int, int],
    num_frames: int,
) -> None:
    stride = int(torch.tensor(strides).prod())
    with torch.device("meta"):
        encoder = Encoder(widths, blocks, strides)
        features = encoder(torch.empty(2, 3, num_frames, 2 * stride, 3 * stride))
    assert features.shape == (2, widths[2], num_frames, 2, 3)
    assert [len(encoder.layer1), len(encoder.layer2), len(encoder.layer3)] == list(blocks)


class Download:
    """Stands in for the server: a file at a file:// address, and an empty torch.hub cache."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.cache = folder / "hub" / "checkpoints"
        self.monkeypatch = monkeypatch
        monkeypatch.setenv("TORCH_HOME", str(folder))

    def serve(self, content: bytes | None, digest: str | None = None) -> str:
        """Serve `content` under a name with its hash, as torchvision does; None: nothing."""
        digest = digest or hashlib.sha256(content or b"").hexdigest()[:8]
        file = self.folder / f"r2plus1d_18-{digest}.pth"
        if content is not None:
            file.write_bytes(content)
        self.monkeypatch.setattr(WEIGHTS.value, "url", file.as_uri())
        return file.name

    def serve_state_dict(self, state_dict: dict[str, torch.Tensor], **kwargs: bool) -> str:
        file = self.folder / "saved"
        torch.save(state_dict, file, **kwargs)
        return self.serve(file.read_bytes())


@pytest.fixture
def download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Download:
    return Download(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def kinetics(torchvision_model: VideoResNet) -> dict[str, torch.Tensor]:
    """What the download holds, but for the size of the part that nobody reads."""
    return {
        name: value.flatten()[:1].clone() if name.startswith(("layer4.", "fc.")) else value
        for name, value in torchvision_model.state_dict().items()
    }


@pytest.mark.parametrize("zip_format", [True, False])
def test_pretrained_goes_through_torchvisions_loader(
    download: Download, kinetics: dict[str, torch.Tensor], zip_format: bool
) -> None:
    name = download.serve_state_dict(kinetics, _use_new_zipfile_serialization=zip_format)
    encoder = Encoder(pretrained=True)
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(value, kinetics[key], rtol=0, atol=0)
    assert (download.cache / name).is_file()
    (download.folder / name).unlink()
    assert set(Encoder(pretrained=True).state_dict()) == set(encoder.state_dict()), "from the cache"


@pytest.mark.parametrize("other", [{"widths": (24, 48, 96)}, {"blocks": (1, 1, 1)}])
def test_pretrained_at_another_size_is_refused_before_any_download(
    other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(WEIGHTS.value, "url", "unknown://must-not-be-opened")
    with pytest.raises(ValueError, match=r"no Kinetics-400 weights for .* set pretrained=False"):
        Encoder(pretrained=True, **other)


def test_without_network_the_error_names_the_file_and_the_cache(download: Download) -> None:
    name = download.serve(None, digest="01234567")
    with pytest.raises(FileNotFoundError, match=r"pretrained=False") as caught:
        Encoder(pretrained=True)
    assert name in str(caught.value)
    assert str(download.cache) in str(caught.value)


def test_a_download_cut_short_is_refused_and_not_cached(
    download: Download, kinetics: dict[str, torch.Tensor]
) -> None:
    name = download.serve_state_dict(kinetics)
    file = download.folder / name
    file.write_bytes(file.read_bytes()[: 2**20])
    with pytest.raises(ValueError, match=r"damaged .*hash") as caught:
        Encoder(pretrained=True)
    assert name in str(caught.value)
    assert not list(download.cache.iterdir())


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 half a zip"])
def test_a_damaged_file_in_the_cache_gives_one_error(download: Download, content: bytes) -> None:
    name = download.serve(None, digest="01234567")
    download.cache.mkdir(parents=True)
    (download.cache / name).write_bytes(content)
    with pytest.raises(ValueError, match="damaged") as caught:
        Encoder(pretrained=True)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


class Malicious:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("as_torch_file", [True, False])
def test_code_in_the_file_is_not_run(download: Download, as_torch_file: bool) -> None:
    marker = download.folder / "executed"
    file = download.folder / "saved"
    if as_torch_file:
        torch.save(Malicious(marker), file)
    else:
        file.write_bytes(pickle.dumps(Malicious(marker), protocol=2))
    download.serve(file.read_bytes())
    with pytest.raises(ValueError, match="damaged"):
        Encoder(pretrained=True)
    assert not marker.exists()
    torch.load(file, weights_only=False) if as_torch_file else pickle.loads(file.read_bytes())
    assert marker.exists(), "the trap itself works"

"""Lesson 11: its check tells the likely mistakes apart."""

from collections.abc import Callable

import pytest
from torch import nn

from tagvis_lite.course.checks.lesson_11 import check_keep_time

ALL = ("stem", "layer1", "layer2", "layer3", "layer4")


def keep_time(
    layers: tuple[str, ...] = ALL, shortcuts: bool = True, space: bool = True
) -> Callable[[nn.Module], None]:
    """An answer that changes convolutions of these layers, perhaps without shortcuts."""

    def answer(network: nn.Module) -> None:
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv3d) and name.startswith(layers):
                if "downsample" in name and not shortcuts:
                    continue
                module.stride = (1, *module.stride[1:]) if space else (1, 1, 1)

    return answer


def new_convolution(network: nn.Module) -> None:
    layer = network.get_submodule("layer2.0")
    layer.downsample = nn.Conv3d(64, 128, 1, (1, 2, 2))  # its name and its bias are new


def turned_around(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            module.stride = (*module.stride[:2], 1)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (keep_time(shortcuts=False), "need the same strides"),
        (keep_time(layers=("layer2",)), "come out as 16"),
        (keep_time(layers=("layer3",)), "come out as 16"),
        (keep_time(layers=()), "no temporal stride has changed"),
        (keep_time(layers=("layer1", "layer4")), "no temporal stride has changed"),
        (keep_time(space=False), "only the first of the three strides is time"),
        (turned_around, "only the first of the three strides is time"),
        (new_convolution, "the trained ones no longer load"),
    ],
)
def test_likely_mistakes_are_named(answer: Callable[[nn.Module], None], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_keep_time(answer)


def test_kept_frames_pass() -> None:
    check_keep_time(keep_time())


def test_a_returned_network_and_an_unchanged_layer4_pass() -> None:
    def answer(network: nn.Module) -> nn.Module:
        keep_time(layers=("layer2", "layer3"))(network)
        return network

    check_keep_time(answer)

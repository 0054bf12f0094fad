"""Prediction into files: the files say what was predicted, and a run that was killed goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from torch import Tensor, nn

from tagvis_lite.commands.predict import predict_to_files
from tagvis_lite.config import TOY, Config
from tagvis_lite.data import video_file
from tagvis_lite.data.label_maps import read_label_map
from tagvis_lite.data.video_file import read_video_file
from tagvis_lite.video import Prediction, Video
from tagvis_lite.views.overlay import instance_colours

SIZE, T, STEP = 32, 4, 80
CONFIG = replace(
    TOY,
    data=replace(TOY.data, clip_frames=T, size=(SIZE, SIZE), mean=(0.0,) * 3, std=(1.0,) * 3),
)


class RedIsTag(nn.Module):
    """Stands in for the network: an object of red 80 k has the tag 3 k; black is background."""

    def __init__(self, stop_at: int | None = None) -> None:
        super().__init__()
        self.calls = 0
        self.stop_at = stop_at

    def forward(self, frames: Tensor) -> Prediction:
        self.calls += 1
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        tags = frames[:, 0] * 255 / STEP * 3
        foreground = torch.where(tags > 1, 9.0, -9.0)
        return Prediction(tags=tags, semantic_logits=torch.stack([-foreground, foreground], dim=1))


def truth(shift: int) -> np.ndarray:
    """Two squares that walk to the right; the larger one has id 1."""
    ids = np.zeros((T, SIZE, SIZE), np.uint8)
    for t in range(T):
        ids[t, 2:14, shift + t : shift + t + 12] = 1
        ids[t, 20:28, shift + t : shift + t + 8] = 2
    return ids


def video(name: str, shift: int = 2, fps: float = 7.0) -> Video:
    frames = np.zeros((T, SIZE, SIZE, 3), np.uint8)
    frames[..., 0] = truth(shift) * STEP
    return Video(name, frames, fps=fps)


VIDEOS = [video("a", 2), video("b", 5), video("c", 8)]
TRUTH = {"a": truth(2), "b": truth(5), "c": truth(8)}


def predict(
    out: Path,
    videos: list[Video] = VIDEOS,
    *,
    network: RedIsTag | None = None,
    config: Config = CONFIG,
    weights: str = "1f",
    video_ids: dict[str, int] | None = None,
) -> int:
    network = network or RedIsTag()
    return predict_to_files(network, config, videos, out, weights=weights, video_ids=video_ids)  # type: ignore[arg-type]


def content(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def test_files_hold_the_predicted_instances(tmp_path: Path) -> None:
    video_ids = {"a": 31, "b": 7, "c": 400}
    assert predict(tmp_path, video_ids=video_ids) == 3
    results = json.loads((tmp_path / "results.json").read_text())
    assert len(results) == 6
    for name, ids in TRUTH.items():
        maps = [read_label_map(tmp_path / "davis" / name / f"{t:05d}.png") for t in range(T)]
        assert np.array_equal(maps, ids)
        masks = [
            np.stack([coco_mask.decode(rle) for rle in entry["segmentations"]])
            for entry in results
            if entry["video_id"] == video_ids[name]
        ]
        assert np.array_equal(masks, [ids == 1, ids == 2])
    assert {entry["category_id"] for entry in results} == {1}
    assert all(0 < entry["score"] <= 1 for entry in results)


def test_the_zip_is_the_json_at_its_root(tmp_path: Path) -> None:
    predict(tmp_path)
    with ZipFile(tmp_path / "results.zip") as archive:
        assert archive.namelist() == ["results.json"]
        assert archive.read("results.json") == (tmp_path / "results.json").read_bytes()


def test_overlay_videos_keep_speed_length_and_colours(tmp_path: Path) -> None:
    predict(tmp_path, [video("slow", fps=7.0), video("fast", fps=30.0)])
    for name, fps in (("slow", 7.0), ("fast", 30.0)):
        drawn = read_video_file(tmp_path / "overlays" / f"{name}.mp4")
        assert drawn.fps == pytest.approx(fps)
        assert len(drawn) == T
        frame = drawn.frames[0].astype(float)
        for instance in (1, 2):
            inside = truth(2)[0] == instance
            got = frame[inside].mean(axis=0)
            bare, tint = np.array([STEP * instance, 0, 0]), instance_colours()[instance]
            assert np.linalg.norm(got - tint) < 0.8 * np.linalg.norm(bare - tint)
        assert frame[30:, 20:].max() < 40, "background stays"


def test_videos_are_numbered_from_1_without_ids(tmp_path: Path) -> None:
    predict(tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert [entry["video_id"] for entry in results] == [1, 1, 2, 2, 3, 3]


def test_what_is_to_submit_holds_the_videos_of_now_alone(tmp_path: Path) -> None:
    """Of another split in the same folder, say; what was predicted before stays in the folder."""
    predict(tmp_path, VIDEOS[:1])
    predict(tmp_path, VIDEOS[1:])
    with ZipFile(tmp_path / "davis.zip") as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"b", "c"}
    assert predict(tmp_path, VIDEOS) == 0


def test_a_video_without_instances_has_empty_maps_and_no_results(tmp_path: Path) -> None:
    empty = Video("empty", np.zeros((T, SIZE, SIZE, 3), np.uint8))
    assert predict(tmp_path, [empty]) == 1
    assert json.loads((tmp_path / "results.json").read_text()) == []
    assert not read_label_map(tmp_path / "davis" / "empty" / "00000.png").any()
    assert predict(tmp_path, [empty]) == 0


# ---------------------------------------------------------------- going on


def test_only_videos_without_a_part_are_predicted(tmp_path: Path) -> None:
    predict(tmp_path)
    before = content(tmp_path)
    network = RedIsTag()
    assert predict(tmp_path, network=network) == 0
    assert network.calls == 0
    (tmp_path / "parts" / "b.json").unlink()
    (tmp_path / "davis" / "b" / "00002.png").unlink()
    assert predict(tmp_path, network=network) == 1
    assert network.calls == 1
    assert content(tmp_path) == before


def test_a_killed_run_goes_on_and_ends_like_one_that_was_not(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict(tmp_path / "killed", network=RedIsTag(stop_at=2))
    assert not (tmp_path / "killed" / "results.json").exists()
    assert predict(tmp_path / "killed") == 2
    predict(tmp_path / "straight")
    assert content(tmp_path / "killed") == content(tmp_path / "straight")


def test_more_videos_can_follow_and_results_carry_the_ids_of_now(tmp_path: Path) -> None:
    predict(tmp_path, VIDEOS[1:])
    assert predict(tmp_path, VIDEOS) == 1
    results = json.loads((tmp_path / "results.json").read_text())
    assert [entry["video_id"] for entry in results] == [1, 1, 2, 2, 3, 3]


OTHER = replace(CONFIG, inference=replace(CONFIG.inference, min_area=0.5))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"weights": "2e"}, "weights: 1f, now 2e"),
        ({"config": OTHER}, r"inference\.min_area: 0\.002, now 0\.5"),
    ],
)
def test_results_of_other_weights_or_config_are_not_mixed(
    change: dict[str, object], named: str, tmp_path: Path
) -> None:
    predict(tmp_path, VIDEOS[:1])
    before = content(tmp_path)
    with pytest.raises(ValueError, match=f"holds a run that differs in {named}: choose") as caught:
        predict(tmp_path, **change)  # type: ignore[arg-type]
    assert str(tmp_path) in str(caught.value)
    assert content(tmp_path) == before


def longer(name: str) -> Video:
    return Video(name, np.concatenate([video(name).frames] * 2))


@pytest.mark.parametrize("other", [video("a", 9), longer("a")], ids=["frames", "length"])
def test_another_video_of_the_same_name_is_refused(other: Video, tmp_path: Path) -> None:
    predict(tmp_path, VIDEOS[:1])
    before = content(tmp_path)
    with pytest.raises(ValueError, match="another video named 'a'") as caught:
        predict(tmp_path, [other])
    assert str(tmp_path / "parts" / "a.json") in str(caught.value)
    assert content(tmp_path) == before


@pytest.mark.parametrize("name", ["run.json", "parts/a.json"])
def test_a_damaged_file_is_named(name: str, tmp_path: Path) -> None:
    predict(tmp_path, VIDEOS[:1])
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:-3])
    with pytest.raises(ValueError, match="is damaged") as caught:
        predict(tmp_path, VIDEOS[:1])
    assert str(tmp_path / name) in str(caught.value)


def test_a_part_of_an_earlier_version_is_taken_up(tmp_path: Path) -> None:
    predict(tmp_path, VIDEOS[:1])
    before = (tmp_path / "results.json").read_bytes()
    path = tmp_path / "parts" / "a.json"
    part = json.loads(path.read_text())
    del part["trust"]
    path.write_text(json.dumps(part))
    assert predict(tmp_path, VIDEOS[:1]) == 0
    assert (tmp_path / "results.json").read_bytes() == before


def test_a_video_that_cannot_be_read_leaves_those_before_it_done(tmp_path: Path) -> None:
    bad = Video("bad", [np.zeros((SIZE, SIZE), np.uint8)] * T)
    with pytest.raises(ValueError, match="bad"):
        predict(tmp_path, [VIDEOS[0], bad])
    assert predict(tmp_path, VIDEOS[:2]) == 1


class Chequered(RedIsTag):
    """Every other block is an instance of its own: 32 of them, more than DAVIS takes."""

    def forward(self, frames: Tensor) -> Prediction:
        row, column = torch.arange(SIZE)[:, None] // 4, torch.arange(SIZE) // 4
        tags = (3.0 * (8 * row + column)).expand(1, T, SIZE, SIZE)
        foreground = torch.where((row + column) % 2 == 0, 9.0, -9.0).expand(1, T, SIZE, SIZE)
        return Prediction(tags=tags, semantic_logits=torch.stack([-foreground, foreground], dim=1))


def test_more_instances_than_davis_takes_cost_no_result(tmp_path: Path) -> None:
    many = replace(CONFIG, inference=replace(CONFIG.inference, max_instances=50))
    with pytest.warns(UserWarning, match=r"davis\.zip: a video has more than 20 instances"):
        predict(tmp_path, VIDEOS[:1], network=Chequered(), config=many)
    assert len(json.loads((tmp_path / "results.json").read_text())) > 20
    assert read_label_map(tmp_path / "davis" / "a" / "00000.png").max() > 20


def test_nothing_is_printed_where_no_one_watches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict(tmp_path)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_an_overlay_that_cannot_be_made_costs_no_result(tmp_path: Path) -> None:
    predict(tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(video_file, "write_video_file", fails)
        with pytest.warns(UserWarning, match="no overlay, but all results are there: the disk"):
            assert predict(tmp_path / "out") == len(VIDEOS)
    assert not (tmp_path / "out" / "overlays").exists()
    assert predict(tmp_path / "out") == 0  # but the overlays are made up for
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def fails(*_: object) -> None:
    raise OSError("the disk is full")

"""`tagvis tune` finds the thresholds by which held-out videos score best, as predict would."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tagvis_lite.__main__ import main
from tagvis_lite.config import InferenceConfig
from tagvis_lite.data.find import toy_training_data
from tagvis_lite.evaluation.davis import evaluate_tracks
from tagvis_lite.inference import predict_video
from tagvis_lite.runs import load_network
from tagvis_lite.training.tuning import score_settings

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "toy"


def test_each_setting_scores_as_its_predictions_do_and_the_network_runs_once_a_video() -> None:
    """Toy videos are as long as a clip, and as large as its frames: tags are half as large."""
    network, config = load_network("toy")
    videos = list(toy_training_data(1, 3).validation)
    settings = [config.inference, replace(config.inference, bandwidth=3.0, foreground=0.1)]
    calls = []

    def counted(frames: torch.Tensor) -> object:
        calls.append(1)
        return network(frames)

    found = score_settings(counted, videos, config, settings)  # type: ignore[arg-type]
    assert len(calls) == len(videos)
    for score, inference in zip(found, settings, strict=True):
        of_setting = replace(config, inference=replace(inference, trust=None))
        tracks = [predict_video(network, video, of_setting) for video in videos]
        assert score == pytest.approx(evaluate_tracks(videos, tracks)[0].jf_mean, abs=0.06)
    assert found[0] > found[1] + 0.1


def test_the_best_setting_is_printed_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = f"tune toy --data {SAMPLE}/davis --foreground 0.05 0.5 --bandwidth 4 0.4 --device cpu"
    main([*words.split(), "--prominence", "0.1", "--out", str(tmp_path / "tuned.safetensors")])
    out = capsys.readouterr().out
    rows = [line.split("|") for line in out.splitlines() if re.match(r"\| *0", line)]
    scores = [float(row[5]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert sum("as it was" in row[6] for row in rows) == 1
    options = dict(re.findall(r"--inference\.(\S+) (\S+)", out))
    tuned = load_network(tmp_path / "tuned.safetensors")[1].inference
    own = load_network("toy")[1].inference
    assert tuned == replace(
        own, **{name.replace("-", "_"): float(value) for name, value in options.items()}
    )
    best = [float(cell) for cell in rows[0][1:5]]
    assert best == [tuned.foreground, tuned.bandwidth, tuned.prominence, tuned.min_area]
    assert isinstance(tuned, InferenceConfig)


def test_a_value_that_no_threshold_takes_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(f"tune toy --data {SAMPLE}/davis --bandwidth -1".split())
    assert caught.value.code == 2
    assert "inference.bandwidth is -1.0" in capsys.readouterr().err

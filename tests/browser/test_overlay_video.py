"""The video that `tagvis predict` draws plays in a browser, odd rates and odd sides included."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tagvis_lite.data.video_file import write_video_file

PLAY = """async (source) => {
  const video = document.createElement("video");
  video.muted = true;
  video.src = source;
  document.body.append(video);
  await new Promise((resolve, reject) => {
    video.oncanplaythrough = resolve;
    video.onerror = () => reject(new Error(video.error.message));
  });
  await video.play();
  await new Promise((resolve) => (video.onended = resolve));
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0);
  const last = [...pen.getImageData(10, 10, 1, 1).data];
  return { duration: video.duration, size: [video.videoHeight, video.videoWidth], last };
}"""


@pytest.mark.parametrize("fps", [8.0, 24.0, 119.723])
def test_a_written_video_plays_to_its_end(chromium: Any, tmp_path: Path, fps: float) -> None:
    frames = [np.full((49, 63, 3), (10 * t, 0, 200 - 10 * t), np.uint8) for t in range(16)]
    path = write_video_file(tmp_path / "overlay.mp4", frames, fps)
    page = chromium.new_page()
    source = f"data:video/mp4;base64,{b64encode(path.read_bytes()).decode()}"
    played = page.evaluate(PLAY, source)
    page.close()
    assert played["size"] == [50, 64]
    assert played["duration"] == pytest.approx(16 / fps, rel=0.1)
    assert np.abs(np.subtract(played["last"][:3], (150, 0, 50))).max() < 25

"""YouTube-VIS results, `results.json` or a zip with it at its root: write, read and check them.

    [{"video_id", "category_id", "score", "segmentations": [RLE or null, for each frame]}, ...]

The check finds what the challenge server would refuse, all of it at once, before an upload.
Nothing is ever unpacked to disk: of a zip, only its `results.json` is read, up to a size limit.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path, PurePosixPath
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from tagvis_lite.atomic import replacing
from tagvis_lite.data.rle import encode_ids, read_tracks
from tagvis_lite.data.youtube_vis_json import (
    AnnotationFile,
    Track,
    parse_json,
    parse_predictions,
    read_annotations,
    track_problems,
)
from tagvis_lite.evaluation.findings import Finding
from tagvis_lite.evaluation.result_files import UNREADABLE, members
from tagvis_lite.video import VOID, Tracks

MEMBER = "results.json"
MAX_BYTES = 2**30
"""Largest json that is read. Results of the whole validation set take about a tenth."""


# ---------------------------------------------------------------- writing


def track_results(
    tracks: Tracks, video_id: int, category_ids: Mapping[int, int] | None = None
) -> list[dict[str, Any]]:
    """Entries of `results.json`, one for each id of the label maps, in ascending order.

    An id without a pixel is no prediction and has no entry. Masks are compressed RLEs whose
    `counts` are str; frames without the instance hold None. Where tracks have a trust, entries
    have one beside their score, which benchmarks ignore.

    Args:
        tracks: of one video.
        video_id: of the video in the annotation file.
        category_ids: id in the annotation file of each category; the same when not given.

    Raises:
        ValueError: id 255, which is void and no instance, or a score that is not finite.
    """
    segmentations: dict[int, list[dict[str, Any] | None]] = {}
    for t, ids in enumerate(tracks.ids):
        for instance, rle in encode_ids(ids).items():
            segmentations.setdefault(instance, [None] * len(tracks.ids))[t] = rle
    if VOID in segmentations:
        raise ValueError(f"tracks of {tracks.name!r} have id {VOID}: void is never predicted")
    wrong = [k for k in segmentations if not math.isfinite(tracks.scores[k])]
    if wrong:
        raise ValueError(f"tracks of {tracks.name!r}: scores of ids {wrong} are not finite")
    entries = []
    for instance in sorted(segmentations):
        category = tracks.categories[instance]
        entry = {
            "video_id": int(video_id),
            "category_id": int(category_ids[category] if category_ids else category),
            "score": float(tracks.scores[instance]),
            "segmentations": segmentations[instance],
        }
        if instance in tracks.trust:
            entry["trust"] = float(tracks.trust[instance])
        entries.append(entry)
    return entries


def write_results(path: str | Path, entries: Iterable[Mapping[str, Any]]) -> None:
    """Write entries of `track_results` as `results.json`, or a zip of it if `path` ends in '.zip'.

    The file is replaced once all of the new one is written; the same entries make the same file.
    """
    path = Path(path)
    with replacing(path) as temporary:
        if path.suffix == ".zip":
            member = ZipInfo(MEMBER)  # without the time of day
            member.compress_type = ZIP_DEFLATED
            with (
                ZipFile(temporary, "w") as archive,
                archive.open(member, "w", force_zip64=True) as file,
            ):
                _write_entries(file, entries)
        else:
            with temporary.open("wb") as file:
                _write_entries(file, entries)


def _write_entries(file: IO[bytes], entries: Iterable[Mapping[str, Any]]) -> None:
    with TextIOWrapper(file, encoding="ascii") as text:
        text.write("[")
        separator = "\n"
        for entry in entries:
            text.write(separator + json.dumps(entry, separators=(",", ":")))
            separator = ",\n"
        text.write("\n]\n")


# ---------------------------------------------------------------- reading


def read_results(path: str | Path) -> list[Any]:
    """The predictions of a `results.json` or of a zip, as they are: see `check_results`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no list in valid json, no zip of the right layout, or above `MAX_BYTES`.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if path.suffix == ".zip":
        results = parse_json(_read_member(path), path)
    else:
        _check_size(path.stat().st_size, path)
        results = parse_json(path.read_bytes(), path)
    if not isinstance(results, list):
        raise ValueError(
            f"{path} is a json {type(results).__name__}, expected a list of predictions "
            "{video_id, category_id, score, segmentations}"
        )
    return results


def read_predictions(path: str | Path, annotations: AnnotationFile) -> list[Track]:
    """The predictions of a file, checked but for their masks, to be scored against annotations.

    Raises:
        FileNotFoundError, ValueError: see `read_results` and `parse_predictions`.
    """
    return parse_predictions(read_results(path), annotations, str(path))


def _read_member(path: Path) -> bytes:
    """The one `results.json` in a zip, at its root or deeper."""
    found = [name for name in members(path) if PurePosixPath(name).name == MEMBER]
    if len(found) != 1:
        raise ValueError(
            f"{path} must hold one {MEMBER} at its root, but it holds "
            f"{(found or members(path))[:3]!r:.120}: zip the file, not its folder"
        )
    try:
        with ZipFile(path) as archive:
            _check_size(archive.getinfo(found[0]).file_size, path)
            return archive.read(found[0])
    except UNREADABLE as error:
        raise ValueError(
            f"{path} is no zip that can be read ({error}): zip {MEMBER} again, with no password"
        ) from error


def _check_size(size: int, path: Path) -> None:
    if size > MAX_BYTES:
        raise ValueError(
            f"{path} holds {size} bytes of json, more than {MAX_BYTES}: keep fewer predictions "
            "(at most 100 for each video and category count)"
        )


# ---------------------------------------------------------------- checking


def check_results(annotations: str | Path, results: str | Path) -> list[Finding]:
    """Everything that is wrong with a submission, each finding with its file and entry.

    The scorer of this package is more lenient than the server: it takes uncompressed RLEs,
    polygons, an empty list and a zip whose `results.json` is not at its root.

    Args:
        annotations: annotation file; its public part (videos and categories) is enough.
        results: `results.json`, or the zip to submit.

    Raises:
        FileNotFoundError, ValueError: `annotations` itself cannot be read.
    """
    file = read_annotations(annotations)
    name = str(results)
    try:
        predictions = read_results(results)
    except (FileNotFoundError, ValueError) as error:
        return [Finding.of("unreadable", name, error)]
    findings = _odd_members(Path(results)) if Path(results).suffix == ".zip" else []
    if not predictions:
        message = "is an empty list, on which the server's scorer fails"
        findings.append(Finding("empty", name, message))
    for k, prediction in enumerate(predictions):
        where = f"{results}, prediction {k}"
        problems = list(track_problems(prediction, file, where, scored=True))
        for problem in problems:
            kind = problem.removeprefix(where).lstrip(" :").split("'")[0].split(" of ")[0]
            findings.append(Finding.of(re.sub("[0-9]+", "n", kind)[:40], where, problem))
        if not problems:
            findings += _mask_findings(prediction, file, where)
    predicted = [p.get("video_id") for p in predictions if isinstance(p, dict)]
    missing = [str(video_id) for video_id in file.videos if video_id not in predicted]
    if missing and predictions:
        message = (
            f"predicts nothing in {len(missing)} of {len(file.videos)} videos: ids "
            f"{', '.join(missing[:10])}{', ...' if len(missing) > 10 else ''}"
        )
        findings.append(Finding("missing video", name, message, warning=True))
    return findings


def _mask_findings(
    prediction: Mapping[str, Any], annotations: AnnotationFile, where: str
) -> list[Finding]:
    size = annotations.videos[prediction["video_id"]].size
    segmentations: Sequence[Any] = prediction["segmentations"]
    try:
        read_tracks([segmentations], size, [where])
    except ValueError as error:
        return [Finding.of("damaged mask", where, error)]
    for t, mask in enumerate(segmentations):
        if mask and (isinstance(mask, list) or not isinstance(mask["counts"], str)):
            message = (
                f"segmentation {t} is no compressed RLE, the only kind the server takes: encode "
                "it with pycocotools.mask.encode"
            )
            return [Finding("no compressed RLE", where, message)]
    return []


def _odd_members(path: Path) -> list[Finding]:
    with ZipFile(path) as archive:
        names = archive.namelist()
    findings = []
    if MEMBER not in names:
        message = f"holds {MEMBER} deeper than at its root: zip the file, not its folder"
        findings.append(Finding("wrapped", str(path), message))
    others = [name for name in names if PurePosixPath(name).name != MEMBER]
    if others:
        message = (
            f"holds {len(others)} other entries, such as {others[0]!r:.80}: zip {MEMBER} alone"
        )
        findings.append(Finding("other files", str(path), message, warning=True))
    return findings

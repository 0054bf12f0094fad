"""DAVIS results, `<sequence>/<frame>.png` in a folder or a zip: write and check them.

The check finds what the challenge server would refuse, all of it at once, before an upload.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from tagvis_lite.atomic import replacing
from tagvis_lite.data.images import check_file_name, image_size, list_images, opened_image
from tagvis_lite.data.label_maps import decode_label_map, read_label_map, write_label_map
from tagvis_lite.evaluation.davis import split_sequences
from tagvis_lite.evaluation.davis_sequence import MAX_PROPOSALS
from tagvis_lite.evaluation.findings import Finding
from tagvis_lite.evaluation.protocols import UNSUPERVISED, DavisProtocol
from tagvis_lite.evaluation.result_files import ResultFolder, open_results
from tagvis_lite.video import VOID, Tracks


def write_davis_result(tracks: Tracks, results_dir: str | Path) -> None:
    """Write `tracks` as indexed PNGs, `<results_dir>/<name>/<frame>.png`.

    Raises:
        ValueError: a name that is no file name.
    """
    for name in (tracks.name, *tracks.frame_names):
        check_file_name(name, f"tracks of {tracks.name!r}")
    for name, ids in zip(tracks.frame_names, tracks.ids, strict=True):
        write_label_map(Path(results_dir) / tracks.name / f"{name}.png", ids)


def write_davis_zip(results_dir: str | Path, path: str | Path, sequences: Sequence[str]) -> None:
    """Pack these sequences of a folder as they are uploaded; the same files make the same zip."""
    folder = Path(results_dir)
    files = [file for name in sequences for file in (folder / name).glob("*.png")]
    with replacing(Path(path)) as temporary, ZipFile(temporary, "w") as archive:
        for file in sorted(files):
            member = ZipInfo(file.relative_to(folder).as_posix())  # without the time of day
            archive.writestr(member, file.read_bytes(), ZIP_STORED)


def check_davis_submission(
    davis_root: str | Path,
    results: str | Path,
    protocol: DavisProtocol = UNSUPERVISED,
    *,
    split: str | None = None,
    sequences: Sequence[str] = (),
    resolution: str = "480p",
) -> list[Finding]:
    """Everything that is wrong with results, in the order of the split's list.

    Frames and their size come from `JPEGImages`, so splits without public annotations, or with
    those of the first frame alone, can be checked too. Files and folders that the split does not
    know are ignored, as by the server.

    Args:
        davis_root: the folder that holds `JPEGImages` and `ImageSets`.
        results: a folder of indexed PNGs for each sequence, or the zip to submit.
        protocol: what the results are for.
        split: list of sequences in `ImageSets`; the held-out one when not given.
        sequences: only these; all of the split when not given.
        resolution: folder of the frames: "480p" or "Full-Resolution".

    Raises:
        FileNotFoundError, NotADirectoryError, ValueError: `davis_root` itself cannot be read.
    """
    root = Path(davis_root)
    if not root.is_dir():
        raise NotADirectoryError(f"{root}: no such folder; a DAVIS root holds ImageSets")
    names = sequences or split_sequences(root, protocol, split)
    frames = {name: _frames(root, name, protocol, resolution) for name in names}
    try:
        folder = open_results(results, names)
    except (FileNotFoundError, ValueError) as error:
        return [Finding.of("no results", results, error)]
    findings = []
    if folder.prefix:
        message = f"the sequences lie in {folder.prefix}, where the server does not look for them; "
        message += "zip what is inside" if folder.path.is_file() else "did you mean that folder?"
        findings.append(Finding("wrapped", str(folder.path), message, folder.path.is_dir()))
    for name, paths in frames.items():
        limit = _limit(root, name, protocol, resolution)
        findings += _check_sequence(folder, name, paths, limit)
    return findings


def _frames(root: Path, name: str, protocol: DavisProtocol, resolution: str) -> tuple[Path, ...]:
    """The files that results of a sequence must answer one by one."""
    for folder, suffix in (("JPEGImages", ".jpg"), (str(protocol.annotations), ".png")):
        of_sequence = root / folder / resolution / name
        if of_sequence.is_dir() and (paths := list_images(of_sequence, (suffix,))):
            return paths
    raise FileNotFoundError(
        f"{root / 'JPEGImages' / resolution / name}: no frames, but the split lists sequence "
        f"{name!r}; download it, or choose others by --sequences"
    )


def _limit(root: Path, name: str, protocol: DavisProtocol, resolution: str) -> int:
    """The largest id that results may have."""
    if protocol.foreground:
        return VOID
    if protocol.matched:
        return MAX_PROPOSALS
    first = list_images(root / str(protocol.annotations) / resolution / name, (".png",))[0]
    ids = read_label_map(first)
    return int(ids[ids != VOID].max(initial=0))


def _check_sequence(
    folder: ResultFolder, name: str, frames: Sequence[Path], limit: int
) -> Iterator[Finding]:
    there = folder.frames(name)
    if not there:
        where = str(folder.path / folder.member(name))
        message = f"no such folder; the sequence needs {len(frames)} label maps in it"
        yield Finding("missing sequence", where, message)
        return
    missing = [path.stem for path in frames if path.stem not in there]
    if missing:
        yield Finding(
            "missing label map",
            str(folder.path / folder.member(name, missing[0])),
            f"no such label map; of {len(frames)} frames, {len(missing)} have none, and every "
            "frame needs one, empty or not",
        )
    size = image_size(frames[0])
    empty = True
    for path in frames:
        if path.stem in there:
            member = folder.member(name, path.stem)
            findings, largest = _check_label_map(folder, member, size, limit)
            empty &= largest == 0
            yield from findings
    if empty:
        where = str(folder.path / folder.member(name))
        yield Finding("all background", where, "no frame has an instance", warning=True)


def _check_label_map(
    folder: ResultFolder, member: str, size: tuple[int, int], limit: int
) -> tuple[list[Finding], int]:
    """What is wrong with one file, and its largest id (-1 if it cannot be read)."""
    path = folder.path / member
    try:
        content = folder.read(member)
        with opened_image(path, ("PNG",), content) as image:
            mode, found = image.mode, (image.height, image.width)
        if found != size:
            message = (
                f"is {found[0]} x {found[1]} (height x width), but the frames are {size[0]} x "
                f"{size[1]}; write it again at their size (to resize ids, take the nearest "
                "neighbour)"
            )
            return [Finding("size", str(path), message)], -1
        largest = int(decode_label_map(content, path).max())
    except (OSError, ValueError) as error:
        return [Finding.of("unreadable", path, error)], -1
    if largest == VOID > limit:
        message = "has id 255: a result has no void; write the object of a binary mask as 1"
        return [Finding("id 255", str(path), message)], largest
    if largest > limit:
        message = f"has id {largest}: at most {limit}, numbered from 1, are allowed here"
        return [Finding("too many ids", str(path), message)], largest
    if mode != "P":
        message = f"has no palette (its mode is {mode!r}); the official tool writes indexed PNGs"
        return [Finding("no palette", str(path), message, warning=True)], largest
    return [], largest

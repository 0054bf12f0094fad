"""The folder layout of DAVIS 2017: read it, and write it.

    <root>/ImageSets/2017/<split>.txt                            names of sequences, one a line
    <root>/JPEGImages/480p/<sequence>/00000.jpg                  frames
    <root>/Annotations_unsupervised/480p/<sequence>/00000.png    label maps, PNGs with a palette

Label maps of the semi-supervised task lie in `Annotations`; they are read where there is no
`Annotations_unsupervised`. DAVIS 2016 has the same folders but one object per sequence, which is
255 in its masks: the very value that means void in 2017. `single_object` says which it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath

from tagvis_lite.atomic import replacing, replacing_folder
from tagvis_lite.data.images import (
    ImageFrames,
    at_home,
    check_file_name,
    frames_to_write,
    image_size,
    list_images,
    write_jpeg,
)
from tagvis_lite.data.label_maps import LabelMaps, write_label_map
from tagvis_lite.video import BACKGROUND, VOID, Video

OBJECT = 1
"""Category of every instance: DAVIS has no other."""
ANNOTATIONS = ("Annotations_unsupervised", "Annotations")
"""Folders of label maps, the preferred one first."""
OF_2016 = ("2016", "480p")
"""Folders of lists of DAVIS 2016."""


# ---------------------------------------------------------------- reading a root


def read_davis(
    root: str | Path,
    split: str | None = "val",
    *,
    year: str | None = None,
    single_object: bool | None = None,
    truth: bool = True,
) -> list[Video]:
    """Read a split of a DAVIS root; frames and label maps are decoded when they are asked for.

    Every instance has category 1, 'object': `categories` lists all 254 ids there could be. `ids` is
    None where a sequence has no label maps (the test splits), or has one for its first frame alone
    (the semi-supervised task).

    Args:
        root: the folder that holds `JPEGImages` and `ImageSets`. Frames are those in 480p, or in
            the only folder of another resolution.
        split: a list in `ImageSets/<year>`; None reads every sequence that has frames.
        year: "2017", "2019" (the splits of the challenge) or "2016"; 2017 when not given, or else
            the year that has the split.
        single_object: the masks are those of DAVIS 2016, where 255 is the object and not void; so
            they are when not given and the list is one of 2016.
        truth: without it, label maps are not looked at, and every `ids` is None.

    Raises:
        OSError: `root`, the list, frames, or the partner of a frame or label map are not there.
        ValueError: a list that holds no names; masks of DAVIS 2016 without `single_object`, or the
            reverse; a label map of another size than the frames. On access too: damaged files.
    """
    root = at_home(root)
    frames = frames_folder(root)
    if split is None:
        names = sorted(path.name for path in frames.iterdir() if path.is_dir())
    else:
        listing = find_list(root, split, year)
        names = read_list(listing)
        if single_object is None:
            single_object = listing.parent.name in OF_2016
    return [read_sequence(frames / name, bool(single_object), truth=truth) for name in names]


def frames_folder(root: Path) -> Path:
    """The folder with a folder of frames for each sequence: that of 480p, or the only one.

    Raises:
        NotADirectoryError: there is none, or there are several of other resolutions.
    """
    if not root.is_dir():
        raise NotADirectoryError(
            f"{root}: no such folder; a DAVIS root holds JPEGImages, Annotations and ImageSets"
        )
    folders = sorted(path for path in root.glob("JPEGImages/*") if path.is_dir())
    wanted = root / "JPEGImages" / "480p"
    if wanted in folders:
        return wanted
    if len(folders) != 1:
        raise NotADirectoryError(
            f"{wanted}: no such folder of frames; give the folder that holds JPEGImages/480p (its "
            f"folders are {[folder.name for folder in folders]})"
        )
    return folders[0]


def split_lists(root: Path, year: str | None = None) -> list[Path]:
    """The lists of a root, or of one of its years: those of 2017 first, of 2016 last."""
    folders = {None: ("2017", "2019", *OF_2016), "2016": OF_2016}.get(year, (year,))
    return [p for folder in folders for p in sorted(root.glob(f"ImageSets/{folder}/*.txt"))]


def find_list(root: Path, split: str, year: str | None = None) -> Path:
    """The list of a split. Raises FileNotFoundError, with the splits there are."""
    lists = split_lists(root, year)
    found = next((path for path in lists if path.stem == split), None)
    if found is None:
        splits = ", ".join(dict.fromkeys(path.stem for path in lists))
        raise FileNotFoundError(
            f"{root / 'ImageSets' / (year or '2017') / split}.txt: no such list; "
            + (f"splits here are {splits}: choose one, or " if splits else "")
            + "write one sequence name a line"
        )
    return found


def read_list(path: Path) -> list[str]:
    """Names of the sequences of a split, each once, in the order of its list.

    Raises:
        ValueError: no text, no name in it, or one that is no name of a folder.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text ({error}): copy or download it again") from error
    names = dict.fromkeys(_sequence_of_line(line.strip(), path) for line in lines if line.strip())
    if not names:
        raise ValueError(f"{path} is empty: write one sequence name a line")
    return list(names)


def _sequence_of_line(line: str, path: Path) -> str:
    """'x' or '/JPEGImages/480p/x/00000.jpg /Annotations/480p/x/00000.png' -> 'x'."""
    name = PurePosixPath(line.split()[0]).parent.name if line.startswith("/JPEGImages/") else line
    check_file_name(name, f"{path}, line {line[:80]!r}")
    return name


def read_sequence(folder: Path, single_object: bool = False, *, truth: bool = True) -> Video:
    """Read one sequence by its folder of frames. Arguments and errors are those of `read_davis`."""
    name = folder.name
    if not folder.is_dir():
        raise NotADirectoryError(
            f"{folder}: no such folder, but the split lists sequence {name!r}; download it, or "
            "take it off the list"
        )
    paths = list_images(folder, (".jpg",))
    if not paths:
        raise FileNotFoundError(f"{folder} holds no .jpg: download the sequence again")
    frame_names = [path.stem for path in paths]
    frames = ImageFrames(paths, image_size(paths[0]))
    maps_folder = label_maps_folder(folder, single_object) if truth else None
    maps = list_images(maps_folder, (".png",)) if maps_folder else ()
    first_alone = len(paths) > 1 and [path.stem for path in maps] == frame_names[:1]
    if maps_folder is None or first_alone:
        return Video(name, frames, frame_names=frame_names)

    odd = sorted({path.stem for path in maps} ^ set(frame_names))
    if odd:
        raise FileNotFoundError(
            f"sequence {name!r}: {len(paths)} frames in {folder} but {len(maps)} label maps in "
            f"{maps_folder}; the first without a partner is {odd[0]!r}. Download both again, or "
            "remove the label maps to read the frames alone"
        )
    ids = LabelMaps(maps, frames.size, single_object)
    if single_object:
        _ = ids[0]
    else:
        _refuse_binary_masks(ids)
    return Video(name, frames, ids, dict.fromkeys(range(1, VOID), OBJECT), frame_names)


def label_maps_folder(frames: Path, single_object: bool = False) -> Path | None:
    """The folder of label maps of the sequence whose frames lie in root/JPEGImages/480p/name."""
    kinds = ANNOTATIONS[::-1] if single_object else ANNOTATIONS
    root = frames.parent.parent.parent
    folders = [root / kind / frames.parent.name / frames.name for kind in kinds]
    return next((folder for folder in folders if folder.is_dir()), None)


def _refuse_binary_masks(ids: LabelMaps) -> None:
    """Refuse a sequence of 0 and 255 alone; decodes up to the first frame with another id."""
    all_or_nothing = None
    for t, path in enumerate(ids.paths):
        labels = ids[t]
        if ((labels != BACKGROUND) & (labels != VOID)).any():
            return
        if all_or_nothing is None and labels.any():
            all_or_nothing = path
    if all_or_nothing is not None:
        raise ValueError(
            f"{all_or_nothing} holds only 0 and 255, and so does its whole sequence: a mask of "
            "DAVIS 2016, where 255 is the object, while in DAVIS 2017 it is void; pass "
            "single_object=True"
        )


# ---------------------------------------------------------------- writing a root


def write_davis(
    root: str | Path,
    videos: Iterable[Video],
    split: str,
    *,
    resume: bool = False,
) -> None:
    """Write videos as a split of a DAVIS root.

    Label maps are exact, frames JPEGs of quality 95. A sequence appears whole, and the list of the
    split last: a killed run leaves no half of either. Nothing that is there already is overwritten.

    Args:
        root: made if it is missing.
        videos: taken one at a time; without `ids`, only frames are written.
        split: name of the list, `ImageSets/2017/<split>.txt`.
        resume: go on with the split of a killed run: sequences that are there are left alone.

    Raises:
        FileExistsError: without `resume`, the split, or a sequence of one of the names, is there.
        ValueError: no videos, names that are no file names, or see `frames_to_write`.
    """
    root = Path(root)
    check_file_name(split, "a split names a file")
    listing = root / "ImageSets" / "2017" / f"{split}.txt"
    if listing.exists():
        if resume:
            return
        raise FileExistsError(f"{listing} already exists: choose another split or root, or delete")
    names: list[str] = []
    for video in videos:
        check_file_name(video.name, "name of a video")
        folder = root / "JPEGImages" / "480p" / video.name
        annotations = root / ANNOTATIONS[0] / "480p" / video.name
        names.append(video.name)
        if resume and folder.exists():
            continue
        for path in (folder, annotations):
            if path.exists() and not resume:
                raise FileExistsError(
                    f"{path} already exists (two videos of one name, another split, or the rest "
                    "of a killed run): rename the video, choose another root, or delete it"
                )
        shutil.rmtree(annotations, ignore_errors=True)
        _write_sequence(video, folder, annotations)
    if not names:
        raise ValueError(f"{listing}: no videos to write")
    with replacing(listing) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")


def _write_sequence(video: Video, folder: Path, annotations: Path) -> None:
    with replacing_folder(folder) as frames, ExitStack() as stack:
        label_maps = None
        if video.ids is not None:
            label_maps = stack.enter_context(replacing_folder(annotations))
        for name, frame, ids in frames_to_write(video):
            write_jpeg(frames / f"{name}.jpg", frame)
            if label_maps is not None and ids is not None:
                write_label_map(label_maps / f"{name}.png", ids)

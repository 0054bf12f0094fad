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
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from tagvis_lite.atomic import replacing, replacing_folder
from tagvis_lite.data.files import (
    ImageFrames,
    check_file_name,
    check_size,
    frames_to_write,
    image_size,
    list_images,
    opened_image,
    write_jpeg,
)
from tagvis_lite.video import BACKGROUND, VOID, Video

OBJECT = 1
"""Category of every instance: DAVIS has no other."""


def _colour_map() -> np.ndarray:
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        colours[:, bit % 3] |= (((ids >> bit) & 1) << (7 - bit // 3)).astype(np.uint8)
    return colours


PALETTE = _colour_map()
"""Colour of each id, uint8 256 x 3: the PASCAL VOC colour map, which DAVIS uses. The bits of an id
go to red, green and blue in turn, the lowest to the most significant bits of the colours."""


# ---------------------------------------------------------------- one label map


def read_label_map(path: str | Path, *, foreground_255: bool = False) -> np.ndarray:
    """Read the ids in a PNG with a palette, in grey, or of 1 bit: uint8, H x W.

    Pillow gives the indices, where OpenCV would give the colours of the palette.

    Args:
        path: the file.
        foreground_255: 255 is the object of a binary mask (DAVIS 2016) and becomes id 1.

    Raises:
        FileNotFoundError: no such file.
        ValueError: truncated, no PNG, or a PNG that holds colours instead of ids.
    """
    image = _opened_label_map(Path(path), decode=True)
    ids = np.array(image, np.uint8)
    if foreground_255:
        ids[ids == VOID] = 1
    return ids


def label_map_size(path: Path) -> tuple[int, int]:
    """H x W from the header of a label map. Raises as `read_label_map`, but reads no pixels."""
    image = _opened_label_map(path, decode=False)
    return image.height, image.width


def _opened_label_map(path: Path, *, decode: bool) -> Image.Image:
    with opened_image(path, ("PNG",)) as image:
        # Pillow stretches grey levels of 2 or 4 bits to 0..255; how they are stored says so.
        stretched = any(tile[3] in ("L;2", "L;4") for tile in getattr(image, "tile", ()))
        if decode:
            image.load()
    if image.mode not in ("P", "L", "1") or stretched:
        held = "grey levels of 2 or 4 bits" if stretched else f"pixels of mode {image.mode}"
        raise ValueError(
            f"{path} holds {held}, not ids: save label maps as PNGs with a palette, or in grey of "
            "8 bits (tagvis_lite.data.davis.write_label_map does; OpenCV loses the palette)"
        )
    return image


def write_label_map(path: str | Path, ids: np.ndarray) -> None:
    """Write uint8 H x W ids as a PNG with the palette of DAVIS, atomically.

    Raises:
        ValueError: `ids` of another type or shape.
    """
    path = Path(path)
    if ids.dtype != np.uint8 or ids.ndim != 2 or ids.size == 0:
        raise ValueError(f"{path}: label map is {ids.dtype} {ids.shape}, expected uint8 H x W")
    image = Image.fromarray(ids)
    image.putpalette(PALETTE.tobytes())
    with replacing(path) as temporary:
        image.save(temporary, "PNG")


@dataclass(frozen=True)
class LabelMaps:
    """The label maps of one sequence, each decoded to uint8 H x W when it is asked for.

    Attributes:
        paths: T files.
        size: H x W that every label map must have.
        single_object: masks of DAVIS 2016, 0 and 255, which become ids 0 and 1.
    """

    paths: tuple[Path, ...]
    size: tuple[int, int]
    single_object: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> np.ndarray:
        path = self.paths[index]
        ids = read_label_map(path)
        check_size(path, ids.shape, self.size)
        if not self.single_object:
            return ids
        present = np.flatnonzero(np.bincount(ids.ravel(), minlength=256)).tolist()
        if set(present) - {BACKGROUND} not in (set(), {1}, {VOID}):
            raise ValueError(
                f"{path} holds ids {present}, but a DAVIS-2016 mask has only 0 and 255: drop "
                "single_object=True"
            )
        return (ids != BACKGROUND).astype(np.uint8)


# ---------------------------------------------------------------- reading a root


def read_davis(
    root: str | Path,
    split: str = "val",
    *,
    year: str = "2017",
    resolution: str = "480p",
    single_object: bool = False,
) -> list[Video]:
    """Read a split of a DAVIS root; frames and label maps are decoded when they are asked for.

    Every instance has category 1, 'object': `categories` lists all 254 ids there could be, because
    which of them occur is known only after decoding. `ids` is None where a sequence has no
    annotations (the test splits).

    Args:
        root: the folder that holds `JPEGImages` and `ImageSets`.
        split: a file in `ImageSets/<year>`. Its lines are names of sequences, or pairs of a frame
            and its annotation, as in DAVIS 2016 (whose own folder is `ImageSets/<resolution>`).
        year: "2017", "2019" (the splits of the challenge) or "2016".
        resolution: folder of frames and annotations, "480p" or "Full-Resolution".
        single_object: the masks are those of DAVIS 2016, where 255 is the object and not void.

    Raises:
        NotADirectoryError: `root`, its frames, or the frames of a sequence are not there.
        FileNotFoundError: no list of the split; frames without annotation, or the reverse.
        ValueError: a list that holds no names; masks of DAVIS 2016 without `single_object`, or the
            reverse; a label map of another size than the frames. On access too: damaged files.
    """
    root = Path(root)
    if not root.is_dir():
        raise NotADirectoryError(
            f"{root}: no such folder; a DAVIS root holds JPEGImages, Annotations and ImageSets"
        )
    if not (root / "JPEGImages" / resolution).is_dir():
        raise NotADirectoryError(
            f"{root / 'JPEGImages' / resolution}: no such folder of frames; give the folder that "
            "holds JPEGImages, and its resolution (480p, Full-Resolution)"
        )
    frames_root = root / "JPEGImages" / resolution
    annotations_root = find_annotations(root, year, resolution)
    return [
        _read_sequence(frames_root, annotations_root, name, single_object)
        for name in read_split(root, split, year, resolution)
    ]


def find_annotations(root: Path, year: str, resolution: str) -> Path | None:
    """The folder with a folder of label maps for each sequence; None if the root has none."""
    candidates = [root / folder / resolution for folder in _annotation_folders(year)]
    return next((folder for folder in candidates if folder.is_dir()), None)


def _annotation_folders(year: str) -> tuple[str, ...]:
    """Names of the folder of annotations, the preferred one first."""
    return ("Annotations",) if year == "2016" else ("Annotations_unsupervised", "Annotations")


def read_split(root: Path, split: str, year: str, resolution: str) -> list[str]:
    """Names of the sequences of a split, each once, in the order of its list."""
    path = root / "ImageSets" / year / f"{split}.txt"
    if year == "2016" and not path.is_file():
        of_2016 = root / "ImageSets" / resolution / f"{split}.txt"
        path = of_2016 if of_2016.is_file() else path
    if not path.is_file():
        others = sorted(other.stem for other in path.parent.glob("*.txt"))
        sequences = sorted(p.name for p in (root / "JPEGImages" / resolution).iterdir())[:3]
        raise FileNotFoundError(
            f"{path}: no such list; "
            + (f"splits here are {others}" if others else f"no list for year {year} is here")
            + f". Choose another split or year, or write one sequence name a line ({sequences}...)"
        )
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


def _read_sequence(
    frames_root: Path, annotations_root: Path | None, name: str, single_object: bool
) -> Video:
    folder = frames_root / name
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
    if annotations_root is None or not (annotations_root / name).is_dir():
        return Video(name, frames, frame_names=frame_names)

    annotations = list_images(annotations_root / name, (".png",))
    odd = sorted({path.stem for path in annotations} ^ set(frame_names))
    if odd:
        raise FileNotFoundError(
            f"sequence {name!r}: {len(paths)} frames in {folder} but {len(annotations)} label maps "
            f"in {annotations_root / name}; the first without a partner is {odd[0]!r}. Download "
            "both again, or remove the label maps to read the frames alone"
        )
    ids = LabelMaps(annotations, frames.size, single_object)
    if single_object:
        _ = ids[0]
    else:
        _refuse_binary_masks(ids)
    return Video(name, frames, ids, dict.fromkeys(range(1, VOID), OBJECT), frame_names)


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
    year: str = "2017",
    resolution: str = "480p",
    resume: bool = False,
) -> None:
    """Write videos as a split of a DAVIS root.

    Label maps are exact. Frames are JPEGs, as the layout demands, and JPEG is lossy (quality 95,
    full chroma resolution). A sequence appears whole, its frames after its label maps, and the list
    of the split last: a killed run leaves no half of either. Nothing that is there already is
    overwritten.

    Args:
        root: made if it is missing.
        videos: taken one at a time; without `ids`, only frames are written.
        split: name of the list, `ImageSets/<year>/<split>.txt`.
        year: with "2016", label maps go to `Annotations`, else to `Annotations_unsupervised`.
        resolution: folder of frames and label maps.
        resume: go on with the split of a killed run: sequences that are there are left alone.

    Raises:
        FileExistsError: without `resume`, the split, or a sequence of one of the names, is there.
        ValueError: no videos, names that are no file names, or see `frames_to_write`.
    """
    root = Path(root)
    for name in (split, year, resolution):
        check_file_name(name, "split, year and resolution name files and folders")
    listing = root / "ImageSets" / year / f"{split}.txt"
    if listing.exists():
        if resume:
            return
        raise FileExistsError(f"{listing} already exists: choose another split or root, or delete")
    names: list[str] = []
    for video in videos:
        check_file_name(video.name, "name of a video")
        folder = root / "JPEGImages" / resolution / video.name
        annotations = root / _annotation_folders(year)[0] / resolution / video.name
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

"""Put the real data sets where the rest of the package finds them.

DAVIS 2017 is downloaded. YouTube-VIS is handed out after registration only: its archives are taken
from a folder that the user fills.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tagvis_lite.atomic import replacing
from tagvis_lite.data.archives import common_folder, extract, list_members
from tagvis_lite.data.download import download

DAVIS_URL = (
    "https://data.vision.ee.ethz.ch/csergi/share/davis/DAVIS-2017-Unsupervised-trainval-480p.zip"
)
"""The address that davischallenge.org gives. Its makers publish no hash."""
DAVIS_PARTS = ("JPEGImages/480p", "Annotations_unsupervised/480p", "ImageSets/2017")
SPLITS = ("train", "valid", "test")
YOUTUBE_VIS_ARCHIVES = (
    "register at youtube-vos.org/dataset/vis, and put into one folder, under their own names: "
    "train.zip, valid.zip, test.zip (of 2021; each holds JPEGImages and instances.json), or "
    "train.zip, valid.zip, test.zip with train.json, valid.json, test.json beside them (of 2019). "
    "One split is enough"
)


def obtain_davis(out: Path, *, url: str = DAVIS_URL, sha256: str | None = None) -> tuple[Path, str]:
    """Download and unpack DAVIS 2017 Unsupervised, trainval, 480p; goes on where it stopped.

    The archive stays in `out`, with its hash beside it.

    Args:
        out: folder for the archive and, inside, the root `DAVIS`.
        url: of the archive.
        sha256: what its SHA-256 must be, in hex; see `download`.

    Returns:
        The root, and the SHA-256 of the archive.

    Raises:
        ValueError: another hash, or an archive of another layout; or see `extract`.
        OSError: see `download` and `extract`.
    """
    archive = out / Path(urlsplit(url).path).name
    found = download(url, archive, sha256=sha256)
    members = list_members(archive)
    top = common_folder(members)
    for part in DAVIS_PARTS:
        if top is None or not any(m.name.startswith(f"{top}/{part}/") for m in members):
            raise ValueError(
                f"{archive} holds no folder {part}: it is not DAVIS-2017 Unsupervised in 480p; "
                "delete it, or give the --url of that"
            )
    assert top is not None
    extract(archive, out)
    return out / top, found


@dataclass(frozen=True)
class _Split:
    """A split, its archive, the folder to unpack that to, and its json if that lies beside it."""

    name: str
    archive: Path
    target: Path
    annotations: Path | None


def obtain_youtube_vis(archives: Path, out: Path) -> list[str]:
    """Unpack YouTube-VIS 2019 or 2021 from the archives that its makers hand out.

    All archives are looked at before the first is unpacked. A second call completes the first.

    Args:
        archives: folder with `<split>.zip`, and for 2019 `<split>.json`, of train, valid or test.
        out: root to make, or to complete.

    Returns:
        Names of the splits.

    Raises:
        NotADirectoryError: no folder `archives`.
        FileNotFoundError: no archive in it, or no annotations of a split.
        ValueError: an archive of another layout; or see `extract`.
        OSError: see `extract`.
    """
    if not archives.is_dir():
        raise NotADirectoryError(f"{archives}: no such folder; {YOUTUBE_VIS_ARCHIVES}")
    splits = [
        _look_into(archives / f"{name}.zip", name, out)
        for name in SPLITS
        if (archives / f"{name}.zip").is_file()
    ]
    if not splits:
        raise FileNotFoundError(f"{archives} holds no train.zip: {YOUTUBE_VIS_ARCHIVES}")
    for split in splits:
        extract(split.archive, split.target)
        if split.annotations is not None:
            with replacing(out / f"{split.name}.json") as temporary:
                shutil.copyfile(split.annotations, temporary)
    return [split.name for split in splits]


def _look_into(archive: Path, name: str, out: Path) -> _Split:
    members = list_members(archive)
    inside = common_folder(members) == name  # the split's own folder, or what belongs into it
    names = [member.name.removeprefix(f"{name}/") if inside else member.name for member in members]
    if not any(n.startswith("JPEGImages/") for n in names):
        raise ValueError(
            f"{archive} holds no {name}/JPEGImages and no JPEGImages at its top: it is not an "
            f"archive of YouTube-VIS; {YOUTUBE_VIS_ARCHIVES}"
        )
    beside = archive.with_suffix(".json")
    if "instances.json" not in names and not beside.is_file():
        raise FileNotFoundError(
            f"{beside}: no such file, and {archive} holds no instances.json: {YOUTUBE_VIS_ARCHIVES}"
        )
    return _Split(
        name,
        archive,
        out if inside else out / name,
        None if "instances.json" in names else beside,
    )

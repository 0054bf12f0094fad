"""Put the real data sets where the rest of the package finds them.

DAVIS 2017 can be downloaded; the archives of YouTube-VIS are handed out after registration. Both
are zips, and are looked at before the first file is written. A split, or the root of DAVIS, appears
when all of it is unpacked: after a kill, the same command starts that one anew.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo, is_zipfile

from tqdm.auto import tqdm

from tagvis_lite.atomic import naming, replacing, replacing_folder

DAVIS_URL = (
    "https://data.vision.ee.ethz.ch/csergi/share/davis/DAVIS-2017-Unsupervised-trainval-480p.zip"
)
"""The address that davischallenge.org gives. Its makers publish no hash."""
DAVIS_PARTS = ("JPEGImages/480p", "Annotations_unsupervised/480p", "ImageSets/2017")
BY_HAND = "fetch it with 'curl -C - -LO {url}', which goes on where it stopped, and give --archive"
SPLITS = ("train", "valid", "test")
YOUTUBE_VIS_ARCHIVES = (
    "register at youtube-vos.org/dataset/vis, and put into one folder, under their own names: "
    "train.zip, valid.zip, test.zip (of 2021; each holds JPEGImages and instances.json), or "
    "train.zip, valid.zip, test.zip with train.json, valid.json, test.json beside them (of 2019). "
    "One split is enough"
)


def obtain_davis(out: Path, archive: Path | None = None, *, url: str = DAVIS_URL) -> Path:
    """Unpack DAVIS 2017 Unsupervised, trainval, 480p, and download it first where need be.

    Args:
        out: folder for the root `DAVIS`, and for the archive if it is downloaded.
        archive: the zip, if it is on this machine already.
        url: where to download it from if it is not.

    Returns:
        The root.

    Raises:
        ValueError: a zip of another layout, or a damaged one.
        OSError: no server, no room on the disk, or a root `DAVIS` that lacks files of the archive.
    """
    if archive is None:
        archive = out / url.rsplit("/", 1)[-1]
        if not archive.is_file():
            _download(url, archive)
    members = _members(archive)
    top = next(iter(members)).split("/")[0]
    for part in DAVIS_PARTS:
        if not any(name.startswith(f"{top}/{part}/") for name in members):
            raise ValueError(
                f"{archive} holds no folder {part}: it is not DAVIS-2017 Unsupervised in 480p; "
                f"for that, {BY_HAND.format(url=DAVIS_URL)}"
            )
    _unpack(archive, members, f"{top}/", out / top)
    return out / top


def obtain_youtube_vis(archives: Path, out: Path) -> list[str]:
    """Unpack YouTube-VIS 2019 or 2021 from the archives that its makers hand out.

    All archives are looked at before the first is unpacked. A second call completes the first.

    Args:
        archives: folder with `<split>.zip`, and for 2019 `<split>.json`, of train, valid or test.
        out: root to make, or to complete.

    Returns:
        Names of the splits.

    Raises:
        ValueError: an archive of another layout, or a damaged one.
        OSError: no archives, no annotations, no room, or a split that lacks files of its archive.
    """
    if not archives.is_dir():
        raise NotADirectoryError(f"{archives}: no such folder; {YOUTUBE_VIS_ARCHIVES}")
    found = [path for name in SPLITS if (path := archives / f"{name}.zip").is_file()]
    if not found:
        raise FileNotFoundError(f"{archives} holds no train.zip: {YOUTUBE_VIS_ARCHIVES}")
    for archive, (members, prefix, beside) in {a: _look_into(a) for a in found}.items():
        _unpack(archive, members, prefix, out / archive.stem)
        if beside is not None:
            with replacing(out / beside.name) as temporary:
                shutil.copyfile(beside, temporary)
    return [archive.stem for archive in found]


def _look_into(archive: Path) -> tuple[dict[str, ZipInfo], str, Path | None]:
    """The files of a split, what precedes their names, and its json if that lies beside."""
    members, name = _members(archive), archive.stem
    prefix = f"{name}/" if all(member.startswith(f"{name}/") for member in members) else ""
    if not any(member.startswith(f"{prefix}JPEGImages/") for member in members):
        raise ValueError(
            f"{archive} holds no {name}/JPEGImages and no JPEGImages at its top: it is not an "
            f"archive of YouTube-VIS; {YOUTUBE_VIS_ARCHIVES}"
        )
    inside = f"{prefix}instances.json" in members
    beside = archive.with_suffix(".json")
    if not inside and not beside.is_file():
        raise FileNotFoundError(
            f"{beside}: no such file, and {archive} holds no instances.json: {YOUTUBE_VIS_ARCHIVES}"
        )
    return members, prefix, None if inside else beside


def _download(url: str, path: Path) -> None:
    from torch.hub import download_url_to_file

    try:
        with replacing(path) as temporary:
            download_url_to_file(url, str(temporary))
            if not is_zipfile(temporary):  # its table of contents lies at the end
                raise OSError("what arrived is no whole zip: the connection was lost")
    except OSError as error:
        raise OSError(f"{url}: {error}; {BY_HAND.format(url=url)}") from error


# ---------------------------------------------------------------- zips


@contextmanager
def _opened(archive: Path) -> Iterator[ZipFile]:
    """Open a zip; damage that is found inside becomes one kind of error."""
    if not archive.is_file():
        raise FileNotFoundError(f"{archive}: no such archive")
    try:
        with ZipFile(archive) as opened:
            yield opened
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(  # a RuntimeError asks for a password
            f"{archive} cannot be unpacked ({' '.join(str(error).split())}): it is cut off, "
            "damaged, locked, or no zip; download or copy it again"
        ) from error


def _members(archive: Path) -> dict[str, ZipInfo]:
    """The files of a zip by name, without what macOS adds."""
    with _opened(archive) as opened:
        files = {info.filename: info for info in opened.infolist() if not info.is_dir()}
    for name in list(files):
        if name.startswith("__MACOSX/") or name.endswith(".DS_Store"):
            del files[name]
    if not files:
        raise ValueError(f"{archive} is empty: download or copy it again")
    return files


def _unpack(archive: Path, members: dict[str, ZipInfo], prefix: str, root: Path) -> None:
    """Unpack what lies under `prefix` to `root`; a root that holds all of it is left alone.

    `ZipFile` keeps hostile names (`../x`, `/x`, links) inside the folder it unpacks to.
    """
    chosen = {
        name.removeprefix(prefix): m for name, m in members.items() if name.startswith(prefix)
    }
    if root.exists():
        for name, member in chosen.items():
            path = root / name
            if not path.is_file() or path.stat().st_size != member.file_size:
                raise FileExistsError(
                    f"{root} is there already, but its {name} is not that of {archive}: choose "
                    "another --out, or delete it"
                )
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    needed, free = sum(m.file_size for m in chosen.values()), shutil.disk_usage(root.parent).free
    if needed > free:
        raise OSError(
            f"{archive} needs {needed / 1e9:.1f} GB in {root.parent}, but the disk has "
            f"{free / 1e9:.1f} GB: free some, or choose a folder on another disk"
        )
    bar = tqdm(chosen.items(), "unpack", unit="file", mininterval=1.0, disable=None)
    with _opened(archive) as opened, replacing_folder(root) as folder, naming(root):
        for name, member in bar:
            member.filename = name
            opened.extract(member, folder)

"""AP and AR against the definition (`literal_youtube_vis`), COCOeval, TrackEval, and by hand."""

import copy
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import official_youtube_vis as official
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from tagvis_lite.data.youtube_vis_json import (
    parse_annotations,
    parse_predictions,
    read_annotations,
    restrict,
)
from tagvis_lite.evaluation.youtube_vis import (
    YoutubeVISScores,
    evaluate_parsed,
    evaluate_tracks,
    evaluate_youtube_vis,
    notes,
    youtube_vis_protocol,
)
from tagvis_lite.evaluation.youtube_vis_submission import read_predictions, track_results
from tagvis_lite.paper import youtube_vis as literal
from tagvis_lite.video import Tracks, Video

FUZZ = settings(max_examples=60, deadline=None)


def rle(mask: np.ndarray) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def uncompressed(segmentation: dict[str, Any] | None) -> dict[str, Any] | None:
    if segmentation is None:
        return None
    pixels = coco_mask.decode(segmentation).ravel(order="F")
    changes = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff(np.concatenate([[0], changes, [len(pixels)]])).tolist()
    return {"size": segmentation["size"], "counts": [0, *runs] if pixels[0] else runs}


def box(size: tuple[int, int], top: int, left: int, bottom: int, right: int) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def data_set(
    tracks: list[list[np.ndarray | None]],
    found: list[tuple[list[np.ndarray | None], float]],
    **annotation: Any,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One video of id 7 and one category of id 3: objects, and detections with their scores."""
    shape = next(mask.shape for track in tracks for mask in track if mask is not None)
    video = {"id": 7, "height": shape[0], "width": shape[1], "length": len(tracks[0])}

    def entry(track: list[np.ndarray | None], **more: Any) -> dict[str, Any]:
        masks = [None if mask is None else rle(mask) for mask in track]
        return {"video_id": 7, "category_id": 3, "segmentations": masks, **more}

    ground_truth = {
        "videos": [video],
        "categories": [{"id": 3, "name": "fox"}],
        "annotations": [entry(track, iscrowd=0, **annotation) for track in tracks],
    }
    return ground_truth, [entry(track, score=score) for track, score in found]


def equal(scores: YoutubeVISScores, expected: dict[str, float]) -> bool:
    """To the last bit; NaN equals NaN."""
    return repr(scores.values()) == repr(expected)


# ---------------------------------------------------------------- random data sets


@st.composite
def segmentation_lists(draw: st.DrawFn, size: tuple[int, int], length: int) -> list[Any]:
    """A list of boxes, a few of them empty or missing; they overlap freely."""
    units = st.integers(0, 6)
    masks: list[Any] = []
    for _ in range(length):
        corners = draw(st.none() | st.tuples(units, units, units, units))
        if corners is None:
            masks.append(None)
            continue
        top, left, bottom, right = (
            corner * side // 6 for corner, side in zip(corners, (*size, *size), strict=True)
        )
        masks.append(rle(box(size, top, left, bottom, right)))
    return masks


@st.composite
def data_sets(draw: st.DrawFn, crowds: bool = True) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Up to 3 videos, 3 categories, of which one may have no object; equal scores; near misses."""
    videos, annotations, results = [], [], []
    for video_id in draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True)):
        size = draw(st.sampled_from([(6, 12), (150, 140), (290, 300)]))
        length = draw(st.integers(1, 3))
        videos.append(
            {
                "id": video_id,
                "height": size[0],
                "width": size[1],
                "length": length,
                "file_names": [f"v{video_id}/{t:05d}.jpg" for t in range(length)],
            }
        )
        here = []
        for _ in range(draw(st.integers(0, 3))):
            masks = draw(segmentation_lists(size, length))
            here.append(
                {
                    "id": len(annotations) + len(here) + 1,
                    "video_id": video_id,
                    "category_id": draw(st.integers(1, 2)),
                    "iscrowd": draw(st.integers(0, int(crowds))),
                    "segmentations": masks,
                    "areas": [mask and int(coco_mask.area(mask)) for mask in masks],
                    "height": size[0],
                    "width": size[1],
                }
            )
        annotations += here
        for _ in range(draw(st.integers(0, 5))):
            near = draw(st.none() | st.sampled_from(here)) if here else None
            drawn = draw(segmentation_lists(size, length))
            kept = draw(st.lists(st.booleans(), min_size=length, max_size=length))
            results.append(
                {
                    "video_id": video_id,
                    "category_id": near["category_id"] if near else draw(st.integers(1, 3)),
                    "score": draw(st.sampled_from([0.1, 0.5, 0.9])),
                    "segmentations": [
                        near["segmentations"][t] if near and keep else drawn[t]
                        for t, keep in enumerate(kept)
                    ],
                }
            )
    categories = [{"id": k, "name": f"kind {k}"} for k in (2, 1, 3)]
    return {"videos": videos, "categories": categories, "annotations": annotations}, results


@FUZZ
@given(data_sets())
def test_equals_the_literal_definition(data: Any) -> None:
    ground_truth, results = data
    scores = evaluate_youtube_vis(ground_truth, results)
    assert equal(scores, literal.evaluate(ground_truth, results))
    assert equal(scores, official.evaluate(ground_truth, results))
    for category, alone in scores.per_category.items():
        assert equal(alone, literal.evaluate(ground_truth, results, [category]))


@FUZZ
@given(data_sets())
def test_input_is_not_changed_and_uncompressed_masks_score_the_same(data: Any) -> None:
    ground_truth, results = data
    before = copy.deepcopy(data)
    expected = evaluate_youtube_vis(ground_truth, results)
    assert (ground_truth, results) == before
    for entry in [*ground_truth["annotations"], *results]:
        entry["segmentations"] = [uncompressed(mask) or {} for mask in entry["segmentations"]]
        entry.pop("areas", None)
    assert repr(evaluate_youtube_vis(ground_truth, results)) == repr(expected)


def track_eval(ground_truth: dict[str, Any], results: list[Any], folder: Path) -> dict[str, float]:
    """TrackEval's numbers, told the thresholds and areas of YouTube-VIS.

    It subtracts an epsilon from each threshold, so that is added; and it takes what is matched to
    the detection with id 0 for free, so ids start at 1. Equal scores it ranks in the file's order
    of videos, so that is made the order of ids. What it cannot do are crowds.
    """
    from trackeval.datasets import YouTubeVIS
    from trackeval.metrics import TrackMAP

    ground_truth = copy.deepcopy(ground_truth)
    ground_truth["videos"].sort(key=lambda video: video["id"])
    for entry in ground_truth["annotations"]:
        entry["segmentations"] = [uncompressed(mask) for mask in entry["segmentations"]]
    of_split = folder / "gt" / "youtube_vis_val"
    of_tracker = folder / "trackers" / "youtube_vis_val" / "ours" / "data"
    for path, content in ((of_split, ground_truth), (of_tracker, results)):
        path.mkdir(parents=True, exist_ok=True)
        (path / "all.json").write_text(json.dumps(content))
    dataset = YouTubeVIS(
        {
            "GT_FOLDER": f"{folder}/gt/",
            "TRACKERS_FOLDER": f"{folder}/trackers/",
            "SPLIT_TO_EVAL": "val",
            "PRINT_CONFIG": False,
        }
    )
    dataset.global_tid_counter = 1
    metric = TrackMAP(
        {
            "USE_TIME_RANGES": False,
            "AREA_RANGES": [[0, 128**2], [128**2, 256**2], [256**2, 1e10]],
            "IOU_THRESHOLDS": np.linspace(0.5, 0.95, 10) + np.finfo(float).eps,
            "MAX_DETECTIONS": 100,
            "PRINT_CONFIG": False,
        }
    )
    raw = {sequence: dataset.get_raw_seq_data("ours", sequence) for sequence in dataset.seq_list}
    by_class = {}
    for name in dataset.class_list:
        by_sequence = {
            sequence: metric.eval_sequence(dataset.get_preprocessed_seq_data(raw[sequence], name))
            for sequence in dataset.seq_list
        }
        by_class[name] = metric.combine_sequences(by_sequence)
    found = metric.combine_classes_class_averaged(by_class)

    def mean(values: np.ndarray) -> float:
        return math.nan if (values == -1).any() else float(np.mean(values))

    return {
        "AP": mean(found["AP_all"]),
        "AP50": mean(found["AP_all"][:1]),
        "AP75": mean(found["AP_all"][5:6]),
        "AP_small": mean(found["AP_area_s"]),
        "AP_medium": mean(found["AP_area_m"]),
        "AP_large": mean(found["AP_area_l"]),
        "AR100": mean(found["AR_all"]),
    }


@settings(max_examples=25, deadline=None)
@given(data=data_sets(crowds=False))
def test_agrees_with_track_eval(tmp_path_factory: Any, data: Any) -> None:
    pytest.importorskip("trackeval")
    ground_truth, results = data
    found = evaluate_youtube_vis(ground_truth, results).values()
    theirs = track_eval(ground_truth, results, tmp_path_factory.mktemp("track_eval"))
    assert {key: found[key] for key in theirs} == pytest.approx(theirs, abs=1e-12, nan_ok=True)


@st.composite
def label_maps(draw: st.DrawFn) -> tuple[list[Video], list[Tracks]]:
    videos, tracks = [], []
    for name in "ab"[: draw(st.integers(1, 2))]:
        shape = (draw(st.integers(1, 3)), 3, 4)
        cells = st.lists(st.integers(0, 4), min_size=math.prod(shape), max_size=math.prod(shape))
        ids = np.array(draw(cells), np.uint8).reshape(shape)
        same = np.array(draw(cells), np.uint8).reshape(shape)
        changed = np.where(draw(st.booleans()), ids, same).astype(np.uint8)
        changed[0, 0] = same[0, 0]
        kinds = st.fixed_dictionaries({k: st.integers(1, 2) for k in (1, 2, 3, 4)})
        scores = st.fixed_dictionaries({k: st.sampled_from([0.2, 0.8]) for k in (1, 2, 3, 4)})
        videos.append(Video(name, np.zeros((*shape, 3), np.uint8), ids=ids, categories=draw(kinds)))
        tracks.append(Tracks(name, changed, draw(kinds), draw(scores)))
    return videos, tracks


@FUZZ
@given(label_maps())
def test_label_maps_score_as_their_rles(data: tuple[list[Video], list[Tracks]]) -> None:
    videos, tracks = data
    ground_truth: dict[str, Any] = {"videos": [], "annotations": []}
    ground_truth["categories"] = [{"id": 1, "name": "1"}, {"id": 2, "name": "2"}]
    results = []
    for k, (video, of_video) in enumerate(zip(videos, tracks, strict=True)):
        ids = video.read_ids(range(len(video)))
        objects = Tracks(video.name, ids, video.categories, dict.fromkeys(range(1, 5), 1.0))
        ground_truth["videos"].append(
            {"id": k, "height": ids.shape[1], "width": ids.shape[2], "length": len(ids)}
        )
        ground_truth["annotations"] += [{**e, "iscrowd": 0} for e in track_results(objects, k)]
        results += track_results(of_video, k)
    expected = evaluate_youtube_vis(ground_truth, results)
    assert repr(evaluate_tracks(videos, tracks[::-1]).values()) == repr(expected.values())


# ---------------------------------------------------------------- by hand

LEFT, RIGHT = box((4, 8), 0, 0, 4, 4), box((4, 8), 0, 4, 4, 8)


def test_average_precision_by_hand() -> None:
    """Hit, miss, hit: precision 1 up to recall 1/2 (51 of 101 points), then 2/3."""
    ground_truth, results = data_set(
        [[LEFT], [RIGHT]], [([LEFT], 0.9), ([LEFT], 0.8), ([RIGHT], 0.7)]
    )
    scores = evaluate_youtube_vis(ground_truth, results)
    expected = pytest.approx((51 + 50 * 2 / 3) / 101)
    assert [scores.AP, scores.AP50, scores.AP75, scores.AP_small] == [expected] * 4
    assert (scores.AR1, scores.AR10, scores.AR100) == (0.5, 1.0, 1.0)
    assert math.isnan(scores.AP_medium)
    assert math.isnan(scores.AP_large)


def test_iou_is_a_ratio_of_sums_over_frames() -> None:
    """2 of 4 pixels in one frame, 4 of 4 in the next: 6 / 8 = 0.75, which reaches 0.75."""
    whole, half = box((2, 2), 0, 0, 2, 2), box((2, 2), 0, 0, 1, 2)
    scores = evaluate_youtube_vis(*data_set([[whole, whole]], [([half, whole], 1.0)]))
    assert pytest.approx(0.6) == scores.AP
    assert pytest.approx(1) == scores.AP75
    absent = evaluate_youtube_vis(*data_set([[whole, whole]], [([None, whole], 1.0)]))
    assert pytest.approx(0.1) == absent.AP


def test_one_track_per_object_even_if_ids_switch() -> None:
    scores = evaluate_youtube_vis(
        *data_set([[LEFT, LEFT, LEFT]], [([LEFT, None, None], 0.9), ([None, LEFT, LEFT], 0.8)])
    )
    assert scores.AP50 == 0.5


def test_a_crowd_takes_any_number_of_detections_and_counts_none() -> None:
    ground_truth, results = data_set([[LEFT], [RIGHT]], [([RIGHT], 0.5)] + 3 * [([LEFT], 0.9)])
    ground_truth["annotations"][0]["iscrowd"] = 1
    assert pytest.approx(1) == evaluate_youtube_vis(ground_truth, results).AP
    ground_truth["annotations"][0]["iscrowd"] = 0
    assert evaluate_youtube_vis(ground_truth, results).AP < 0.8


def test_areas_are_those_of_the_annotations() -> None:
    ground_truth, results = data_set([[LEFT, None]], [([LEFT, None], 1.0)], areas=[200.0**2, None])
    scores = evaluate_youtube_vis(ground_truth, results)
    assert scores.AP_medium == pytest.approx(1)
    assert math.isnan(scores.AP_small)
    border, _ = data_set([[LEFT, None]], [], areas=[128**2, None])
    on_border = evaluate_youtube_vis(border, results)
    assert (on_border.AP_small, on_border.AP_medium) == pytest.approx((1, 1))


def test_of_more_than_a_hundred_detections_the_best_count() -> None:
    detections = [([LEFT], 0.9)] * 100
    below = evaluate_youtube_vis(*data_set([[RIGHT]], [([RIGHT], 0.1), *detections]))
    assert (below.AP, below.AR100) == (0, 0)
    among = evaluate_youtube_vis(*data_set([[RIGHT]], [([RIGHT], 0.9), *detections]))
    assert pytest.approx((1, 1)) == (among.AP, among.AR1)


def test_empty_results_and_no_objects() -> None:
    ground_truth, results = data_set([[LEFT]], [([LEFT], 1.0)])
    assert evaluate_youtube_vis(ground_truth, []).AP == 0
    ground_truth["annotations"] = []
    scores = evaluate_youtube_vis(ground_truth, results)
    assert all(math.isnan(value) for value in scores.values().values())
    assert scores.table() == [{"Category": "all"} | dict.fromkeys(scores.values(), "-")]


def test_table_names_categories_that_have_objects() -> None:
    ground_truth, results = data_set([[LEFT]], [([LEFT], 1.0)])
    ground_truth["categories"].append({"id": 9, "name": "owl"})
    rows = evaluate_youtube_vis(ground_truth, results).table()
    assert [row["Category"] for row in rows] == ["fox", "all"]
    assert [row["AP"] for row in rows] == pytest.approx([1, 1])


def test_protocols_by_their_categories_and_parts_of_a_file() -> None:
    ground_truth, results = data_set([[LEFT], [RIGHT]], [([LEFT], 0.5)], id=4)
    names = ["person", "giant_panda", "lizard"]
    ground_truth["categories"] = [{"id": k, "name": n} for k, n in enumerate(names, start=1)]
    ground_truth["videos"].append({**ground_truth["videos"][0], "id": 8, "file_names": ["b/0.jpg"]})
    file = parse_annotations(ground_truth, "truth")
    assert youtube_vis_protocol(file) == "youtube-vis-2019"
    with pytest.raises(ValueError, match="choose --protocol youtube-vis-2019, or give the other"):
        youtube_vis_protocol(file, "youtube-vis-2021")
    assert ["1 annotations have the id" in note for note in notes(file)] == [True]
    lizards = restrict(file, ["7"], ["lizard"])
    assert (list(lizards.videos), list(lizards.categories)) == ([7], [3])
    found = parse_predictions(results, file, "results")
    assert repr(evaluate_parsed(lizards, found)) == repr(evaluate_parsed(lizards, found[:1]))
    assert evaluate_parsed(lizards, found).AR100 == 0.5
    assert not restrict(file, ["b"], ["1"]).tracks
    with pytest.raises(ValueError, match="truth has no 'panda'; its videos: 7, b, "):
        restrict(file, [], ["panda"])


def test_polygons_are_masks() -> None:
    ground_truth, results = data_set([[LEFT]], [([LEFT], 1.0)])
    results[0]["segmentations"] = [[[0, 0, 4, 0, 4, 4, 0, 4]]]
    assert pytest.approx(1) == evaluate_youtube_vis(ground_truth, results).AP


def test_order_of_equal_scores_is_that_of_the_file() -> None:
    misses = [([LEFT], 0.5)] * 49
    first = evaluate_youtube_vis(*data_set([[RIGHT]], [([RIGHT], 0.5), *misses]))
    last = evaluate_youtube_vis(*data_set([[RIGHT]], [*misses, ([RIGHT], 0.5)]))
    assert pytest.approx((1, 1 / 50)) == (first.AP, last.AP)


def test_equal_scores_of_two_videos_rank_in_the_order_of_ids() -> None:
    """The hit comes after 80 misses of 0.9, before 40 misses of 0.5 in the video of higher id."""
    misses = [([LEFT], 0.9)] * 40 + [([LEFT], 0.5)] * 40
    ground_truth, results = data_set([[RIGHT]], [*misses[:40], ([RIGHT], 0.5), *misses[40:]])
    other = [{**entry, "video_id": 8} for entry in data_set([[LEFT]], misses)[1]]
    ground_truth["videos"].insert(0, {**ground_truth["videos"][0], "id": 8})
    scores = evaluate_youtube_vis(ground_truth, other + results)
    assert pytest.approx(1 / 81) == scores.AP


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video_id": 8}, "prediction 0: video_id 8 is not among"),
        ({"video_id": "7"}, "video_id '7' is not among"),
        ({"video_id": [7]}, "is not among"),
        ({"category_id": 41}, "category_id 41 is not among the annotation file's 1: 3 to 3"),
        ({"score": math.nan}, "score nan is no finite number"),
        ({"score": None}, "score None is no finite number"),
        ({"score": 10**400}, "is no finite number"),
        ({"score": True}, "score True is no finite number"),
        ({"segmentations": []}, "0 segmentations, but video 7 has 1 frames"),
        ({"segmentations": None}, "expected a list"),
        ({"segmentations": ["mask"]}, "segmentation 0 is 'mask', expected"),
        ({"segmentations": [[[1, 2]]]}, "polygon"),
        ({"segmentations": [rle(np.ones((8, 4)))]}, r"size \[8, 4\], its video \[4, 8\]"),
    ],
)
def test_wrong_predictions_are_refused(change: dict[str, Any], message: str) -> None:
    ground_truth, results = data_set([[LEFT]], [([LEFT], 1.0)])
    with pytest.raises(ValueError, match=message):
        evaluate_youtube_vis(ground_truth, [{**results[0], **change}])
    del results[0][next(iter(change))]
    with pytest.raises(ValueError, match=f"results, prediction 0 has no {next(iter(change))}"):
        evaluate_youtube_vis(ground_truth, results)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iscrowd": 2}, "'iscrowd' is 2, expected 0 or 1"),
        ({"category_id": 4}, "category_id 4 is not among"),
        ({"areas": [1, 2]}, "'areas' must hold a number or null for each frame"),
        ({"areas": [math.inf]}, "'areas' must hold"),
        ({"segmentations": [None, None]}, "2 segmentations, but video 7 has 1 frames"),
    ],
)
def test_wrong_annotations_are_refused(change: dict[str, Any], message: str) -> None:
    ground_truth, results = data_set([[LEFT]], [([LEFT], 1.0)])
    ground_truth["annotations"][0] |= change
    with pytest.raises(ValueError, match=rf"ground truth, annotations\[0\].*{message}"):
        evaluate_youtube_vis(ground_truth, results)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"videos": None}, "'videos' is None, expected list"),
        ({"annotations": None}, "no 'annotations': nothing can be scored"),
        ({"categories": [3]}, r"categories\[0\] is a json int"),
        ({"videos": [{"id": 7, "height": 0, "width": 8, "length": 1}]}, "is 0 x 8 pixels"),
        ({"videos": [{"id": 7, "height": 4, "width": 8}]}, "0 file_names for 'length' 0"),
        ({"categories": [{"id": 3}, {"id": 3}]}, "id 3 is that of another"),
    ],
)
def test_wrong_ground_truth_is_refused(change: dict[str, Any], message: str) -> None:
    ground_truth, results = data_set([[LEFT]], [([LEFT], 1.0)])
    with pytest.raises(ValueError, match=message):
        evaluate_youtube_vis(ground_truth | change, results)


def test_files_are_named_in_errors(tmp_path: Path) -> None:
    ground_truth, results = data_set([[LEFT]], [([LEFT], 1.0)])
    annotations, found = tmp_path / "instances.json", tmp_path / "results.json"
    annotations.write_text(json.dumps(ground_truth))
    found.write_text(json.dumps(results))
    file = read_annotations(annotations)
    assert pytest.approx(1) == evaluate_parsed(file, read_predictions(found, file)).AP
    found.write_text(json.dumps([{**results[0], "video_id": 1}]))
    with pytest.raises(ValueError, match=r"results\.json, prediction 0: video_id 1"):
        read_predictions(found, file)
    with pytest.raises(ValueError, match=r"results\.json is a json list, as of results"):
        read_annotations(found)


def video_and_tracks() -> tuple[Video, Tracks]:
    ids = np.ones((2, 3, 4), np.uint8)
    frames = np.zeros((2, 3, 4, 3), np.uint8)
    return Video("a", frames, ids=ids, categories={1: 5}), Tracks("a", ids, {1: 5}, {1: 0.5})


def test_label_maps_that_do_not_fit_are_refused() -> None:
    video, tracks = video_and_tracks()
    assert pytest.approx(1) == evaluate_tracks([video], [tracks]).per_category[5].AP
    for wrong in ([], [tracks, tracks], [Tracks("b", tracks.ids, {1: 5}, {1: 0.5})]):
        with pytest.raises(ValueError, match="expected tracks of each video once"):
            evaluate_tracks([video], wrong)
    with pytest.raises(ValueError, match="has 2 frames, its tracks 1"):
        evaluate_tracks([video], [Tracks("a", tracks.ids[:1], {1: 5}, {1: 0.5})])
    with pytest.raises(ValueError, match="bring tracks to the original resolution"):
        evaluate_tracks([video], [Tracks("a", tracks.ids[:, :2], {1: 5}, {1: 0.5})])
    with pytest.raises(ValueError, match=r"scores of ids \[1\] are not finite"):
        evaluate_tracks([video], [Tracks("a", tracks.ids, {1: 5}, {1: math.nan})])
    with pytest.raises(ValueError, match=r"ids \[1\] without a category"):
        evaluate_tracks([Video("a", video.frames, ids=tracks.ids)], [tracks])
    with pytest.raises(ValueError, match="no label maps to score against"):
        evaluate_tracks([Video("a", video.frames)], [tracks])


def test_void_is_background_and_no_prediction() -> None:
    video, tracks = video_and_tracks()
    ids = tracks.ids.copy()
    ids[0] = 255
    half = Video("a", video.frames, ids=ids, categories={1: 5})
    assert pytest.approx(0.1) == evaluate_tracks([half], [tracks]).AP
    with pytest.raises(ValueError, match="id 255 is void"):
        evaluate_tracks([video], [Tracks("a", ids, {1: 5, 255: 5}, {1: 0.5, 255: 0.5})])


# ---------------------------------------------------------------- real files


def test_real_sample_scores_one() -> None:
    """One annotation per image (CocoVID) and results by frame and class, put together by track."""
    root = os.environ.get("TAGVIS_REAL_DATA")
    if not root:
        pytest.skip("TAGVIS_REAL_DATA is not set")
    folder = Path(root) / "youtube-vis"
    source = json.loads((folder / "mmtracking_demo_vis_ann.json").read_text())
    found = json.loads((folder / "mmtracking_demo_vis_results.json").read_text())
    images = {image["id"]: image for image in source["images"]}
    lengths = {v["id"]: 0 for v in source["videos"]}
    for image in source["images"]:
        lengths[image["video_id"]] += 1
    tracks: dict[int, dict[str, Any]] = {}
    for entry in source["annotations"]:
        video_id = entry["video_id"]
        track = tracks.setdefault(
            entry["instance_id"],
            {
                "video_id": video_id,
                "category_id": entry["category_id"],
                "iscrowd": entry["iscrowd"],
                "segmentations": [None] * lengths[video_id],
            },
        )
        track["segmentations"][images[entry["image_id"]]["frame_id"]] = entry["segmentation"]
    ground_truth = {
        "videos": [{**video, "length": lengths[video["id"]]} for video in source["videos"]],
        "categories": source["categories"],
        "annotations": list(tracks.values()),
    }
    results: dict[tuple[int, int], dict[str, Any]] = {}
    (video_id,) = lengths
    for t, (boxes, masks) in enumerate(
        zip(found["track_bboxes"], found["track_masks"], strict=True)
    ):
        for k, category in enumerate(source["categories"]):
            for (track_id, *_, score), mask in zip(boxes[k], masks[k], strict=True):
                entry = results.setdefault(
                    (k, int(track_id)),
                    {
                        "video_id": video_id,
                        "category_id": category["id"],
                        "score": score,
                        "segmentations": [None] * lengths[video_id],
                    },
                )
                entry["segmentations"][t] = mask
    scores = evaluate_youtube_vis(ground_truth, list(results.values()))
    assert pytest.approx(1) == scores.AP
    assert equal(scores, literal.evaluate(ground_truth, list(results.values())))

"""Tables as configurations and their runs: complete, resumable, compared at equal budget only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tagvis_lite.__main__ import main
from tagvis_lite.config import TOY, Config, config_to_dict
from tagvis_lite.data.toy_strata import STRATA
from tagvis_lite.runs import load_network
from tagvis_lite.study import ablation, runner
from tagvis_lite.study.ablation import (
    EXPERIMENTS,
    TABLE_3,
    TABLES,
    Row,
    markdown,
    read_results,
)
from tagvis_lite.study.runner import Run, ablate, plan

BUDGET = replace(
    TOY,
    model=replace(TOY.model, bottleneck_channels=16, feature_channels=16, head_channels=8),
    train=replace(TOY.train, steps=2, batch_size=1, validate_every=1),
)
FULL, SPECTRA = TABLE_3[0], TABLE_3[1]


def planned(out: Path, config: Config = BUDGET) -> list[Run]:
    return plan(config, out, [FULL], [0], videos=2, stratum_videos=1)


def test_rows_are_distinct_changes_of_one_model() -> None:
    assert len(TABLE_3) == 12
    for name, rows in TABLES.items():
        assert (rows[0].apply(TOY) == TOY) == (name != "temporal")
        assert len({row.apply(TOY) for row in rows}) == len({row.name for row in rows}) == len(rows)
    kept = {row.name: row.apply(TOY) for row in TABLE_3}
    assert kept["spectra"].loss == replace(TOY.loss, spectra=0.0)
    assert kept["self-attention"].model == replace(TOY.model, feature_branch="identity")


def test_every_experiment_is_commands_that_the_command_line_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Run] = []
    monkeypatch.setattr(runner, "ablate", lambda runs, _: made.extend(runs) or [])
    monkeypatch.setattr(ablation, "markdown", lambda _: "")
    for experiment in EXPERIMENTS:
        for command in experiment.commands:
            main(command.split()[1:])
    assert {run.out.name for run in made} == {experiment.name for experiment in EXPERIMENTS}
    table_3 = [run for run in made if run.out.name == "table-3"]
    seeds = {row.name: {r.config.train.seed for r in table_3 if r.row is row} for row in TABLE_3}
    assert [len(seeds[row.name]) for row in TABLE_3] == [14] + [4] * 11
    assert {run.config.train.steps for run in made} == {1800, 12000}


def test_numbers_of_the_paper_are_consistent() -> None:
    """Its J&F is the mean of its J and its F, up to rounding: a guard against typing errors."""
    for row in TABLE_3:
        assert row.paper is not None
        jf, j, f = row.paper
        assert abs(jf - (j + f) / 2) < 0.11, row.title


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ablation")
    (path,) = ablate(planned(out))
    return path


def test_a_run_leaves_one_file_with_its_origin(one_run: Path) -> None:
    assert one_run.name == "full-0.json"
    left = {path.name for path in one_run.parent.iterdir()}
    assert left == {"full-0.json", "full-0.safetensors"}
    result = json.loads(one_run.read_text())
    assert list(result["parts"]) == ["test", *STRATA]
    for parts in result["parts"].values():
        assert {"count_error", "foreground_iou", "places", "order"} <= set(parts)
        assert parts["jf"]["as it is"] == parts["table"]["J&F-Mean"]
    assert result["scores"] == result["parts"]["test"]["table"]
    assert len(result["parts"]["test"]["by_video"]) == result["test_videos"] == 2
    assert list(result["curve"]) == ["1", "2"]
    assert load_network(one_run.with_suffix(".safetensors"))[1] == BUDGET
    assert result["config"] == json.loads(json.dumps(config_to_dict(BUDGET)))
    assert {"revision", "torch", "date"} <= set(result["provenance"])


def test_runs_that_are_there_are_not_made_again(
    one_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("nothing was to be run")

    before = one_run.read_bytes()
    monkeypatch.setattr(runner, "run_one", forbidden)
    assert list(ablate(planned(one_run.parent))) == []
    assert one_run.read_bytes() == before


def test_a_run_that_is_older_than_a_field_of_the_config_counts(
    one_run: Path, tmp_path: Path
) -> None:
    result = json.loads(one_run.read_text())
    del result["config"]["train"]["channels_last"]
    (tmp_path / one_run.name).write_text(json.dumps(result))
    (tmp_path / "full-1.json").write_bytes(one_run.read_bytes())
    assert list(ablate(planned(tmp_path))) == []
    assert read_results(tmp_path, [FULL])[0].seeds == 2


def test_a_run_of_another_config_is_refused(one_run: Path) -> None:
    other = replace(BUDGET, loss=replace(BUDGET.loss, margin=2.0))
    with pytest.raises(
        ValueError, match=r"full-0\.json is .* other settings .*margin: 3\.0, now 2"
    ):
        list(ablate(planned(one_run.parent, other)))
    with pytest.raises(ValueError, match="test_videos: 2, now 3"):
        list(ablate([replace(planned(one_run.parent)[0], videos=3)]))
    sooner = replace(BUDGET, train=replace(BUDGET.train, validate_every=2))
    assert list(ablate(planned(one_run.parent, sooner))) == []


def test_no_run_or_no_job_is_refused(tmp_path: Path) -> None:
    for runs, jobs in (([], 1), (planned(tmp_path), 0)):
        with pytest.raises(ValueError, match="must be 1 or more"):
            list(ablate(runs, jobs))


def write_result(out: Path, row: Row, seed: int, score: float, config: Config = TOY) -> None:
    values = {"J&F-Mean": score, "J-Mean": score - 0.1, "F-Mean": score + 0.1}
    changed = row.apply(replace(config, train=replace(config.train, seed=seed)))
    result = {"row": row.name, "seed": seed, "scores": values, "config": config_to_dict(changed)}
    (out / f"{row.name}-{seed}.json").write_text(json.dumps(result))


def test_summaries_are_students_intervals(tmp_path: Path) -> None:
    scores = [0.5, 0.52, 0.57, 0.49, 0.6]
    for seed, score in enumerate(scores):
        write_result(tmp_path, FULL, seed, score)
    write_result(tmp_path, SPECTRA, 0, 0.4)
    full, spectra = read_results(tmp_path, TABLE_3)
    low, high = stats.ttest_1samp(100 * np.array(scores), 50).confidence_interval(0.95)
    np.testing.assert_allclose(full.mean[0] - full.half_width[0], low)
    np.testing.assert_allclose(full.mean[0] + full.half_width[0], high)
    np.testing.assert_allclose(full.mean, [53.6, 43.6, 63.6])
    assert (full.seeds, spectra.seeds, spectra.half_width[0]) == (5, 1, np.inf)
    table = markdown([full, spectra]).splitlines()
    cells = [cell.strip() for cell in table[2].strip("|").split("|")]
    assert cells[0] == "Ours"
    assert cells[1].startswith("53.6 ± ")
    assert cells[4:] == ["5", "74.3"]
    assert len(table) == 4


def test_a_name_that_begins_like_another_is_another_row(tmp_path: Path) -> None:
    longer = next(row for row in TABLE_3 if row.name == "self-attention-connector")
    write_result(tmp_path, longer, 0, 0.3)
    assert [summary.row for summary in read_results(tmp_path, TABLE_3)] == [longer]


def test_unequal_budgets_are_not_compared(tmp_path: Path) -> None:
    longer = replace(TOY, train=replace(TOY.train, steps=9))
    write_result(tmp_path, FULL, 0, 0.5)
    write_result(tmp_path, SPECTRA, 0, 0.4, longer)
    with pytest.raises(ValueError, match="unequal training"):
        read_results(tmp_path, TABLE_3)


def test_rows_without_results_are_left_out(tmp_path: Path) -> None:
    assert read_results(tmp_path, TABLE_3) == []

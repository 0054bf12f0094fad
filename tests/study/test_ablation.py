"""Table III as configurations: complete, resumable, compared at equal budget only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tagvis_lite.config import TOY, Config, config_to_dict
from tagvis_lite.study import ablation
from tagvis_lite.study.ablation import (
    READINGS,
    TABLE_3,
    Row,
    ablate,
    markdown,
    read_results,
)

BUDGET = replace(TOY, train=replace(TOY.train, steps=1, batch_size=1, validate_every=1))
FULL, SPECTRA = TABLE_3[0], TABLE_3[1]


def test_rows_are_distinct_changes_of_one_model() -> None:
    assert len(TABLE_3) == 12
    for rows in (TABLE_3, READINGS):
        assert rows[0].apply(TOY) == TOY
        assert len({row.apply(TOY) for row in rows}) == len({row.name for row in rows}) == len(rows)
    kept = {row.name: row.apply(TOY) for row in TABLE_3}
    assert kept["spectra"].loss == replace(TOY.loss, spectra=0.0)
    assert kept["self-attention"].model == replace(TOY.model, feature_branch="identity")


def test_numbers_of_the_paper_are_consistent() -> None:
    """Its J&F is the mean of its J and its F, up to rounding: a guard against typing errors."""
    for row in TABLE_3:
        assert row.paper is not None
        jf, j, f = row.paper
        assert abs(jf - (j + f) / 2) < 0.11, row.title


@pytest.fixture(scope="module")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ablation")
    (path,) = ablate(BUDGET, out, [FULL], seeds=1)
    return path


def test_a_run_leaves_one_file_with_its_origin(one_run: Path) -> None:
    assert one_run.name == "full-0.json"
    assert [path.name for path in one_run.parent.iterdir()] == ["full-0.json"]
    result = json.loads(one_run.read_text())
    assert 0 <= result["scores"]["J&F-Mean"] <= 1
    assert result["config"] == json.loads(json.dumps(config_to_dict(BUDGET)))
    assert {"revision", "torch", "date"} <= set(result["provenance"])


def test_runs_that_are_there_are_not_made_again(
    one_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_arguments: Any, **_options: Any) -> None:
        raise AssertionError("nothing was to be run")

    before = one_run.read_bytes()
    monkeypatch.setattr(ablation, "run_one", forbidden)
    assert list(ablate(BUDGET, one_run.parent, [FULL], seeds=1)) == []
    assert one_run.read_bytes() == before


def test_a_run_that_is_older_than_a_field_of_the_config_counts(
    one_run: Path, tmp_path: Path
) -> None:
    result = json.loads(one_run.read_text())
    del result["config"]["train"]["channels_last"]
    (tmp_path / one_run.name).write_text(json.dumps(result))
    (tmp_path / "full-1.json").write_bytes(one_run.read_bytes())
    assert list(ablate(BUDGET, tmp_path, [FULL], seeds=1)) == []
    assert read_results(tmp_path, [FULL])[0].seeds == 2


def test_a_run_of_another_config_is_refused(one_run: Path) -> None:
    other = replace(BUDGET, loss=replace(BUDGET.loss, margin=2.0))
    with pytest.raises(ValueError, match=r"full-0\.json is a run of another config"):
        list(ablate(other, one_run.parent, [FULL], seeds=1))


@pytest.mark.parametrize(("seeds", "jobs"), [(0, 1), (1, 0)])
def test_no_seed_or_no_job_is_refused(tmp_path: Path, seeds: int, jobs: int) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        list(ablate(BUDGET, tmp_path, [FULL], seeds=seeds, jobs=jobs))


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

"""Text sources become notebooks: stubs, folded solutions, outputs without what changes."""

from __future__ import annotations

from pathlib import Path

import ipywidgets
import nbformat
import papermill
import pytest

from tagvis_lite.course import build as building
from tagvis_lite.course.build import build, is_current, main, notebook_from_source

SOURCE = '''# %% [markdown]
# # 01 · A lesson

# %% tags=["imports"]
from ipywidgets import IntSlider
from IPython.display import display
from tagvis_lite.views import Player
from tagvis_lite.views.picture import Picture

# %%
display(IntSlider(value=3))
picture = Picture(b"\\x89PNG", "a view with a picture in place", 10)
view = Player([b"png"], ["a"], label="x", title="", picture=picture)
display(view)
print("shown")

# %% tags=["exercise"]
def one():
    """The number one."""
    ### BEGIN SOLUTION
    return 1
    ### END SOLUTION

# %% tags=["check"]
print("checked")

# %%
print("shown")
'''
BROKEN = '# %%\nraise OSError("no luck")\n'


def write(folder: Path, name: str, text: str = SOURCE) -> Path:
    path = folder / "src" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("notebooks")
    source, target = write(folder, "01_lesson"), folder / "01_lesson.ipynb"
    build(source, target)
    return source, target


def test_the_solution_is_folded_away_after_the_check(tmp_path: Path) -> None:
    cells = notebook_from_source(write(tmp_path, "01_lesson")).cells
    kinds = [cell.cell_type for cell in cells]
    assert kinds == ["markdown", "code", "code", "code", "code", "markdown", "code"]
    assert "return 1" not in cells[3].source
    assert 'raise NotImplementedError("write one' in cells[3].source
    assert cells[5].source.startswith("<details>")
    assert "    return 1\n```" in cells[5].source
    assert "SOLUTION" not in "".join(cell.source for cell in cells)


def test_cell_ids_stay_when_other_cells_come_and_go(tmp_path: Path) -> None:
    before = notebook_from_source(write(tmp_path, "01_lesson")).cells
    after = notebook_from_source(write(tmp_path, "02_more", "# %%\nx = 1\n\n" + SOURCE)).cells
    assert [cell.id for cell in after[1:]] == [cell.id for cell in before]
    assert len({cell.id for cell in after}) == len(after)


@pytest.mark.parametrize(
    "text",
    [SOURCE.replace('"check"', '"other"'), SOURCE.replace('"exercise"', '"other"')],
    ids=["no check", "no exercise"],
)
def test_an_exercise_and_its_check_come_in_pairs(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="cell tagged 'check'"):
        notebook_from_source(write(tmp_path, "01_lesson", text))


@pytest.mark.skipif(
    ipywidgets.__version__[0] == "7", reason="ipywidgets 7 shows no picture in its place"
)
def test_outputs_stay_but_not_what_needs_a_kernel(built: tuple[Path, Path]) -> None:
    notebook = nbformat.read(built[1], as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5]
    assert [[o.get("text") for o in cell.outputs] for cell in code] == [
        [],
        [None, "shown\n"],
        [],
        ["checked\n"],
        ["shown\n"],
    ]
    view = code[1].outputs[0]
    assert set(view.data) == {"text/html", "text/plain"}
    assert view.data["text/plain"] == "a view with a picture in place"
    assert '<img alt="a view with a picture in place" width="10" src=' in view.data["text/html"]
    assert set(notebook.metadata) == {"kernelspec", "language_info", "tagvis_lite"}
    assert [dict(cell.metadata) for cell in code][:2] == [
        {
            "tags": ["imports", "hide-input"],
            "jupyter": {"source_hidden": True},
            "cellView": "form",
            "slideshow": {"slide_type": "skip"},
        },
        {},
    ]


def test_building_twice_gives_the_same_file(built: tuple[Path, Path]) -> None:
    source, target = built
    before = target.read_bytes()
    build(source, target)
    assert target.read_bytes() == before


def test_a_cell_that_raises_leaves_the_old_notebook(tmp_path: Path) -> None:
    source, target = write(tmp_path, "02_broken", BROKEN), tmp_path / "02_broken.ipynb"
    target.write_text("old")
    with pytest.raises(papermill.PapermillExecutionError, match="no luck"):
        build(source, target)
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["02_broken.ipynb", "src"]


def test_only_what_changed_is_built_and_a_failure_keeps_what_is_done(
    built: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = built
    folder = target.parent
    monkeypatch.setattr(building, "NOTEBOOKS", folder)
    monkeypatch.setattr(building, "lesson_sources", lambda: sorted((folder / "src").glob("*.py")))
    assert is_current(source, target)
    main()
    assert capsys.readouterr().out == ""

    write(folder, "02_broken", BROKEN)
    source.write_text(SOURCE.replace("A lesson", "Another lesson"))
    assert not is_current(source, target)
    with pytest.raises(papermill.PapermillExecutionError):
        main()
    assert capsys.readouterr().out.splitlines() == ["01_lesson ...", "02_broken ..."]
    assert is_current(source, target)
    main(only=["01"])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [None, "", "{", "{}"])
def test_what_is_no_notebook_is_not_current(tmp_path: Path, content: str | None) -> None:
    source, target = write(tmp_path, "01_lesson"), tmp_path / "01_lesson.ipynb"
    if content is not None:
        target.write_text(content)
    assert not is_current(source, target)

"""`import tagvis_lite as tv`: the names one uses, and the examples that show how."""

import doctest
import subprocess
import sys

import pytest

import tagvis_lite as tv


def test_the_examples_run() -> None:
    result = doctest.testmod(tv)
    assert result.attempted > 8
    assert result.failed == 0


@pytest.mark.parametrize("name", tv.__all__)
def test_every_name_is_there_and_says_what_it_is(name: str) -> None:
    assert name in dir(tv)
    assert getattr(tv, name).__doc__


def test_the_door_is_opened_before_the_house_is_furnished() -> None:
    code = "import sys, tagvis_lite; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_wrong_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'predict_vidoe'"):
        tv.predict_vidoe  # noqa: B018

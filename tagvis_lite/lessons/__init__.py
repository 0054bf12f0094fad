"""What the lessons in notebooks/ share: figures with alt text, exercises, sliders, metrics.

display      subplots, show, explore: every figure has a title and a text in its place
exercises    check: says what is wrong with an answer instead of raising
recording    record: metrics of a lesson and where they come from
data         lesson_video: the toy test videos, or the reader's own
checks       what each exercise asks for, one file per lesson
building     notebooks/src/*.py to notebooks/*.ipynb, executed
runner       `tagvis notebooks`: all lessons by papermill
"""

from tagvis_lite.lessons.data import lesson_video
from tagvis_lite.lessons.display import explore, show, subplots
from tagvis_lite.lessons.exercises import check
from tagvis_lite.lessons.recording import record
from tagvis_lite.overlay import COLOURS

__all__ = ["COLOURS", "check", "explore", "lesson_video", "record", "show", "subplots"]

"""What the lessons in notebooks/ share: figures, claims, exercises, metrics.

display      subplots, show, explore: every figure has a title and a text in its place
claims       claim: a sentence that is shown with the check it rests on, and fails without it
exercises    check: says what is wrong with an answer instead of raising
recording    setup, record: parameters in, metrics and claims out, with where they come from
data         lesson_video, lesson_network: the toy test videos, or the reader's own; what sees them
checks       what each exercise asks for, one file per lesson
build        notebooks/src/*.py to notebooks/*.ipynb, executed
run          `tagvis notebooks`: all lessons by papermill
"""

from tagvis_lite.course.claims import claim
from tagvis_lite.course.data import lesson_network, lesson_video
from tagvis_lite.course.display import explore, show, subplots
from tagvis_lite.course.exercises import check
from tagvis_lite.course.recording import record, setup
from tagvis_lite.views.overlay import COLOURS

__all__ = [
    "COLOURS",
    "check",
    "claim",
    "explore",
    "lesson_network",
    "lesson_video",
    "record",
    "setup",
    "show",
    "subplots",
]

"""Live views of tags, attention and masks for notebooks, on anywidget.

Each is a pure function that is tested alone, and a thin view of what it returns: Python here, the
drawing in the JavaScript file of the same name. Moving through frames or steps happens in the
browser, so it also works without a kernel; what needs the model or a loss goes to the kernel.

view              View: script and style put together, and a picture where there is no kernel
flip_book         FlipBook: pictures behind one slider
tag_line          TagLine: tags as free parameters under chosen losses
tag_space         TagSpace: a prediction in four linked views, clustered again as sliders move
attention_picker  AttentionPicker: a position and where it looks, over all frames
mask_editor       MaskEditor: a mask that is moved, shrunk and grown, with its J and F
"""

from tagvis_lite.widgets.attention_picker import AttentionPicker
from tagvis_lite.widgets.flip_book import FlipBook
from tagvis_lite.widgets.mask_editor import Change, MaskEditor
from tagvis_lite.widgets.tag_line import TagLine
from tagvis_lite.widgets.tag_space import TagSpace

__all__ = ["AttentionPicker", "Change", "FlipBook", "MaskEditor", "TagLine", "TagSpace"]

"""TagVIS-lite: learn, run and reproduce tag-based video instance segmentation."""

"""Several objects in one video, with exact ids, from videos with one object each."""

"""What each exercise asks for: one file per lesson, one function per exercise.

A test takes the reader's function and raises AssertionError with the likely mistake in words.
"""

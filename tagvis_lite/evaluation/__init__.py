"""Scores of results, and their files: one module for each benchmark."""

"""What `tagvis` does: one file per command."""

"""Data: the packaged model and its card."""

"""Measures exported models: how close they are to the original network, and how fast."""

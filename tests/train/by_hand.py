"""Predictions made by hand, for tests of tables, pictures and intervals."""

import numpy as np

from genre_train.predictions import Predictions

GENRES = ["Action", "Comedy", "Drama", "News"]


def make_predictions(seed: int = 0, noise: float = 1.0) -> Predictions:
    """300 posters in two domains; News is rare, and never named."""
    generator = np.random.default_rng(0)
    labels = generator.random((300, 4)) < [0.3, 0.4, 0.6, 0.02]
    noisy = noise * np.random.default_rng(seed).normal(size=labels.shape)
    logits = 2.0 * labels - 1 + noisy
    thresholds = {"balanced": np.array([0.5, 0.5, 0.4, np.inf]), "high-precision": np.full(4, 0.9)}
    return Predictions(
        model=f"drawn {seed}, by hand",
        genres=GENRES,
        imdb_ids=np.arange(1, 301),
        domains=np.where(np.arange(300) < 180, "kaggle", "kgp"),
        labels=labels,
        probabilities=(1 / (1 + np.exp(-logits))).astype(np.float32),
        thresholds=thresholds,
    )

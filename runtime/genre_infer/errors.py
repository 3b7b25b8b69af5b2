"""The exceptions that leave this package. Each message says what is wrong and what mends it."""


class GenreInferError(Exception):
    """Base of all errors raised on purpose by genre_infer."""


class ModelError(GenreInferError):
    """The model file is missing, damaged, or not one that this runtime understands."""


class DeviceError(GenreInferError):
    """The device that was asked for is not there, or its engine is missing or doubled."""

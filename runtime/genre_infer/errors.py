"""The exceptions that leave this package. Each message says what is wrong and how to fix it."""


class GenreInferError(Exception):
    """Base of all errors that genre_infer raises on purpose.

    Attributes:
        setting: The keyword of Classifier to change, where one would help. The commands add the
            option of that name to the message.
    """

    def __init__(self, message: str, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


class ModelError(GenreInferError):
    """The model file is missing, damaged, or not one that this runtime understands."""


class DeviceError(GenreInferError):
    """The requested device is missing, or its engine is not installed or installed twice."""

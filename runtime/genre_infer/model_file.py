"""A model's bytes, checked before anything looks at them."""

import hashlib
from pathlib import Path

from . import packaged
from .errors import ModelError


def read_model(path: Path | None) -> tuple[bytes, str]:
    """The bytes of a model file and their sha256; None is the packaged model, whose hash must be
    the one in this package. Raises ModelError."""
    try:
        data = (path or packaged.PATH).read_bytes()
    except OSError as error:
        mend = "" if path else " Reinstall it: pip install --force-reinstall genre-infer"
        name = path or packaged.PATH.name
        raise ModelError(f"The model {name} cannot be read: {error.strerror}.{mend}") from None
    sha256 = hashlib.sha256(data).hexdigest()
    if path is None and sha256 != packaged.SHA256:
        raise ModelError(
            "The packaged model is not the one that this version was released with. Reinstall it: "
            "pip install --force-reinstall genre-infer"
        )
    return data, sha256

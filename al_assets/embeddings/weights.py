"""Where a backbone's weights lie, what they hash to and how they are read. No model is built here."""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

METADATA = "_metadata"
"""Where torch keeps the layers' versions in a state dict."""


class WeightsError(ValueError):
    """A weights file is missing, unreadable or belongs to another backbone."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    try:
        stat = path.stat()
    except OSError as error:
        raise WeightsError(f"weights {path} cannot be read ({error.strerror}); check the path") from error
    return _hashed(path, stat.st_size, stat.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _hashed(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_state(path: Path) -> dict[str, Any]:
    """Parameter tensors of a .safetensors file or of a torch state dict; no pickled code is ever run.

    A dict that wraps the state (`state_dict`, `model`) is opened, and the `module.` prefix of
    DataParallel removed. Raises WeightsError where the file is no such thing.
    """
    if not path.is_file():
        raise WeightsError(f"there are no weights at {path}; check the path")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"weights {path} are no safetensors file ({error}); check the file") from error
    return _torch_state(path)


def _torch_state(path: Path) -> dict[str, Any]:
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        OSError,
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
        ValueError,
    ) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"weights {path} cannot be loaded without running code ({first_line}); "
            "save them with torch.save(model.state_dict(), path) or as .safetensors"
        ) from error
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WeightsError(
            f"weights {path} hold no state dict; save them with torch.save(model.state_dict(), path)"
        )
    renamed = OrderedDict((str(name).removeprefix("module."), value) for name, value in state.items())
    # Some networks (MNASNet) read the version of their layers from here when they load.
    setattr(renamed, METADATA, getattr(state, METADATA, None))
    return renamed

"""Versions of the code that makes what is stored for years. Raise one, and exactly what it made is made again.

The assets' `code_version` comes from here, so that the Dagster UI says "code version changed" of the same assets. That
badge asks nobody to do anything: what is stale is reckoned from SQL (`staleness.py`), and the sensor asks for it.
"""

FRAMES = "1"
"""What a row of `frames` says of a picture: which frames are sampled, brightness, sharpness, perceptual hash, repeats.

Part of `videos.frames_version`, so that every video is read again after a change; the vectors of frames that stay are
kept. Version 1 is not spelled out there: archives from before it had a name are of version 1.
"""

PICTURES = "1"
"""How a picture is decoded and resized for a backbone.

Part of `embedder_id`: vectors of one id are compared for years, and a change makes another embedder, which every video
is embedded by, while the model that serves goes on with the old one. Version 1 is not spelled out.
"""


def frames_suffix() -> str:
    """What follows file version and sampling rate in `videos.frames_version`."""
    return "" if FRAMES == "1" else f"@{FRAMES}"


def pictures_suffix() -> str:
    """What follows the name of the backbone and the hash of its weights in `embedder_id`."""
    return "" if PICTURES == "1" else f"-v{PICTURES}"

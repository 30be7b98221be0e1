"""Small pictures in asset metadata. They stay in the event log for ever, so they are kept small."""

from __future__ import annotations

import base64

import dagster as dg

LARGEST = 40_000
"""Bytes of an SVG; a larger picture belongs in the report, linked from the metadata."""


def picture(svg: str, alt: str = "plot") -> dg.MetadataValue:
    """An SVG as Markdown metadata, drawn by the Dagster UI; a sentence where it is too large to keep."""
    data = svg.encode()
    if len(data) > LARGEST:
        return dg.MetadataValue.md(
            f"The picture has {len(data)} bytes, too large for the event log; see the report."
        )
    return dg.MetadataValue.md(f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(data).decode()})")

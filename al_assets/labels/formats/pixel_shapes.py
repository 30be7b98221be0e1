"""Shapes in pixels, as labelling tools draw them, become upright boxes in fractions of the picture.

Not here: what a shape is called in any format, beyond the attributes that CVAT gives it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from al_assets.labels.formats.records import Box
from al_assets.labels.formats.values import EDGE, clip_box, real_number
from al_assets.names import BrokenValueError, shown

MOST_POINTS = 100_000


class Shape(NamedTuple):
    """Edges in pixels, of a rectangle turned by degrees clockwise about its centre."""

    left: float
    top: float
    right: float
    bottom: float
    rotation: float = 0.0

    def towards(self, other: Shape, share: float) -> Shape:
        """The shape at a share of the way to another one; it turns the shorter way round."""
        turn = (other.rotation - self.rotation + 180) % 360 - 180
        left, top, right, bottom = (a + (b - a) * share for a, b in zip(self[:4], other[:4], strict=True))
        return Shape(left, top, right, bottom, self.rotation + turn * share)


def cvat_shape(kind: str, fields: Mapping[str, str]) -> Shape:
    """A box, polygon, ellipse or mask of CVAT. Raises BrokenValueError for any other, or for unusable numbers."""

    def number(name: str) -> float:
        return real_number(fields.get(name), name)

    rotation = real_number(fields.get("rotation") or 0, "rotation")
    if kind == "box":
        return Shape(number("xtl"), number("ytl"), number("xbr"), number("ybr"), rotation)
    if kind == "ellipse":
        x, y, across, down = number("cx"), number("cy"), number("rx"), number("ry")
        return _turned_ellipse(x, y, abs(across), abs(down), rotation)
    if kind == "mask":
        left, top = number("left"), number("top")
        return Shape(left, top, left + number("width"), top + number("height"))
    if kind == "polygon":
        return _polygon(fields.get("points", ""))
    raise BrokenValueError(
        f"shapes of type {shown(kind)} are not supported; use rectangles, polygons, ellipses, masks or tags"
    )


def picture_size(width: object, height: object) -> tuple[float, float]:
    """Width and height of a picture. Raises BrokenValueError where the file does not give them."""
    if width in (None, "") or height in (None, ""):
        raise BrokenValueError("the file does not give the picture's size, which boxes in pixels need")
    size = real_number(width, "width"), real_number(height, "height")
    if min(size) <= 0:
        raise BrokenValueError(f"the picture's size {shown(width)} x {shown(height)} is not possible")
    return size


def fractions(shape: Shape, width: float, height: float) -> Box:
    """The upright envelope of a shape, in fractions of a picture of this size, clipped to it.

    Refused where it is empty or, being upright, reaches far outside; turned shapes may do so at their corners.
    """
    left, top, right, bottom, rotation = shape
    if right <= left or bottom <= top:
        raise BrokenValueError(f"the box {right - left:g} x {bottom - top:g} is empty")
    if rotation % 180:
        left, top, right, bottom = _envelope(shape)
    elif min(left / width, top / height) < -EDGE or max(right / width, bottom / height) > 1 + EDGE:
        raise BrokenValueError(
            f"the box from ({left:g}, {top:g}) to ({right:g}, {bottom:g}) leaves the picture of"
            f" {width:g} x {height:g} pixels"
        )
    edges = (left / width, top / height, right / width, bottom / height)
    if not all(map(math.isfinite, edges)):
        raise BrokenValueError("the box is too large to be one")
    return clip_box(*edges)


def _envelope(shape: Shape) -> tuple[float, float, float, float]:
    left, top, right, bottom, rotation = shape
    cos, sin = abs(math.cos(math.radians(rotation))), abs(math.sin(math.radians(rotation)))
    width, height, x, y = right - left, bottom - top, (left + right) / 2, (top + bottom) / 2
    across, down = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    return x - across, y - down, x + across, y + down


def _turned_ellipse(x: float, y: float, across: float, down: float, rotation: float) -> Shape:
    cos, sin = math.cos(math.radians(rotation)), math.sin(math.radians(rotation))
    half_width, half_height = math.hypot(across * cos, down * sin), math.hypot(across * sin, down * cos)
    return Shape(x - half_width, y - half_height, x + half_width, y + half_height)


def _polygon(points: str) -> Shape:
    corners = [corner.split(",") for corner in points.split(";", MOST_POINTS)]
    if len(corners) < 3 or len(corners) > MOST_POINTS or any(len(corner) != 2 for corner in corners):
        raise BrokenValueError(f"the points {shown(points)} are no polygon")
    across = [real_number(x, "x") for x, _ in corners]
    down = [real_number(y, "y") for _, y in corners]
    return Shape(min(across), min(down), max(across), max(down))

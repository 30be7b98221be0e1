"""Rows of small pandas frames as named tuples. For loops over tens of rows; arrays are for everything else."""

from collections.abc import Iterator
from typing import Any

import pandas as pd


def rows_of(frame: pd.DataFrame) -> Iterator[Any]:
    """Named tuples of a frame's rows; columns are attributes."""
    return frame.itertuples(index=False)

"""Line charts as SVG for the report: importing a plotting library would cost more than the rest.

Only positions are computed here; colours and type come from the report's stylesheet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

WIDTH, HEIGHT = 1040, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 28, 12, 28
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_TICKS = 4


@dataclass(frozen=True)
class Line:
    """One series: a name and SVG path data; a missing day is a gap, never a zero."""

    name: str
    path: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it is, in pixels, and what it says."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Everything that the template needs to draw."""

    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    bottom: int = HEIGHT - _BOTTOM


def line_chart(days: pd.DatetimeIndex, series: Mapping[str, pd.Series]) -> Chart:
    """A chart of daily series, each indexed by day; days without a value are gaps.

    Args:
        days: every calendar day from the first to the last.
        series: name -> values by day.
    """
    values = {name: s.reindex(days).to_numpy(dtype="float64") for name, s in series.items()}
    highest = max((np.nanmax(v) for v in values.values() if np.isfinite(v).any()), default=1.0)
    step = _nice(max(float(highest), 1e-9) / _TICKS)
    top = step * np.ceil(max(float(highest), step) / step)
    x = np.linspace(_LEFT, WIDTH - _RIGHT, len(days)) if len(days) > 1 else np.array([WIDTH / 2])

    def y(value: float) -> float:
        return float(HEIGHT - _BOTTOM - value / top * (HEIGHT - _BOTTOM - _TOP))

    return Chart(
        lines=[Line(name, _path(x, [y(one) for one in v])) for name, v in values.items()],
        x_ticks=_day_ticks(days, x),
        y_ticks=[Tick(y(v), _short(float(v))) for v in np.arange(0, top + step / 2, step)],
    )


def _short(value: float) -> str:
    """A tick's value in few letters: 2.5M, 40k, 0.5."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.10g}{letter}"
    return f"{value:.10g}"


def _nice(rough: float) -> float:
    magnitude = float(10 ** np.floor(np.log10(rough)))
    return next(magnitude * step for step in _STEPS if magnitude * step >= rough * (1 - 1e-9))


def _day_ticks(days: pd.DatetimeIndex, x: np.ndarray) -> list[Tick]:
    every = max(len(days) // 8, 1)
    return [Tick(float(x[i]), f"{days[i]:%d %b}") for i in range(0, len(days), every)]


def _path(x: np.ndarray, y: Sequence[float]) -> str:
    words: list[str] = []
    pen_is_down = False
    for at, height in zip(x, y, strict=True):
        if np.isfinite(height):
            # a lone day between gaps still shows: a line to itself has a round cap
            words.append(f"{'L' if pen_is_down else 'M'}{at:.1f} {height:.1f}")
            words += [] if pen_is_down else [f"L{at:.1f} {height:.1f}"]
        pen_is_down = bool(np.isfinite(height))
    return " ".join(words)

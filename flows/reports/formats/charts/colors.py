"""Define the colors of the series of a chart."""

COLORS = ("#2266dd", "#ee9911", "#117766", "#aa55ee", "#667788", "#cc3333")
"""Colors of bars, lines and their legend, in the order of the series; bars of a single series have the first."""

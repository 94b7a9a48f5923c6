"""The verifier of an evidence pack. These files travel in every pack, and need nothing but Python 3.11 or newer.

Owns how each figure is recomputed from the samples. Shares no code with what made the figures, so that one checks the other.
"""

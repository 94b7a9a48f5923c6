"""The nouns of bwmgr: frozen, keyword-only dataclasses on the standard library alone.

Owns what things are (a link, a rate, a gap, a recommendation) and their units. Computes nothing that needs a clock,
a disk or a network; that is left to the packages above.
"""

"""bwmgr: one place from which a government IT office sees and controls all of its bandwidth."""

__version__ = "0.1.0"

"""The composition root: builds the parts from a configuration, wires them by hand and runs them.

Owns schedules, supervision, reload, health and the order of start and stop. Nothing here computes a rate or decides
anything; nothing registers itself on import.
"""

"""Pure arithmetic from readings to usage: counters -> rates, rates -> windows over calendars.

No clock, disk, network or log: time and data are parameters. NumPy stops here; the calendar's holidays stop in `calendars`.
"""

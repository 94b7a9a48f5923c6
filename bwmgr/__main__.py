"""`python -m bwmgr`."""

from bwmgr.cli import main

main()

"""`python -m bwmgr`."""

from bwmgr.cli import main

if __name__ == "__main__":  # a chore's own process imports this module too
    main()

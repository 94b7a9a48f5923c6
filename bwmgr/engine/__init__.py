"""Runs the policies, settles between them, guards what they want, and says why: pure, for one instant.

Owns arbitration (`arbitration`), the guards of a single link (`guards`), what the tree can carry (`tree`) and the documents that
programs read (`document`). Owns no policy, reads no store and no clock.
"""

from bwmgr.engine.run import Advice, run

__all__ = ["Advice", "run"]

"""Ways to tell people, one file per channel.

Owns how a message travels; not what is worth telling, nor to whom (`bwmgr.daemon`).
"""

"""Evidence packs: signed archives of a period from which every figure can be recomputed without bwmgr.

Owns the archive (`pack`), the key (`signing`) and the verifier that travels inside (`verifier`). Which figures and histories go
into a pack is `bwmgr.daemon.evidence_pack`'s.
"""

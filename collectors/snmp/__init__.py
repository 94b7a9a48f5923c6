"""Counters of routers by SNMP v1, v2c and v3: who is asked, how, and what came back.

Owns the wire (BER, sockets, retries), the resolution of names to ifIndexes and the walk of a router. One cycle gives one
`READING` row per interface. Deliberately does not compute rates (`bwmgr.measure`), know links, or keep anything on disk.
Start reading at `collector`; README.md in this folder draws the whole.
"""

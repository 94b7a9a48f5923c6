"""Who gets how much of a capacity tree: hierarchical weighted max-min with guarantees, one direction at a time.

Owns the arithmetic of sharing (`plan.allocate` for objects, `solver.solve` for columns, `reference` as the slow definition).
Does not own what links want: demand is an input. No clock, no disk, no network, no log.

What is shared, in this order, each step on top of the one before:

1. The CIR of links, up to what they want. Where the CIRs below a node are more than it carries, they are scaled in proportion.
2. The CIR of nodes, from the deepest up: what its links lack of it is shared inside the node by class and weight.
3. The excess: class after class (critical, office, public), inside a class by weight, up to min(demand, MIR). CIR and excess add
   up, as in HTB, RouterOS and Junos: a large CIR does not make the share of the excess smaller.

A weight of 0 means last: such a link (or all below such a node) gets excess only when nobody of its class with a weight
wants it, which is where a weight goes that becomes ever smaller.
"""

from bwmgr.allocate.plan import allocate, to_whole_bits

__all__ = ["allocate", "to_whole_bits"]

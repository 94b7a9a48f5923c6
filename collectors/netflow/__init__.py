"""Flows that routers export: NetFlow v1, v5 and v9, IPFIX and sFlow v5, decoded, attributed to links and added up.

Owns the wire (headers, templates, sampling, sequence numbers) and what becomes of a flow: link, direction, application, class.
One interval gives columns of usage. Deliberately does not know contracts, stores or the daemon's clock. Start reading at
`reference`, which says plainly what a datagram means; README.md in this folder draws the whole.
"""

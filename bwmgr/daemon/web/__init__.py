"""A small read-only web page for a NOC without Grafana: overview, links, recommendations, health.

Owns what is shown and to whom. Computes no figure: each comes from the function behind the command that prints it. Runs in a
process of its own, with a lower priority, so that no reader ever delays a cycle; changes nothing, so that it needs no form
that posts, no session and no protection of either.

Served by Flask and waitress: routes, escaping, conditional requests, slow and oversized clients are theirs. Charts are uPlot
(MIT, 50 kB, no dependencies), shipped in `static/`: it draws a month at once, and the
figures stand in tables beside it for whoever has no script or no eyes for a picture.
"""

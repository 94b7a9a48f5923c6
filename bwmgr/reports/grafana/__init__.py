"""Grafana's screens over the InfluxDB store: data source, folder, dashboards and alert rules as provisioning files.

Owns which panels a NOC sees and the InfluxQL behind each; `files` is the way in. Grafana itself is never spoken to: it reads the
files at its start. Figures that money hangs on come from `bwmgr usage` and the reports, not from a panel's legend.
"""

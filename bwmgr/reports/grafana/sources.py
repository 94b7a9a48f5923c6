"""Data sources and where Grafana finds the dashboards, as its provisioning wants them.

Owns the mapping to versions: 1.8 asks for a user, 2.x and 3 for a token, and know a bucket by the name of a database. Secrets
stay in the environment of Grafana's own process, which puts them in when it reads the file.
"""

from __future__ import annotations

from typing import Any

from bwmgr.reports.grafana.target import (
    FOLDER_UID,
    LISTS_UID,
    PASSWORD_VARIABLE,
    SOURCE_UID,
    TOKEN_VARIABLE,
    Target,
)


def sources(target: Target) -> dict[str, Any]:
    """The file below `datasources/`: the InfluxDB, and the built-in source of lists."""
    lists = {
        "name": "bwmgr lists",
        "uid": LISTS_UID,
        "type": "grafana-testdata-datasource",
        "access": "proxy",
        "editable": False,
    }
    return {"apiVersion": 1, "datasources": [_influx(target), lists]}


def providers(folder: str) -> dict[str, Any]:
    """The file below `dashboards/`: one folder in Grafana, read from the files of both languages in `folder`."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "bwmgr",
                "orgId": 1,
                "folder": "bwmgr",
                "folderUid": FOLDER_UID,
                "type": "file",
                "disableDeletion": True,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 60,
                "options": {"path": folder, "foldersFromFilesStructure": False},
            }
        ],
    }


def _influx(target: Target) -> dict[str, Any]:
    influx = target.influx
    settings: dict[str, Any] = {
        "dbName": influx.database,
        "version": "InfluxQL",
        "httpMode": "POST",
        "timeInterval": f"{target.poll_seconds}s",
    }
    found: dict[str, Any] = {
        "name": "bwmgr",
        "uid": SOURCE_UID,
        "type": "influxdb",
        "access": "proxy",
        "url": influx.url,
        "isDefault": False,
        "editable": False,
        "jsonData": settings,
    }
    if influx.token:
        settings["httpHeaderName1"] = "Authorization"
        found["secureJsonData"] = {"httpHeaderValue1": f"Token $__env{{{TOKEN_VARIABLE}}}"}
    elif influx.username:
        found["user"] = influx.username
        found["secureJsonData"] = {"password": f"$__env{{{PASSWORD_VARIABLE}}}"}
    return found

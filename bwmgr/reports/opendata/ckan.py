"""Each dataset as CKAN's `package_create` takes it (CKAN API guide, action API), to be posted as it is.

Owns the names that CKAN allows. Resources are by address where the office named one; else the file is to be uploaded beside it.
"""

from __future__ import annotations

import re
from typing import Any

from bwmgr.reports.opendata.dataset import About, Dataset
from bwmgr.reports.opendata.files import Contents

_MOST_NAME = 100
_LICENCES = {"CC-BY-4.0": "cc-by", "CC0-1.0": "cc-zero"}
"""As CKAN's own list of licences names them."""
_MEDIA = {"csv": "text/csv", "json": "application/json"}


def package(dataset: Dataset, about: About, contents: Contents) -> dict[str, Any]:
    """The body of the request."""
    extras = {
        "kode_wilayah": about.region, "cakupan": about.coverage, "periode_mulai": about.first.isoformat(),
        "periode_selesai": about.last.isoformat(), "satuan": dataset.unit, "metode": dataset.method,
        "frekuensi": "bulanan", "ambang_penyembunyian": str(about.least),
    }  # fmt: skip
    mail = {"author_email": about.contact, "maintainer_email": about.contact} if about.contact else {}
    return {
        "name": name_of(f"{dataset.slug}-{about.region}"),
        "title": dataset.title,
        "notes": dataset.description,
        "author": about.producer,
        "maintainer": about.producer,
        **mail,
        "license_id": _LICENCES[about.licence],
        "version": f"{about.first:%Y-%m}",
        "private": False,
        "state": "active",
        "type": "dataset",
        "owner_org": name_of(about.producer),
        "tags": [{"name": word} for word in dataset.keywords],
        "extras": [{"key": key, "value": value} for key, value in extras.items() if value],
        "resources": [_resource(dataset, form, about, contents) for form in _MEDIA],
    }


def name_of(text: str) -> str:
    """2 to 100 lower-case letters, digits, - and _."""
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:_MOST_NAME].ljust(2, "-")


def _resource(dataset: Dataset, form: str, about: About, contents: Contents) -> dict[str, Any]:
    from hashlib import sha256

    name = f"{dataset.slug}.{form}"
    return {
        "name": name,
        "description": dataset.title,
        "format": form.upper(),
        "mimetype": _MEDIA[form],
        "url": f"{about.address.rstrip('/')}/{name}" if about.address else name,
        "size": len(contents[name]),
        "hash": f"sha256:{sha256(contents[name]).hexdigest()}",
    }

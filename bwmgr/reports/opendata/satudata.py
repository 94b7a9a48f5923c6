"""All files of an export of Satu Data: each dataset, the catalogue over them, and the bodies of CKAN's requests."""

from __future__ import annotations

from collections.abc import Sequence

from bwmgr.language import Words
from bwmgr.reports.opendata import ckan, dcat
from bwmgr.reports.opendata.dataset import About, Dataset, files
from bwmgr.reports.opendata.files import Contents, json_octets


def contents(datasets: Sequence[Dataset], about: About, words: Words) -> Contents:
    """The files by name."""
    found: dict[str, bytes] = {}
    for dataset in datasets:
        found |= files(dataset, about)
    title = words.text("Open data of {organisation} on its internet service", organisation=about.producer)
    found["catalog.jsonld"] = json_octets(dcat.catalogue(datasets, about, found, title))
    for dataset in datasets:
        found[f"ckan/{dataset.slug}.json"] = json_octets(ckan.package(dataset, about, found))
    return found

"""The datasets as a catalogue in DCAT 3 (W3C), with the core properties of DCAT-AP 3, as JSON-LD with its own context.

Owns the vocabulary. Nothing has to be fetched to read it: the context stands in the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from bwmgr.reports.opendata.dataset import About, Dataset
from bwmgr.reports.opendata.files import Contents

_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
_EU = "http://publications.europa.eu/resource/authority"
_LICENCES = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}
_LANGUAGES = {"id": f"{_EU}/language/IND", "en": f"{_EU}/language/ENG"}
_FORMATS = {
    "csv": ("CSV", "https://www.iana.org/assignments/media-types/text/csv"),
    "json": ("JSON", "https://www.iana.org/assignments/media-types/application/json"),
}

Node = dict[str, Any]


def catalogue(datasets: Sequence[Dataset], about: About, contents: Contents, title: str) -> Node:
    """The whole catalogue; `contents` holds the files that its distributions are."""
    base = base_of(about)
    return {
        "@context": _CONTEXT,
        "@id": f"{base}catalog",
        "@type": "dcat:Catalog",
        "dct:title": _text(title, about),
        "dct:description": _text(title, about),
        "dct:publisher": _publisher(about),
        "dct:language": {"@id": _LANGUAGES[about.language]},
        "dct:license": {"@id": _LICENCES[about.licence]},
        "dct:modified": _day(about.last.isoformat()),
        "dct:spatial": _region(about),
        "dcat:dataset": [_dataset(one, about, contents) for one in datasets],
    }


def base_of(about: About) -> str:
    """What addresses of files begin with: the office's, or a name that is no address where none is configured."""
    return f"{about.address.rstrip('/')}/" if about.address else f"urn:x-satudata:{about.region or 'id'}:"


def _dataset(dataset: Dataset, about: About, contents: Contents) -> Node:
    contact = {"dcat:contactPoint": _contact(about)} if about.contact else {}
    return {
        "@id": f"{base_of(about)}{dataset.slug}",
        "@type": "dcat:Dataset",
        "dct:identifier": f"{about.region or 'id'}-{dataset.slug}",
        "dct:title": _text(dataset.title, about),
        "dct:description": _text(f"{dataset.description} {dataset.method}", about),
        "dct:publisher": _publisher(about),
        "dct:language": {"@id": _LANGUAGES[about.language]},
        "dct:accrualPeriodicity": {"@id": f"{_EU}/frequency/MONTHLY"},
        "dcat:theme": {"@id": f"{_EU}/data-theme/GOVE"},
        "dcat:keyword": [_text(word, about) for word in dataset.keywords],
        "dct:spatial": _region(about),
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _day(about.first.isoformat()),
            "dcat:endDate": _day(about.last.isoformat()),
        },
        "dct:modified": _day(about.last.isoformat()),
        **contact,
        "dcat:distribution": [_distribution(dataset, form, about, contents) for form in _FORMATS],
    }


def _distribution(dataset: Dataset, form: str, about: About, contents: Contents) -> Node:
    name = f"{dataset.slug}.{form}"
    file_type, media_type = _FORMATS[form]
    place = {"@id": f"{base_of(about)}{name}"}
    digest = {"@value": hashlib.sha256(contents[name]).hexdigest(), "@type": "xsd:hexBinary"}
    return {
        "@id": f"{base_of(about)}{name}#distribution",
        "@type": "dcat:Distribution",
        "dct:title": _text(f"{dataset.title} ({file_type})", about),
        "dcat:accessURL": place,
        "dcat:downloadURL": place,
        "dct:format": {"@id": f"{_EU}/file-type/{file_type}"},
        "dcat:mediaType": {"@id": media_type},
        "dct:license": {"@id": _LICENCES[about.licence]},
        "dcat:byteSize": {"@value": str(len(contents[name])), "@type": "xsd:nonNegativeInteger"},
        "spdx:checksum": {
            "@type": "spdx:Checksum", "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"}, "spdx:checksumValue": digest,
        },
    }  # fmt: skip


def _text(text: str, about: About) -> Node:
    return {"@value": text, "@language": about.language}


def _day(day: str) -> Node:
    return {"@value": day, "@type": "xsd:date"}


def _publisher(about: About) -> Node:
    return {"@id": f"{base_of(about)}publisher", "@type": "foaf:Agent", "foaf:name": _text(about.producer, about)}


def _contact(about: About) -> Node:
    return {
        "@type": "vcard:Organization", "vcard:fn": about.producer, "vcard:hasEmail": {"@id": f"mailto:{about.contact}"},
    }  # fmt: skip


def _region(about: About) -> Node:
    """A place by its code of the Ministry of Home Affairs, and in words."""
    return {"@type": "dct:Location", "dct:identifier": about.region, "skos:prefLabel": _text(about.coverage, about)}

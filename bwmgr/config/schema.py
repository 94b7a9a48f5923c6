"""JSON Schema (2020-12) of the configuration, from the same shapes that the reader follows, for editors to complete."""

from __future__ import annotations

from typing import Any

from bwmgr.config.kinds import HOURS, Kind
from bwmgr.config.shapes import CONFIGURATION, Chosen, Either, ListOf, MapOf, SecretReference, Shape, Type, Week

_DAY = "(mon|tue|wed|thu|fri|sat|sun)"


def json_schema() -> dict[str, Any]:
    """The schema of a whole file. Files that are only included may lack `organisation`."""
    schema = _schema(CONFIGURATION)
    paths = {
        "type": ["string", "array"],
        "items": {"type": "string"},
        "description": "More files: YAML, or CSV lists; * matches.",
    }
    schema["properties"]["include"] = paths
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "bwmgr configuration", **schema}


def _schema(type_: Type) -> dict[str, Any]:
    if isinstance(type_, Kind):
        return dict(type_.schema)
    if isinstance(type_, Shape):
        return _object(type_)
    if isinstance(type_, ListOf):
        return {"type": ["array", "null"], "items": _schema(type_.of)}
    if isinstance(type_, MapOf):
        return {"type": ["object", "null"], "additionalProperties": _schema(type_.of)}
    if isinstance(type_, Either):
        return {"anyOf": [{"const": type_.word}, _schema(type_.of)]}
    return _special(type_)


def _special(type_: SecretReference | Week | Chosen) -> dict[str, Any]:
    if isinstance(type_, SecretReference):
        either = {"env": {"type": "string"}, "file": {"type": "string"}}
        return {"type": "object", "properties": either, "minProperties": 1, "maxProperties": 1, "additionalProperties": False}
    if isinstance(type_, Week):
        more = {"holidays": {"type": "string"}, "closed": {"type": "array", "items": {"type": "string"}}}
        days = {f"^{_DAY}(-{_DAY})?$": _schema(HOURS)}
        return {"type": "object", "properties": more, "patternProperties": days, "additionalProperties": False}
    named = {"type": "object", "properties": {"policy": {"type": "string"}}, "required": ["policy"]}
    return {"anyOf": [{"type": "string"}, named]}


def _object(shape: Shape) -> dict[str, Any]:
    properties = {}
    for key, field in shape.fields.items():
        properties[key] = _schema(field.type)
        if field.about:
            properties[key]["description"] = field.about
    required = [key for key, field in shape.fields.items() if field.required]
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema

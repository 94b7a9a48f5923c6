"""The JSON Schema that editors use agrees with what the loader takes and refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bwmgr import config

ROOT = Path(__file__).parents[3]
SHIPPED = Path(config.__file__).with_name("bwmgr.schema.json")


class _EditorLoader(yaml.SafeLoader):
    """YAML 1.2's core schema, as editors read it: no dates, no sexagesimals, no yes and no."""


_EditorLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("timestamp", "int", "float", "bool")]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_EditorLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))
_EditorLoader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?\d+$"), list("-+0123456789"))
_EditorLoader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?\d*\.\d+$"), list("-+.0123456789"))


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(SHIPPED.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def problems(validator: Draft202012Validator, text: str) -> list[str]:
    document: Any = yaml.load(text, Loader=_EditorLoader)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(document)]


def test_shipped_schema_is_the_present_one() -> None:
    """What is shipped is what `bwmgr config schema` prints."""
    assert json.loads(SHIPPED.read_text(encoding="utf-8")) == config.json_schema()


@pytest.mark.parametrize(
    "path", [*sorted(ROOT.glob("configs/*.yaml")), *sorted(ROOT.glob("bwmgr/config/starter/*.yaml"))], ids=str
)
def test_examples_are_valid(validator: Draft202012Validator, path: Path) -> None:
    """No editor marks a line of a shipped example or of the starter."""
    assert problems(validator, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "{organisation: {name: A}, snpm: {}}",
        "{organisation: {}}",
        "{snmp: {}}",
        "{organisation: {name: A}, snmp: {interval: 60}}",
        "{organisation: {name: A}, credentials: {a: {version: 2c, community: public}}}",
        "{organisation: {name: A}, credentials: {a: {version: 4}}}",
        "{organisation: {name: A}, links: [{id: a, kind: odp}]}",
        "{organisation: {name: A}, links: [{id: a, kind: opd, limit: {down: 10M}}]}",
        "{organisation: {name: A}, links: {a: {kind: opd}}}",
        "{organisation: {name: A}, calendars: {office: {monday: '08:00-16:00'}}}",
        "{organisation: {name: A}, devices: [{id: a, address: 10.0.0.1, port: 0}]}",
    ],
)
def test_what_the_loader_refuses(validator: Draft202012Validator, text: str) -> None:
    """Mistakes of shape are marked in the editor already."""
    assert problems(validator, text)

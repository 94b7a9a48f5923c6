"""Values into records, as the shapes say: unknown and missing keys, wrong types, secrets, calendars, policies.

Owns every mistake that one key can have by itself. What keys mean together is `bwmgr.config.checks`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Final

from bwmgr.config import kinds, shapes
from bwmgr.config.document import NULLS, Items, Keys, Mistakes, Text, Value
from bwmgr.config.kinds import Kind, nearest
from bwmgr.config.reasons import unreadable
from bwmgr.config.settings import PolicyChoice
from bwmgr.config.shapes import Chosen, Either, ListOf, MapOf, SecretReference, Shape, Type, Week
from bwmgr.errors import Mistake
from bwmgr.model.inventory import Calendar
from bwmgr.model.said import Said, said_by
from bwmgr.model.secret import Secret

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MAX_SECRET_OCTETS = 65536
INVALID: Final = object()
"""In place of a value that a mistake was reported for."""


@dataclass(slots=True)
class Record:
    """The keys of one mapping that were right; the wrong ones are missing, and reported."""

    values: dict[str, Any]
    source: Keys
    path: str

    def get(self, key: str, default: Any = None) -> Any:
        return self.values.get(key, default)

    def line(self, key: str) -> int:
        """Where the key stands; the mapping's first line where it does not."""
        return self.source.lines.get(key, self.source.line)


class Reader:
    """Reads against shapes and gathers mistakes. `secrets` False: references are checked in shape, and not looked up."""

    def __init__(self, policies: Mapping[str, type], *, secrets: bool = True) -> None:
        self.mistakes = Mistakes()
        self.policies = policies
        self._secrets = secrets
        self._parsed: dict[tuple[Type, str], Any] = {}
        """Right values, by kind and text: among thousands of links the same rates and names come again and again."""

    def report(self, value: Value, key: str, problem: str, line: int | None = None) -> None:
        self.mistakes.append(Mistake(file=value.file, line=value.line if line is None else line, key=key, problem=problem))

    def blame(self, record: Record, key: str, problem: str) -> None:
        """A mistake at one key of a record; `key` may be empty: the record itself."""
        path = ".".join(part for part in (record.path, key) if part)
        self.report(record.source, path, problem, record.line(key.split(".", maxsplit=1)[0]))

    def read(self, type_: Type, value: Value, path: str) -> Any:
        """The value as its type says, or INVALID."""
        if isinstance(type_, Kind):
            return self._scalar(type_, value, path)
        if isinstance(type_, Shape):
            return self.record(type_, value, path)
        if isinstance(type_, ListOf):
            return self._list(type_, value, path)
        if isinstance(type_, MapOf):
            return self._map(type_, value, path)
        return self._special(type_, value, path)

    def _special(self, type_: SecretReference | Either | Week | Chosen, value: Value, path: str) -> Any:
        if isinstance(type_, SecretReference):
            return self._secret(value, path)
        if isinstance(type_, Either):
            return None if isinstance(value, Text) and value.text == type_.word else self.read(type_.of, value, path)
        return self._calendar(value, path) if isinstance(type_, Week) else self._policy(value, path)

    def _scalar(self, kind: Kind, value: Value, path: str) -> Any:
        if not isinstance(value, Text):
            several, keys = Said("a list; a single value belongs here"), Said("a mapping; a single value belongs here")
            self.report(value, path, several if isinstance(value, Items) else keys)
            return INVALID
        if value.empty:
            self.report(value, path, Said("empty; write a value, or leave the key out"))
            return INVALID
        try:
            found = kind.parse(value.text)
        except ValueError as error:
            self.report(value, path, said_by(error))
            return INVALID
        if value.text not in NULLS:
            self._parsed[kind, value.text] = found
        return found

    def _keys(self, value: Value, path: str, like: str) -> Keys | None:
        if isinstance(value, Keys):
            return value
        self.report(value, path, _no_mapping(value, like))
        return None

    def record(self, shape: Shape, value: Value, path: str) -> Any:
        """A mapping against its shape: all that is right of it, or INVALID where it is no mapping."""
        keys = self._keys(value, path, ", ".join(list(shape.fields)[:3]))
        if keys is None:
            return INVALID
        prefix = f"{path}." if path else ""
        values = {}
        fields, parsed = shape.fields, self._parsed
        for key, content in keys.entries.items():
            field = fields.get(key)
            if type(content) is Text and field is not None and (field.type, content.text) in parsed:
                values[key] = parsed[field.type, content.text]
            elif field is None:
                hint = nearest(key, shape.fields) or Said("; write one of {known}", known=", ".join(shape.fields))
                self.report(keys, prefix + key, Said("unknown key{hint}", hint=hint), keys.lines[key])
            elif (found := self.read(field.type, content, prefix + key)) is not INVALID:
                values[key] = found
        for key, field in shape.fields.items():
            if field.required and key not in keys.entries:
                self.report(keys, prefix + key, Said("missing; write {key}: {hint}", key=key, hint=field.hint))
        return Record(values, keys, path)

    def _list(self, type_: ListOf, value: Value, path: str) -> Any:
        if not isinstance(value, Items):
            if not (isinstance(value, Text) and value.empty):
                self.report(value, path, Said("a list belongs here; write [ ... ], or one item a line after '- '"))
                return INVALID
            return []
        found = (self.read(type_.of, item, _item_path(item, path, index)) for index, item in enumerate(value.items))
        return [item for item in found if item is not INVALID]

    def _map(self, type_: MapOf, value: Value, path: str) -> Any:
        if isinstance(value, Text) and value.empty:
            return {}
        keys = self._keys(value, path, Said("names of your choice"))
        found = {}
        for name, content in keys.entries.items() if keys else ():
            known = self._scalar(type_.key, Text(name, keys.file, keys.lines[name]), f"{path}.{name}") if keys else INVALID
            item = self.read(type_.of, content, f"{path}.{name}")
            if known is not INVALID and item is not INVALID:
                found[known] = item
        return found

    def _secret(self, value: Value, path: str) -> Any:
        if not isinstance(value, Keys):
            self.report(value, path, Said("a secret is not written here; refer to it: {{env: NAME}} or {{file: PATH}}"))
            return INVALID
        if len(value.entries) != 1 or next(iter(value.entries)) not in ("env", "file"):
            self.report(value, path, Said("a secret is either {{env: NAME}} or {{file: PATH}}"))
            return INVALID
        ((kind, reference),) = value.entries.items()
        name = self._scalar(kinds.WORD, reference, f"{path}.{kind}")
        if kind == "file" and name is not INVALID:
            name = str(Path(value.file).absolute().parent / name)
        if name is INVALID or not self._secrets:
            return INVALID if name is INVALID else Secret("", f"{kind}:{name}")
        try:
            text = _from_environment(name) if kind == "env" else _from_file(Path(name))
        except ValueError as error:
            self.report(reference, path, said_by(error))
            return INVALID
        return Secret(text, f"{kind}:{name}")

    def _calendar(self, value: Value, path: str) -> Any:
        keys = self._keys(value, path, "mon-fri, holidays, closed")
        if keys is None:
            return INVALID
        week: dict[int, Any] = {}
        country, closed = None, []
        for key, content in keys.entries.items():
            at = f"{path}.{key}"
            if key == "holidays":
                country = self._scalar(kinds.COUNTRY, content, at)
            elif key == "closed":
                closed = self._list(ListOf(kinds.DATE), content, at)
            else:
                self._open(week, keys, key, self._scalar(kinds.HOURS, content, at), at)
        self._overnight(week, keys, path)
        weekly = tuple(week.get(day, ()) for day in range(7)) if week else None
        name = path.rpartition(".")[2]
        return Calendar(
            id=name,
            weekly=weekly,
            holidays=None if country is INVALID else country,
            closed=frozenset() if closed is INVALID else frozenset(closed),
        )

    def _overnight(self, week: Mapping[int, Any], keys: Keys, path: str) -> None:
        """What lasts into the next day ends before that day's own hours begin."""
        for day, spans in week.items():
            following = week.get((day + 1) % 7, ())
            opens, closes = spans[-1] if spans else (None, None)
            if opens is not None and closes is not None and closes <= opens and following and following[0][0] < closes:
                problem = Said(
                    "{day}'s hours last until {clock} of {next}, whose own begin before that; let one end earlier",
                    day=DAYS[day],
                    clock=f"{closes:%H:%M}",
                    next=DAYS[(day + 1) % 7],
                )
                self.report(keys, path, problem)

    def _open(self, week: dict[int, Any], keys: Keys, key: str, hours: Any, path: str) -> None:
        first, _, last = key.partition("-")
        if first not in DAYS or (last or first) not in DAYS or (last and DAYS.index(last) <= DAYS.index(first)):
            known = (*DAYS, "mon-fri", "holidays", "closed")
            self.report(
                keys,
                path,
                Said("no day: write mon to sun, or a span such as mon-thu{nearest}", nearest=nearest(key, known)),
                keys.lines[key],
            )
            return
        for day in range(DAYS.index(first), DAYS.index(last or first) + 1):
            if day in week:
                self.report(keys, path, Said("{day} has its hours already; give each day once", day=DAYS[day]), keys.lines[key])
            week[day] = () if hours is INVALID else hours

    def _policy(self, value: Value, path: str) -> Any:
        if isinstance(value, Text):
            value = Keys(value.file, value.line, {"policy": value}, {"policy": value.line})
        keys = self._keys(value, path, "policy")
        if keys is None or "policy" not in keys.entries:
            if keys is not None:
                problem = Said("missing; write one of {known}", known=", ".join(self.policies))
                self.report(keys, f"{path}.policy", problem)
            return INVALID
        name = self._scalar(kinds.choice(*self.policies), keys.entries["policy"], f"{path}.policy")
        if name is INVALID:
            return INVALID
        class_ = self.policies[name]
        return self._parameters(name, class_, self.record(policy_shape(name, class_), keys, path))

    def _parameters(self, name: str, class_: type, record: Record) -> Any:
        keys = {parameter: key for parameter, key in parameter_keys(class_).items() if key in record.values}
        given = {parameter: _frozen(record.get(key)) for parameter, key in keys.items()}
        if needed(class_) - given.keys():
            return INVALID
        try:
            return PolicyChoice(name=name, parameters=class_(**given))
        except (ValueError, TypeError) as error:
            self.blame(record, "", said_by(error))
            return INVALID


def _no_mapping(value: Text | Items, like: str) -> Said:
    if isinstance(value, Items):
        return Said("a list; a mapping belongs here, with keys such as {like}", like=like)
    if value.empty:
        return Said("empty; a mapping belongs here, with keys such as {like}", like=like)
    return Said("a single value; a mapping belongs here, with keys such as {like}", like=like)


def _item_path(item: Value, path: str, index: int) -> str:
    name = item.entries.get("id") if isinstance(item, Keys) else None
    return f"{path}.{name.text}" if isinstance(name, Text) and name.text.isprintable() and name.text else f"{path}[{index}]"


def _from_environment(name: str) -> str:
    text = os.environ.get(name)
    if not text:
        raise ValueError(
            Said("the environment variable {name} is not set; set it to the secret", name=name)
            if text is None
            else Said("the environment variable {name} is empty; set it to the secret", name=name)
        )
    return text


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_OCTETS + 1)
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(Said("{path} is not UTF-8 text; write the secret into it as text", path=path)) from None
    except (OSError, ValueError) as error:
        why = unreadable(error)
        raise ValueError(
            Said("{path} cannot be read ({why}); write the secret into it, readable by bwmgr alone", path=path, why=why)
        ) from None
    text = text.rstrip("\r\n")
    if not text:
        raise ValueError(Said("{path} is empty; write the secret into it, and nothing else", path=path))
    if len(content) > MAX_SECRET_OCTETS:
        raise ValueError(Said("{path} is too large; write the secret into it, and nothing else", path=path))
    return text


def parameter_keys(class_: type) -> dict[str, str]:
    """Parameters (of a policy, or the guards) and the keys that set them: the unit is in the value there (`headroom: 25%`)."""
    names = [field.name for field in fields(class_)]
    return {name: _without_unit(name) for name in names}


def needed(class_: type) -> set[str]:
    """The parameters of a policy that have no default, or that its `NEEDED` names."""
    bare = {field.name for field in fields(class_) if field.default is MISSING and field.default_factory is MISSING}
    return bare | getattr(class_, "NEEDED", frozenset())


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _without_unit(name: str) -> str:
    for suffix in ("_seconds", "_bps", "_ratio"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def policy_shape(name: str, class_: type) -> Shape:
    """The shape of a policy's item, from its dataclass of parameters."""
    keys = parameter_keys(class_)
    described = {"policy": shapes.Field(kinds.WORD, required=True)}
    for field in fields(class_):
        kind = _parameter_kind(field.name, str(field.type))
        described[keys[field.name]] = shapes.Field(kind, required=field.name in needed(class_))
    return Shape(name, described)


def _parameter_kind(name: str, annotation: str) -> Kind | ListOf:
    by_suffix = {"_seconds": kinds.duration(0), "_bps": kinds.RATE, "_ratio": kinds.RATIO}
    for suffix, kind in by_suffix.items():
        if name.endswith(suffix):
            return kind
    if annotation.startswith("tuple["):
        return ListOf(_parameter_kind("", annotation.removeprefix("tuple[")))
    if "int" in annotation or "float" in annotation:
        return kinds.number(0, 10**12, whole="float" not in annotation)
    return kinds.FLAG if "bool" in annotation else kinds.WORD

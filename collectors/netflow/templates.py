"""Templates: what the exporter says its records look like, and data that came before it said so.

Owns their scope (exporter, version, observation domain, template id; RFC 7011 section 8, RFC 3954 section 9), their lifetime and
every bound that a hostile sender meets. Reading them from a datagram belongs to `reference`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

VARIABLE = 0xFFFF
"""Field length that says: each record carries its own (RFC 7011 section 7)."""

Scope = tuple[Hashable, int, int]
"""(exporter, version, observation domain)."""
D = TypeVar("D")
_SET_OCTETS = 256
"""What keeping a data set takes beside its octets: its context, its place."""
_SHORTEST_LIFE_MS = 600_000
"""Restarts closer together are not believed."""
_OBJECT_OCTETS = 256
"""What a waiting data set takes beside its octets: sets of no octets at all would otherwise wait without bound."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field specifier: enterprise (0: IANA), element number, octets in a record."""

    pen: int
    id: int
    octets: int


@lru_cache(maxsize=65536)
def field_of(pen: int, number: int, octets: int) -> Field:
    """A field specifier; equal ones are one object, so that a template of a thousand fields takes 8 KiB."""
    return Field(pen, number, octets)


@dataclass(frozen=True)
class Template:
    """Fields in the order of the record; the first `scopes` of an options template are its scope, 0: a data template."""

    id: int
    fields: tuple[Field, ...]
    scopes: int = 0
    options: bool = False

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.id, self.fields, self.scopes, self.options))

    @cached_property
    def fixed(self) -> bool:
        """All records have one length."""
        return all(each.octets != VARIABLE for each in self.fields)

    @cached_property
    def octets(self) -> int:
        """Of a record, at least: a field of variable length takes one octet or more."""
        return sum(1 if each.octets == VARIABLE else each.octets for each in self.fields)


@dataclass(frozen=True, kw_only=True)
class TemplateLimits:
    """Bounds against exporters that send too much, by mistake or on purpose."""

    lifetime_ms: int = 5_400_000
    """Three times the 30 minutes after which routers repeat their templates (RFC 7011 section 8.4: a template must expire)."""
    templates: int = 20_000
    """In all; those not refreshed for longest go first."""
    fields: int = 1024
    """In one."""
    all_fields: int = 1_000_000
    early_octets: int = 8 << 20
    """Data sets waiting for their template, in all, with what keeping them takes."""
    early_octets_per_scope: int = 512 << 10
    early_ms: int = 1_800_000


@dataclass
class _Kept:
    template: Template
    at_ms: int


@dataclass
class _Early(Generic[D]):
    sets: list[tuple[int, D]] = field(default_factory=list)
    octets: int = 0


class TemplateStore(Generic[D]):
    """All templates of all exporters, and the data sets (`D`, with their context) that still wait for one."""

    def __init__(self, limits: TemplateLimits = TemplateLimits()) -> None:
        self.limits = limits
        self.version = 0
        """Grows whenever a template is added, changed or dropped: what was made of templates may be kept as long as it stands."""
        self._templates: OrderedDict[tuple[Scope, int], _Kept] = OrderedDict()
        self._early: OrderedDict[tuple[Scope, int], _Early[D]] = OrderedDict()
        self._fields = 0
        self._early_octets = 0
        self._restarts: OrderedDict[Scope, int] = OrderedDict()
        self._forms: WeakValueDictionary[Template, Template] = WeakValueDictionary()
        self._early_of: dict[Scope, int] = {}

    def put(self, scope: Scope, template: Template, now_ms: int) -> list[D]:
        """Takes a template in (the same again only lives longer) and gives back the data that waited for it, oldest first."""
        key = (scope, template.id)
        template = self._forms.setdefault(template, template)
        kept = self._templates.get(key)
        if kept is None or kept.template != template:
            self.version += 1
            self._fields += len(template.fields) - (0 if kept is None else len(kept.template.fields))
            self._templates[key] = _Kept(template, now_ms)
            while len(self._templates) > self.limits.templates or self._fields > self.limits.all_fields:
                _, oldest = self._templates.popitem(last=False)
                self._fields -= len(oldest.template.fields)
        else:
            kept.at_ms = now_ms
        self._templates.move_to_end(key)
        waiting = self._take(key)
        return [] if waiting is None else [each for at_ms, each in waiting.sets if now_ms - at_ms <= self.limits.early_ms]

    def get(self, scope: Scope, template_id: int, now_ms: int) -> Template | None:
        """The template in force, None where there is none or it was not refreshed within its lifetime."""
        kept = self._templates.get((scope, template_id))
        if kept is None:
            return None
        if now_ms - kept.at_ms > self.limits.lifetime_ms:
            self._drop((scope, template_id))
            return None
        return kept.template

    def forget(self, scope: Scope, now_ms: int) -> list[Template] | None:
        """The exporter restarted: what it said before no longer holds (RFC 3954 section 9). Returns what was forgotten.

        None, and nothing is forgotten, where the last restart was minutes ago: then two exporters send from one address, through
        NAT perhaps, and each would make the other's data wait for ever.
        """
        before = self._restarts.get(scope)
        self._restarts[scope] = now_ms
        self._restarts.move_to_end(scope)
        while len(self._restarts) > self.limits.templates:
            self._restarts.popitem(last=False)
        if before is not None and now_ms - before < _SHORTEST_LIFE_MS:
            return None
        keys = [key for key in self._templates if key[0] == scope]
        return [self._drop(key) for key in keys]

    def hold(self, scope: Scope, template_id: int, data: D, octets: int, now_ms: int) -> int:
        """Keeps a data set until its template comes; returns how many sets were dropped to make room, itself perhaps.

        A set counts for what it takes here, not for its octets alone: of empty ones there would be no end.
        """
        octets += _SET_OCTETS
        if octets > self.limits.early_octets_per_scope:
            return 1
        dropped = self._expire(now_ms)
        while self._early and (
            self._early_octets + octets > self.limits.early_octets
            or self._early_of.get(scope, 0) + octets > self.limits.early_octets_per_scope
        ):
            mine = self._early_of.get(scope, 0) + octets > self.limits.early_octets_per_scope
            victim = next(key for key in self._early if not mine or key[0] == scope)
            lost = self._take(victim)
            dropped += len(lost.sets) if lost else 0
        waiting = self._early.setdefault((scope, template_id), _Early())
        waiting.sets.append((now_ms, data))
        waiting.octets += octets
        self._early_octets += octets
        self._early_of[scope] = self._early_of.get(scope, 0) + octets
        return dropped

    def __len__(self) -> int:
        return len(self._templates)

    @property
    def early_octets(self) -> int:
        """What data that wait take, octets."""
        return self._early_octets

    @property
    def waiting_octets(self) -> int:
        """Their own octets."""
        return self._early_octets - _SET_OCTETS * sum(len(waiting.sets) for waiting in self._early.values())

    def _drop(self, key: tuple[Scope, int]) -> Template:
        template = self._templates.pop(key).template
        self._fields -= len(template.fields)
        self.version += 1
        return template

    def _expire(self, now_ms: int) -> int:
        """Drops what waited too long; the oldest entry comes first."""
        dropped = 0
        while self._early:
            key, waiting = next(iter(self._early.items()))
            if now_ms - waiting.sets[-1][0] <= self.limits.early_ms:
                break
            self._take(key)
            dropped += len(waiting.sets)
        return dropped

    def _take(self, key: tuple[Scope, int]) -> _Early[D] | None:
        waiting = self._early.pop(key, None)
        if waiting is not None:
            self._early_octets -= waiting.octets
            left = self._early_of[key[0]] - waiting.octets  # every set counts for something, so that it is there
            if left:
                self._early_of[key[0]] = left
            else:
                del self._early_of[key[0]]
        return waiting

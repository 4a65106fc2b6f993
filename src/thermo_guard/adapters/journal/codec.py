"""How an event and a snapshot become JSON and come back as what they were.

Strict on the way in: an unknown kind or key is from a newer version, and to drop it silently could forget that the
guard has acted. Old journals stay readable because events only ever gain fields that have defaults.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from thermo_guard.core.events import Event
from thermo_guard.core.snapshot import Snapshot
from thermo_guard.core.wishes import Wish
from thermo_guard.ports import Refused

_STRICT = ConfigDict(extra="forbid")
# All are unions because pydantic hands a configuration down to the plain dataclasses of the core only through one.
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")], config=_STRICT)
_SNAPSHOT: TypeAdapter[Snapshot | None] = TypeAdapter(Snapshot | None, config=_STRICT)
_WISH: TypeAdapter[Wish | None] = TypeAdapter(Wish | None, config=_STRICT)


def to_json(value: Any) -> str:
    """One line of ASCII: it survives any text that a peer put into an error, lone surrogates included.

    :raises ValueError: not a number, or infinite: no measurement, and PostgreSQL would refuse it.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def encode_event(event: Event) -> dict[str, Any]:
    body: dict[str, Any] = _EVENT.dump_python(event, mode="json")
    return body


def decode_event(body: Mapping[str, Any], seq: int) -> Event:
    """:raises Refused: this version cannot read entry `seq`; the text says where it does not fit."""
    try:
        return _EVENT.validate_python(body)
    except ValidationError as error:
        raise Refused(f"The journal's entry {seq} cannot be read by this version of Thermo-Guard "
                      f"({_where(error)}). It was probably written by a newer one: start that one again.") from error


def encode_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    body: dict[str, Any] = _SNAPSHOT.dump_python(snapshot, mode="json")
    return body


def decode_snapshot(body: Mapping[str, Any]) -> Snapshot:
    """:raises Refused: this version cannot read it."""
    try:
        found = _SNAPSHOT.validate_python(body)
    except ValidationError as error:
        raise Refused(f"The kept snapshot of the cluster cannot be read by this version of Thermo-Guard "
                      f"({_where(error)}). It was probably written by a newer one: start that one again.") from error
    if found is None:
        raise Refused("The kept snapshot of the cluster is empty.")
    return found


def encode_wish(wish: Wish) -> dict[str, Any]:
    """All of it but its number and time, which have columns of their own."""
    body: dict[str, Any] = _WISH.dump_python(wish, mode="json")
    del body["number"], body["at"]
    return body


def decode_wish(number: int, at: float, text: str) -> Wish:
    """:raises Refused: this version cannot read it."""
    try:
        found = _WISH.validate_python({**json.loads(text), "number": number, "at": at})
    except (ValueError, TypeError) as error:
        where = _where(error) if isinstance(error, ValidationError) else "no object"
        raise Refused(f"Order {number} in the inbox cannot be read by this version of Thermo-Guard ({where})."
                      ) from error
    assert found is not None  # noqa: S101 - an object was given
    return found


def _where(error: ValidationError) -> str:
    """The first misfit in a few words."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "union_tag_invalid":
        return f"unknown kind {first['ctx']['tag']!r}"
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"

"""Answers of the PropertyCollector, read as they arrive, into plain values.

pyVmomi builds a typed object for every element of an answer: at 8,000 VMs that takes three seconds of processor time
and holds the interpreter's lock meanwhile. A page of leaf properties needs no types, and expat in C reads it ten times
as fast. Source: RetrieveResult in the vSphere Web Services API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

NS = "{urn:vim25}"
TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"

Value = str | bool | Element
"""A leaf is text or a truth, a reference is the server's identifier; data objects and arrays stay elements."""

_OBJECTS = f"{NS}objects"
_RETURNVAL = f"{NS}returnval"
_OBJ = f"{NS}obj"
_PROPERTY = f"{NS}propSet"
_NAME = f"{NS}name"
_VAL = f"{NS}val"
_CHUNK = 1 << 16


class Readable(Protocol):
    def read(self, amount: int, /) -> bytes: ...


@dataclass(slots=True)
class Page:
    """One page of an answer: properties by path, by object reference; with a token where more follows.

    A property that is unset or may not be read is absent.
    """

    objects: dict[str, dict[str, Value]] = field(default_factory=dict)
    token: str | None = None


def read_page(stream: Readable) -> Page:
    """Read a page; what has been read is dropped at once, so that memory holds one object of the answer at a time.

    :raises xml.etree.ElementTree.ParseError: it is not SOAP, or breaks off.
    """
    parser: XMLPullParser[Element] = XMLPullParser(("end",))
    page = Page()
    while chunk := stream.read(_CHUNK):
        parser.feed(chunk)
        # Half a million elements pass here in a second at 8,000 VMs: nothing is done for one that is not looked at.
        for _, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
            tag = element.tag
            if tag == _OBJECTS:
                _take(element, page)
                element.clear()
            elif tag == _RETURNVAL:
                page.token = text(element, "token")
    parser.close()
    return page


def text(element: Element | None, path: str) -> str | None:
    """Text of a data object's field, by names separated by slashes; None where it is unset."""
    if element is None:
        return None
    found = element.find("/".join(f"{NS}{name}" for name in path.split("/")))
    return None if found is None else found.text or ""


def truth(element: Element | None, path: str) -> bool | None:
    """A field that is true or false; None where it is unset."""
    said = text(element, path)
    return None if said is None else said.strip() in {"true", "1"}


def each(value: Value | None, name: str) -> Iterator[Element]:
    """Go through the elements of that name, of an array or of a data object's field that is a list."""
    if isinstance(value, Element):
        yield from value.findall(f"{NS}{name}")


def _take(element: Element, page: Page) -> None:
    reference = None
    properties: dict[str, Value] = {}
    for item in element:
        if item.tag == _PROPERTY:
            name, val = item.findtext(_NAME), item.find(_VAL)
            if name and val is not None:
                properties[name] = _value(val)
        elif item.tag == _OBJ:
            reference = item.text
    if not reference:
        raise ParseError("an object without a reference")
    page.objects[reference] = properties


def _value(val: Element) -> Value:
    kind = val.get(TYPE, "")
    if len(val) or kind.rpartition(":")[2].startswith("ArrayOf"):
        return val
    said = val.text or ""
    return said == "true" if kind.endswith("boolean") else said

"""Meraki's own published description as a judge of questions and of answers.

The description has no `required` and forbids no unknown key, so that {} would pass: it is made strict before it judges.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from openapi_schema_validator import OAS30Validator

from peers import shared

NEEDED = {"serial", "ts", "metric", "celsius", "readings", "organizationId", "supportedMetrics", "counts"}
"""Keys without which an answer means nothing: required wherever the description knows them."""


def described_paths() -> dict[str, Any]:
    """What is described, by path template; skips where the description is absent."""
    found: dict[str, Any] = json.loads(shared("data/meraki/spec-cut.json").read_text())["paths"]
    return found


def strict(schema: Any) -> Any:
    """Forbid unknown keys and require the needed ones, all the way down."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(each) for key, each in schema.items()}
    if isinstance(properties := made.get("properties"), dict) and made.get("type") == "object":
        made["additionalProperties"] = False
        if required := sorted(NEEDED & set(properties)):
            made["required"] = required
    return made


def operation(paths: Mapping[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    """Find the description of a request; a path that it does not know is our mistake."""
    for template, methods in paths.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.removeprefix("/api/v1")):
            found: dict[str, Any] = methods[method]
            return found
    raise AssertionError(f"Meraki's description has no path {path}")


def objections(query: Mapping[str, list[str]], described: Mapping[str, Any]) -> Iterator[str]:
    """Say what the description has against a query: unknown names, missing [], values outside an enum or a range."""
    known = {each["name"]: each["schema"] for each in described["parameters"] if each["in"] == "query"}
    for name, values in query.items():
        schema = known.get(name.removesuffix("[]"))
        if schema is None:
            yield f"no such query: {name}"
        elif (schema["type"] == "array") != name.endswith("[]"):
            yield f"brackets of {name}"
        elif schema["type"] != "array" and len(values) > 1:
            yield f"repeated: {name}"
        else:
            allowed = schema.get("items", schema).get("enum")
            yield from (f"{name}={value}" for value in values if allowed and value not in allowed)
            if schema["type"] == "integer" and not (values[0].isdecimal() and 3 <= int(values[0]) <= 1000):
                yield f"{name}={values[0]}"


def validator(described: Mapping[str, Any], status: str = "200") -> OAS30Validator:
    return OAS30Validator(strict(described["responses"][status]["content"]["application/json"]["schema"]))

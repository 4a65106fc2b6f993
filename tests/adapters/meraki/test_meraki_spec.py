"""Our questions, and the answers of our Meraki peer, judged by Meraki's own published description.

The description has no `required` and forbids no unknown key, so that {} would pass: it is made strict before it judges.
"""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import pytest
from openapi_schema_validator import OAS30Validator

from peers import shared
from peers.meraki import KEY, MerakiPeer, Request
from peers.meraki_room import NETWORK
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.meraki import Meraki

NEEDED = {"serial", "ts", "metric", "celsius", "readings", "organizationId", "supportedMetrics", "counts"}
"""Keys without which an answer means nothing: required wherever the description knows them."""


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
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


def operation(paths: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Find the description of a GET; a path that it does not know is our mistake."""
    for template, methods in paths.items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path.removeprefix("/api/v1")):
            found: dict[str, Any] = methods["get"]
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


def gathered(request: Request) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    for name, value in request.query:
        query.setdefault(name, []).append(value)
    return query


def validator(described: Mapping[str, Any]) -> OAS30Validator:
    return OAS30Validator(strict(described["responses"]["200"]["content"]["application/json"]["schema"]))


async def test_questions_and_answers_fit_the_description(paths: dict[str, Any]) -> None:
    """Every request of the adapter, and every answer of the peer that stands for Meraki, fits the real description."""
    async with MerakiPeer(most_per_page=3) as peer:
        serials = [f"Q2AA-0000-{number:04}" for number in range(5)]
        peer.set_sensors({serial: {"name": f"Rack {serial[-1]}"} for serial in serials})
        peer.set_sensors({serials[0]: {"ts_form": "seconds"}, serials[1]: {"ts_form": "offset"}})
        for sensors in (None, tuple(serials)):
            meraki = Meraki(KEY, NETWORK, SteadyClock(), base_url=peer.url, sensors=sensors)
            assert len((await meraki.poll()).readings) == 5
            assert (await meraki.alert_count()).temperature == 0
            assert len((await meraki.describe()).sensors) == 5
            await meraki.aclose()
        asked = tuple(peer.requests)
        assert len(asked) == 12
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
            for request in asked:
                described = operation(paths, request.path)
                assert list(objections(gathered(request), described)) == []
                async with session.get(f"{peer.origin}{request.path}", params=request.query) as response:
                    assert response.status == 200
                    validator(described).validate(await response.json())


def test_the_descriptions_own_example_is_read(paths: dict[str, Any]) -> None:
    """The strict form still takes what Meraki publishes as an example, so that it judges nobody unjustly."""
    described = operation(paths, "/organizations/1/sensor/readings/latest")
    validator(described).validate(described["responses"]["200"]["content"]["application/json"]["example"])


@pytest.mark.parametrize(
    "query",
    [
        {"metrics": ["temperature"]},
        {"metrics[]": ["Temperature"]},
        {"perPage[]": ["10"]},
        {"perPage": ["2"]},
        {"perPage": ["10", "10"]},
        {"networkId": ["N_1"]},
    ],
)
def test_a_wrong_question_is_seen(paths: dict[str, Any], query: dict[str, list[str]]) -> None:
    """The judge of questions objects to each kind of mistake, so that its silence means something."""
    assert list(objections(query, operation(paths, "/organizations/1/sensor/readings/latest")))


@pytest.mark.parametrize("misspelt", ["serial", "readings", "ts", "celsius"])
def test_a_wrong_answer_is_seen(paths: dict[str, Any], misspelt: str) -> None:
    """The judge of answers objects to a misspelt key at every depth."""
    described = operation(paths, "/organizations/1/sensor/readings/latest")
    example = copy.deepcopy(described["responses"]["200"]["content"]["application/json"]["example"])
    wrong = json.loads(json.dumps(example).replace(f'"{misspelt}"', f'"{misspelt}_"'))
    assert list(validator(described).iter_errors(wrong))

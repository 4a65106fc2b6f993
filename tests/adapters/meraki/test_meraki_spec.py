"""Our questions, and the answers of our Meraki peer, judged by Meraki's own published description."""

import copy
import json
from typing import Any

import aiohttp
import pytest

from peers.meraki import KEY, MerakiPeer, Request
from peers.meraki_description import described_paths, objections, operation, validator
from peers.meraki_room import NETWORK
from thermo_guard.adapters.clock import SteadyClock
from thermo_guard.adapters.meraki import Meraki


@pytest.fixture(scope="module")
def paths() -> dict[str, Any]:
    return described_paths()


def gathered(request: Request) -> dict[str, list[str]]:
    query: dict[str, list[str]] = {}
    for name, value in request.query:
        query.setdefault(name, []).append(value)
    return query


async def test_questions_and_answers_fit_the_description(paths: dict[str, Any]) -> None:
    """Every request of the adapter, and every answer of the peer that stands for Meraki, fits the real description."""
    async with MerakiPeer(most_per_page=3) as peer:
        serials = [f"Q2AA-0000-{number:04}" for number in range(5)]
        peer.set_sensors({serial: {"name": f"Rack {serial[-1]}"} for serial in serials})
        peer.set_sensors({serials[0]: {"ts_form": "seconds"}, serials[1]: {"ts_form": "offset"}})
        peer.past = [(peer.now() - 3600, serial, 21.5) for serial in serials]
        for sensors in (None, tuple(serials)):
            meraki = Meraki(KEY, NETWORK, SteadyClock(), base_url=peer.url, sensors=sensors)
            assert len((await meraki.poll()).readings) == 5
            assert (await meraki.alert_count()).temperature == 0
            assert len((await meraki.describe()).sensors) == 5
            assert len(await meraki.history(86400)) == 5
            await meraki.aclose()
        asked = tuple(peer.requests)
        assert len(asked) == 22
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

"""`check`'s rules of the BMCs, each by an example."""

from dataclasses import replace

import pytest

from core.surveyed import BMCS, CLUSTER, REFUSED, SILENT, TERMS, bmc, cadence, judged, worse
from thermo_guard.core.finding import Area, Verdict, Way, conclusion
from thermo_guard.core.plant import BmcSeen, Power, Trouble, Unseen
from thermo_guard.core.readings import Kind, Poll, Reading, Rejected
from thermo_guard.core.survey import InletSeen


def bmcs(**changes: BmcSeen | Unseen) -> dict[str, BmcSeen | Unseen]:
    return {**BMCS, **changes}


def test_each_bmc_is_told_with_its_host_power_resets_and_policy() -> None:
    """One line a BMC: whose it is and how that is known, its power, what it can, what it does by itself."""
    texts = [finding.text for finding in judged(bmcs=bmcs(ilo1=bmc("ilo1", "esx1", auto_power_on="LastState")))]
    assert "ilo1 is esx1 (by uuid): the login works, power on, resets On, ForceOff, when the mains return: LastState" \
        in texts


def test_a_foreign_bmc_is_a_warning_and_no_more() -> None:
    """A BMC of a server that is not of the cluster costs nothing: it never gets a command."""
    (only,) = worse(bmcs=bmcs(ilo9=bmc("ilo9", None)))
    assert only.verdict is Verdict.WARN
    assert "ilo9" in only.text


def test_a_host_without_a_bmc_stands_in_the_way_back() -> None:
    """Exit 0 is only for a site that comes back by itself; a host without a BMC needs a person."""
    (only,) = worse(bmcs={name: one for name, one in BMCS.items() if name != "ilo2"})
    assert (only.verdict, only.way) == (Verdict.FAIL, Way.BACK)
    assert "esx2" in only.text
    assert conclusion([only]).text == "The site could be brought down, not back."


@pytest.mark.parametrize(("look", "names"), [(REFUSED, "username"), (SILENT, "address")])
def test_a_bmc_that_does_not_answer_is_told_once_with_the_host_it_was(look: Unseen, names: str) -> None:
    """What the journal knows of it is used, so that its host is not told a second time as one without a BMC."""
    memory = replace(cadence(120), bmc_of={"esx2": "ilo2"})
    (only,) = worse(bmcs=bmcs(ilo2=look), memory=memory)
    assert only.text.startswith("ilo2 (of esx2)")
    assert only.way is Way.BACK
    assert names in only.remedy
    assert "a person would have to switch it on" in only.text


def test_without_on_among_its_resets_a_bmc_brings_nothing_back() -> None:
    """ForceOn will do; a BMC that only offers off is a FAIL; one that lists none is taken at its word later."""
    (only,) = worse(bmcs=bmcs(ilo1=bmc("ilo1", "esx1", allowed_resets=("ForceOff",))))
    assert only.way is Way.BACK
    assert "no reset of type On" in only.text
    assert worse(bmcs=bmcs(ilo1=bmc("ilo1", "esx1", allowed_resets=("ForceOn",)))) == []
    assert worse(bmcs=bmcs(ilo1=bmc("ilo1", "esx1", allowed_resets=()))) == []


def test_off_of_a_host_that_answers_is_a_lie() -> None:
    """A BMC that says Off while its host is up could confirm nothing; of a host that is down it is right."""
    said = bmcs(ilo1=bmc("ilo1", "esx1", power=Power.OFF))
    (only,) = worse(bmcs=said)
    assert only.way is Way.BACK
    assert "says Off while the host answers" in only.text
    down = replace(CLUSTER.hosts[0], is_connected=False, power=Power.OFF)
    found = worse(bmcs=said, cluster=replace(CLUSTER, hosts=(down, *CLUSTER.hosts[1:])), direct={})
    assert not any(finding.area is Area.BMCS for finding in found)


def test_a_power_that_is_not_told_confirms_nothing() -> None:
    """UNKNOWN is never taken for on or off."""
    (only,) = worse(bmcs=bmcs(ilo3=bmc("ilo3", "esx3", power=Power.UNKNOWN)))
    assert only.way is Way.BACK


def test_a_server_that_comes_on_with_the_mains_is_warned_of() -> None:
    """AlwaysOn heats a hot room whatever the guard wants; off and the last state do not."""
    (only,) = worse(bmcs=bmcs(ilo1=bmc("ilo1", "esx1", auto_power_on="AlwaysOn")))
    assert only.verdict is Verdict.WARN
    assert worse(bmcs=bmcs(ilo1=bmc("ilo1", "esx1", auto_power_on="AlwaysOff"))) == []


def test_two_bmcs_of_one_host_are_a_doubt_that_fails() -> None:
    """A doubt of the matching is told in its own words and stands in the way back."""
    found = worse(bmcs=bmcs(ilo4=bmc("ilo4", "esx1")))
    assert any("Several BMCs fit the host esx1" in finding.text and finding.way is Way.BACK for finding in found)


def test_a_pair_on_the_operators_word_is_a_warning() -> None:
    """An esxi_host without proof by the hardware works, and is said."""
    blank = bmc("ilo2", "esx2", uuid=None)
    (only,) = worse(replace(TERMS, bmc_overrides={"ilo2": "esx2"}), bmcs=bmcs(ilo2=blank))
    assert only.verdict is Verdict.WARN
    assert "esxi_host says so" in only.text


def test_no_bmc_at_all_is_said_once() -> None:
    """An empty ILO_HOSTS is one line, not one a host."""
    (only,) = worse(bmcs={})
    assert only.way is Way.BACK
    assert "ILO_HOSTS" in only.text


def test_a_host_whose_bmc_may_be_a_silent_one_is_not_sent_to_ilo_hosts() -> None:
    """A BMC with a bad login is one failure, not two: the host it may be in is told with it, not as one without."""
    first, second = worse(bmcs=bmcs(ilo2=REFUSED))
    assert (first.verdict, first.text.split(":")[0]) == (Verdict.FAIL, "ilo2")
    assert (second.verdict, second.text.split(":")[0]) == (Verdict.WARN, "esx2")
    assert "It may be one of those that do not, ilo2" in second.text
    assert "add" not in (second.text + second.remedy).lower()


def test_fewer_silent_bmcs_than_hosts_without_one_is_a_failure_of_its_own() -> None:
    """Two hosts cannot share the one BMC that does not answer."""
    found = worse(bmcs={"ilo1": BMCS["ilo1"], "ilo2": SILENT})
    assert [one.verdict for one in found] == [Verdict.FAIL] * 3
    assert all("fewer than such hosts" in one.text for one in found[1:])


def test_a_silent_bmc_whose_host_is_told_is_no_other_hosts() -> None:
    """With esxi_host a BMC that does not answer is that host's; another one without a BMC is told as before."""
    told = worse(replace(TERMS, bmc_overrides={"ilo2": "esx2"}), bmcs={"ilo1": BMCS["ilo1"], "ilo2": SILENT})
    assert any(one.text.startswith("Host esx3 has no BMC") for one in told)


def test_a_host_that_was_never_seen_sends_no_bmc_away() -> None:
    """Without vCenter a silent host has no identity yet: any BMC may be its own, and none is called a stranger's."""
    unseen = replace(CLUSTER.hosts[2], uuid="", serials=(), is_connected=False, power=Power.UNKNOWN)
    alone = replace(CLUSTER, hosts=(*CLUSTER.hosts[:2], unseen), is_standalone=True)
    told = [one for one in worse(cluster=alone) if one.area is Area.BMCS]
    assert [one.verdict for one in told] == [Verdict.WARN]
    assert "Which BMC is built into esx3" in told[0].text


@pytest.mark.parametrize(("trouble", "words"), [
    (Trouble.UNTRUSTED, "Run `thermo-guard pin`, which shows"), (Trouble.WRONG_PIN, "`thermo-guard pin ilo2`"),
])
def test_a_bmc_whose_certificate_is_not_trusted_is_sent_to_pin(trouble: Trouble, words: str) -> None:
    """A certificate nobody has confirmed yet, and one that has changed: each has its own way out."""
    memory = replace(cadence(120), bmc_of={"esx2": "ilo2"})
    (only,) = worse(bmcs=bmcs(ilo2=Unseen(0.0, "its certificate is not trusted", trouble=trouble)), memory=memory)
    assert words in only.remedy


def inlet(celsius: float | None, rejected: str = "") -> InletSeen:
    readings = () if celsius is None else (Reading("ilo1", celsius, 0.0, 0.0, 0.0, Kind.BMC),)
    nonsense = (Rejected("ilo1", rejected, Kind.BMC),) if rejected else ()
    return InletSeen("01-Inlet Ambient", Poll(0.0, readings, nonsense, kind=Kind.BMC, lists_all=False))


def test_each_inlet_is_told_with_its_sensor() -> None:
    """Which sensor is taken, and what it shows: a person must be able to tell whether it is the inlet."""
    found = judged(inlets={"ilo1": inlet(23.0)})
    assert [one.verdict for one in found if one.text == "ilo1: inlet 01-Inlet Ambient, 23 degC"] == [Verdict.OK]


@pytest.mark.parametrize(("look", "said"), [
    (Unseen(0.0, "BMC ilo1 shows no inlet sensor: name one by inlet_sensor in ILO_HOSTS"), "no inlet sensor"),
    (inlet(0.0), "0 degC, which no inlet has"), (inlet(91.0), "91 degC, which no inlet has"),
    (inlet(None), "no temperature now"), (inlet(None, "Inlet shows text"), "Inlet shows text"),
])
def test_an_inlet_that_shows_nothing_is_a_warning(look: InletSeen | Unseen, said: str) -> None:
    """It costs the second opinion and no more: the room's own sensors decide; the remedy is the operator's choice."""
    (only,) = worse(inlets={"ilo1": look})
    assert (only.verdict, only.area) == (Verdict.WARN, Area.BMCS)
    assert said in only.text
    assert "inlet_sensor" in only.remedy


def test_the_inlet_of_a_server_that_is_off_may_show_nothing() -> None:
    """Many BMCs show no sensor then: nobody is sent to mend that."""
    down = replace(CLUSTER.hosts[0], is_connected=False, power=Power.OFF)
    found = worse(bmcs=bmcs(ilo1=bmc("ilo1", "esx1", power=Power.OFF)), inlets={"ilo1": inlet(None)},
                  cluster=replace(CLUSTER, hosts=(down, *CLUSTER.hosts[1:])), direct={})
    assert not any(finding.area is Area.BMCS for finding in found)

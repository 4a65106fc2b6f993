"""M of N within one kind of sensors: who counts, who votes, how many are needed.

Source: MooN voting with explicit degradation after IEC 61511. The kinds are never pooled, since twenty inlets would
outvote two room sensors, and share their faults.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .policy_settings import PolicySettings
from .readings import Kind
from .track import Track

FANS_S = 600.0
"""So long a server's fans must have run before its inlet says something of the room."""


@dataclass(frozen=True, slots=True)
class Tally:
    """One kind of sensors as it stands now."""

    kind: Kind
    names: Sequence[str]
    valid: Mapping[str, Track]
    """Those that count: fresh, believed, and of servers whose fans run."""
    voters: Sequence[str]
    wanted: int
    """M, of all that there are."""
    floor: int
    demand: int
    """M, of those that count."""
    unheard: str = ""
    """Why the kind as a whole says nothing; empty where its source answers."""

    @property
    def blind(self) -> str:
        """Why too little is known; empty where it is enough."""
        if self.unheard:
            return self.unheard
        least = max(self.floor, 1)
        if len(self.valid) < least:
            return f"{len(self.valid)} of {len(self.names)} sensors fresh, at least {least} needed"
        return ""

    @property
    def hottest(self) -> str | None:
        return max(self.valid, key=lambda name: self.valid[name].recent[-1].celsius, default=None)

    @property
    def voted_c(self) -> float:
        """As many sensors as make HIGH stand here or above."""
        degrees = sorted((track.recent[-1].celsius for track in self.valid.values()), reverse=True)
        return degrees[self.demand - 1] if 0 < self.demand <= len(degrees) else -273.15


def votes_needed(settings: PolicySettings, count: int, kind: Kind = Kind.ROOM) -> int:
    """M of N: the setting, or a majority of the `count` sensors."""
    votes = settings.votes if kind is Kind.ROOM else settings.inlet_votes
    return votes if votes is not None else count // 2 + 1


def tally(
    kind: Kind, names: Sequence[str], tracks: Mapping[str, Track], settings: PolicySettings, now: float,
    *, unheard: str = "", has_alarm: bool = False, are_others_high: bool = False,
) -> Tally:
    """Count one kind.

    :param has_alarm: Meraki's own alarm stands, and may vote.
    :param are_others_high: the other kind has stood high meanwhile.
    """
    valid = {
        name: track for name in names
        if (track := tracks.get(name)) is not None and track.suspicion is None and track.is_fresh(settings, now)
        and (kind is Kind.ROOM or counts(track))
    }
    count = len(names) if kind is Kind.ROOM else max(len(names), settings.inlet_count)
    wanted = votes_needed(settings, count, kind)
    votes = settings.votes if kind is Kind.ROOM else settings.inlet_votes
    is_alone = count == 1 and votes is None  # one sensor is no second opinion where two were asked for
    floor = min(wanted, 1 if is_alone else settings.degrade_to)
    demand = max(floor, min(wanted, len(valid)))
    voters = _voters(valid, demand, settings, now, are_others_high=are_others_high)
    if has_alarm and voters and len(voters) == demand - 1:
        voters.append("Meraki's own alarm")
    return Tally(kind, names, valid, voters, wanted, floor, demand, unheard)


def counts(track: Track) -> bool:
    """An inlet without moving air says nothing of the room, and little until the fans have run for a while."""
    if track.is_running is False:
        return False
    return track.running_from is None or track.last.measured_at - track.running_from >= FANS_S


def _voters(
    valid: Mapping[str, Track], demand: int, settings: PolicySettings, now: float, *, are_others_high: bool
) -> list[str]:
    """Who stands at or above HIGH for the on-delay, on measurements of his own.

    Sensors too slow to show that twice show it together: one stood there, and another does on-delay later. Or the
    other kind has stood high meanwhile, which measures more often.
    """
    hot = [(name, track) for name, track in valid.items() if track.hot_from is not None]
    voters = [name for name, track in hot if track.last.stamp - (track.hot_from or 0.0) >= settings.on_delay_s]
    if not len(voters) < demand <= len(hot) or len(hot) < 2:
        return voters
    slow = [(name, track) for name, track in hot if name in voters or _is_slow(track, settings)]
    if len(slow) < demand:
        return voters
    if are_others_high:
        return [name for name, track in slow if name in voters or _has_stood(track, settings, now)]
    since = sorted(track.hot_from or 0.0 for _, track in slow)[max(demand - 2, 0)]
    has_held = max(track.last.stamp for _, track in slow) - since >= settings.on_delay_s
    return [name for name, _ in slow] if has_held else voters


def _is_slow(track: Track, settings: PolicySettings) -> bool:
    """It measures too seldom to say anything twice within the on-delay."""
    return (track.cadence_s or 0.0) > 2 * settings.on_delay_s


def _has_stood(track: Track, settings: PolicySettings, now: float) -> bool:
    return now - track.last.measured_at + track.last.stamp - (track.hot_from or 0.0) >= settings.on_delay_s

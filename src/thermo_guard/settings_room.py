"""The settings of the room: its sensors by every way, when it is too hot, and when the hosts may come back.

`Settings` has the rest; the words above there hold here.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationInfo, field_validator

from .core.policy_settings import INLETS_ABOVE_K
from .settings_addresses import ApiUrl, HostAddress
from .settings_fields import Written, example, in_seconds, whole
from .settings_forms import BlindPolicy, CaFile, Celsius, Flag, Hours, Kelvin, Maybe, Secret, Serials, Text
from .settings_problems import Wrong


class RoomSettings(BaseModel):
    """What is said of the room, in the core's units."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    # --- Meraki: the room's sensors ---
    meraki_api_key: Annotated[
        SecretStr,
        Written(Secret("the API key of a Meraki dashboard account that may read the network", 8, is_token=True)),
        example("0123456789abcdef0123456789abcdef01234567"),
    ]
    """API key of a Meraki dashboard account; read access to the network suffices, and more is a risk for nothing."""

    meraki_network_id: Annotated[
        str,
        Written(Text("the id of the network, not its name", r"[A-Za-z0-9_-]+", "which is no network id")),
        example("L_646829496481105433"),
    ]
    """Id of the network that the sensors are in: L_... or N_..., from GET /organizations/{id}/networks."""

    meraki_api_base_url: Annotated[str, Written(ApiUrl())] = "https://api.meraki.com/api/v1"
    """Address of the API. Other clouds have their own, e.g. https://api.meraki.cn/api/v1; the key is sent there."""

    meraki_ca_file: Annotated[Path | None, Written(CaFile()), example("/config/proxy-ca.pem")] = None
    """PEM file of the authorities to trust for Meraki instead of the public ones: for a proxy that opens TLS."""

    meraki_polling_interval: Annotated[float, in_seconds(1, 300)] = 60.0
    """Seconds between two polls. The sensors measure every 2 to 20 min, so that a shorter one gains little and costs
    calls; a longer one delays the trip, and above 300 s blindness could not be told within 10 min."""

    meraki_sensors: Annotated[
        tuple[str, ...] | None, Written(Serials()), example("Q2XX-AAAA-0001,Q2XX-AAAA-0002,Q2XX-AAAA-0003")
    ] = None
    """Serial numbers of the sensors that vote, separated by commas. By default all temperature sensors of the network:
    name them where others hang in other rooms or in a hot aisle, which would raise or outvote the alarm."""

    # --- When the room is too hot, and when it has recovered ---
    temperature_high_threshold: Annotated[float, Written(Celsius())] = 35.0
    """Degrees Celsius at or above which a sensor votes for the shutdown. Servers shut themselves down hard at about
    42 at the inlet: too high leaves no time for an orderly end, too low stops the site on a warm day."""

    temperature_low_threshold: Annotated[float, Written(Celsius())] = 30.0
    """Degrees Celsius at or below which every sensor must stand for the recovery. Close to the high threshold the site
    goes up and down with the room; below what the room reaches in summer it never comes back."""

    critical_threshold: Annotated[float, Written(Celsius())] = 40.0
    """Degrees Celsius at or above which one believable sensor is enough and nothing is waited for. Too low makes one
    bad sensor an outage, too high comes after the servers' own emergency stop."""

    trip_votes: Annotated[int | None, whole(1, 999), example("2")] = None
    """How many sensors must stand at or above the high threshold. By default a majority, one where there is one.
    More delay the trip when sensors fail; 1 lets one bad sensor stop the site."""

    votes_degrade_to: Annotated[int, whole(1, 2)] = 2
    """The fewest votes that still trip when sensors drop out. With 2, a room with one sensor left is told as BLIND;
    with 1 that last sensor may stop the site alone."""

    trip_on_delay: Annotated[float, in_seconds(0, 3600)] = 60.0
    """Seconds for which the votes must stand, on distinct measurements. Shorter trips on a door left open, longer
    spends the time that the shutdown needs: a dense room gains a degree a minute without cooling."""

    sensor_max_age: Annotated[float | None, in_seconds(60, 2700), example("900")] = None
    """Seconds after which a measurement no longer counts. By default 2.5 times the measured cadence of the sensors,
    from 300 to 2700. Too short makes a slow sensor BLIND, too long believes in a temperature that has passed."""

    recovery_hold: Annotated[float, in_seconds(0, 86400)] = 900.0
    """Seconds for which the room must stand recovered before anything is powered on. Too short powers on into a room
    whose walls are still hot or whose cooling has only blinked."""

    restart_watch: Annotated[float, in_seconds(0, 86400)] = 600.0
    """Seconds for which the first host runs alone without a rise of 1 degC before the others follow. Too short does
    not show whether the cooling carries the load."""

    dead_band: Annotated[float, Written(Kelvin())] = 2.0
    """Degrees below its limit at which a warning, the shedding or the alarm ends again. Below 2 the noise of sensors
    that show whole degrees makes them come and go."""

    off_delay: Annotated[float, in_seconds(0, 86400)] = 300.0
    """Seconds for which it must stand there before it ends. Too short tells the same warning again and again."""

    warn_threshold: Annotated[float | None, Written(Maybe(Celsius())), example("27")] = None
    """Degrees Celsius at or above which one believable sensor is told as a warning. By default
    TEMPERATURE_LOW_THRESHOLD: nearer to what the room has every day, and nobody reads the warnings any more."""

    shed_threshold: Annotated[float | None, Written(Maybe(Celsius())), example("33")] = None
    """Degrees Celsius at or above which, by the votes of the alarm, the tiers that the runbook marks sheddable stop. By
    default 2 below TEMPERATURE_HIGH_THRESHOLD. Nearer to that it comes too late to spare the rest."""

    projection: Annotated[bool, Written(Flag())] = True
    """true trips before the high threshold where the room, as it rises now, would be critical before everything could
    be stopped; a second source must show the same. false waits for the threshold: a dense room is then too fast."""

    projection_floor: Annotated[float | None, Written(Maybe(Celsius())), example("32")] = None
    """Degrees Celsius below which no projection trips. By default TEMPERATURE_LOW_THRESHOLD. Higher spares an outage
    where the cooling is only gone for minutes, and costs as many minutes where it is gone for good."""

    stop_margin: Annotated[float, in_seconds(0, 3600)] = 120.0
    """Seconds that must be left between the end of the shutdown and the critical threshold, by the projection. Too
    short leaves nothing for what takes longer than it did before."""

    blind_policy: Annotated[float | None, Written(BlindPolicy()), example("hold")] = None
    """What to do while the room is BLIND that was rising when it was last seen. hold: tell at once and every 5 minutes,
    and do nothing; trip-after:MINUTES: shut down after so long, if by the last projection the room is HIGH by then.
    That trips on what nobody sees (docs/adr/0013-blind-policy.md)."""

    # --- The inlets of the servers, by their BMCs: a second opinion ---
    bmc_inlets: Annotated[bool, Written(Flag())] = True
    """true reads the inlet temperature of each server in ILO_HOSTS. It confirms what the room's sensors project, and
    decides alone only while those are blind: false leaves the room unguarded then."""

    inlet_interval: Annotated[float, in_seconds(10, 300)] = 30.0
    """Seconds between two looks at an inlet. Less loads the BMCs, which are slow; more makes the opinion late."""

    inlet_high_threshold: Annotated[float | None, Written(Maybe(Celsius())), example("38")] = None
    """Degrees Celsius at or above which an inlet votes, where inlets decide. By default 3 above
    TEMPERATURE_HIGH_THRESHOLD, since some of a server's warm air comes back to its inlet."""

    inlet_low_threshold: Annotated[float | None, Written(Maybe(Celsius())), example("33")] = None
    """Degrees Celsius at or below which every inlet of a running server must stand for the recovery. By default 3 above
    TEMPERATURE_LOW_THRESHOLD; below what an inlet has every day nothing ever comes back."""

    inlet_votes: Annotated[int | None, whole(1, 999), example("1")] = None
    """How many inlets make the alarm while the room's sensors are blind. By default a majority."""

    # --- Meraki's other ways ---
    meraki_alarm_votes: Annotated[bool, Written(Flag())] = False
    """true lets an alarm of the Meraki dashboard stand for one of several votes, beside at least one sensor that votes.
    It knows no degrees and counts alarms of cold too: only where the dashboard has one profile, for heat."""

    webhook_port: Annotated[int | None, whole(1, 65535), example("8443")] = None
    """Port on which Meraki's webhooks are taken (POST /meraki, plain HTTP, behind a proxy that has the public
    certificate); each makes the guard poll at once and nothing more. By default none is open. Goes with
    MERAKI_WEBHOOK_SECRET."""

    meraki_webhook_secret: Annotated[
        SecretStr | None, Written(Secret("the shared secret of the webhook receiver in the dashboard")),
        example("S3cret!w"),
    ] = None
    """Shared secret of the webhook: without it anybody could make the guard poll."""

    mqtt_broker: Annotated[str | None, Written(HostAddress()), example("mqtt.example.com")] = None
    """MQTT broker on site, with :port where it is not 1883 (8883 with MQTT_TLS), to which the Meraki gateways publish:
    the measurements that still come when the way to the Internet is down. It must not run on this cluster."""

    mqtt_tls: Annotated[bool, Written(Flag())] = False
    """true speaks TLS with the broker."""

    mqtt_ca_file: Annotated[Path | None, Written(CaFile()), example("/config/mqtt-ca.pem")] = None
    """PEM file with the authority that signed the broker's certificate; only with MQTT_TLS."""

    mqtt_user: Annotated[str | None, Written(Text("a user name on the broker")), example("guard")] = None
    """Account on the broker, which may read meraki/v1/mt/#. Without one, anybody may publish temperatures to it."""

    mqtt_password: Annotated[SecretStr | None, Written(Secret("the password of MQTT_USER")), example("S3cret!q")] = None
    """Password of MQTT_USER."""

    # --- When the hosts may come back by themselves ---
    restart_hours: Annotated[tuple[int, int] | None, Written(Hours()), example("06:00-22:00")] = None
    """Local time (TZ) of the day within which the hosts may come back by themselves, once the room permits it. By
    default at any time. Outside the recovered room waits, told."""

    restart_needs_ack: Annotated[bool, Written(Flag())] = False
    """true waits for `thermo-guard ack` after the alarm before anything comes back by itself."""

    restart_max_wait: Annotated[float | None, in_seconds(60, 604800), example("14400")] = None
    """Seconds after the recovery when RESTART_HOURS and RESTART_NEEDS_ACK are waited for no longer. By default they are
    waited for however long it takes."""

    @field_validator("temperature_low_threshold")
    @classmethod
    def _low_is_below_high(cls, low: float, info: ValidationInfo) -> float:
        high = info.data.get("temperature_high_threshold")
        if high is not None and low >= high:
            raise Wrong(
                f"({low:g}) is not below TEMPERATURE_HIGH_THRESHOLD ({high:g}): the room would be too hot and "
                "recovered at once, and the site would go up and down",
                wanted=f"degrees Celsius below {high:g}, better by 2 or more",
                example=f"{max(5.0, high - 5):g}",
            )
        return low

    @field_validator("critical_threshold")
    @classmethod
    def _critical_is_above_high(cls, critical: float, info: ValidationInfo) -> float:
        high = info.data.get("temperature_high_threshold")
        if high is not None and critical <= high:
            raise Wrong(
                f"({critical:g}) is not above TEMPERATURE_HIGH_THRESHOLD ({high:g}): a single sensor would trip before "
                "the vote",
                wanted=f"degrees Celsius above {high:g}",
                example=f"{min(60.0, high + 5):g}",
            )
        return critical

    @field_validator("trip_votes")
    @classmethod
    def _votes_can_be_cast(cls, votes: int | None, info: ValidationInfo) -> int | None:
        sensors = info.data.get("meraki_sensors")
        if votes is not None and sensors is not None and votes > len(sensors):
            raise Wrong(
                f"is {votes}, while MERAKI_SENSORS names {len(sensors)}: the alarm could never be raised",
                wanted=f"a whole number from 1 to {len(sensors)}",
                example=str(len(sensors) // 2 + 1),
            )
        return votes

    @field_validator("sensor_max_age")
    @classmethod
    def _age_outlives_a_poll(cls, age: float | None, info: ValidationInfo) -> float | None:
        interval = info.data.get("meraki_polling_interval")
        if age is not None and interval is not None and age < interval:
            raise Wrong(
                f"({age:g}) is below MERAKI_POLLING_INTERVAL ({interval:g}): every measurement would be too old "
                "before the next poll",
                wanted=f"seconds from {interval:g} to 2700",
            )
        return age

    @field_validator("warn_threshold", "shed_threshold", "projection_floor")
    @classmethod
    def _comes_before_high(cls, celsius: float | None, info: ValidationInfo) -> float | None:
        high = info.data.get("temperature_high_threshold")
        if celsius is not None and high is not None and celsius >= high:
            raise Wrong(f"({celsius:g}) is not below TEMPERATURE_HIGH_THRESHOLD ({high:g}), and would come too late",
                        wanted=f"degrees Celsius below {high:g}", example=f"{max(5.0, high - 2):g}")
        low = info.data.get("temperature_low_threshold")
        if info.field_name == "shed_threshold" and high is not None and low is not None:
            warn = info.data.get("warn_threshold")
            warn, shed = low if warn is None else warn, max(low, high - 2.0) if celsius is None else celsius
            if shed < warn:
                what = "by default 2 below TEMPERATURE_HIGH_THRESHOLD" if celsius is None else f"({celsius:g})"
                raise Wrong(f"{what} is below WARN_THRESHOLD ({warn:g}): machines would stop before anybody is warned",
                            wanted=f"degrees Celsius from {warn:g} to below {high:g}", example=f"{warn:g}")
        return celsius

    @field_validator("inlet_low_threshold")
    @classmethod
    def _inlet_low_is_below_high(cls, low: float | None, info: ValidationInfo) -> float | None:
        high, room_high = info.data.get("inlet_high_threshold"), info.data.get("temperature_high_threshold")
        room_low = info.data.get("temperature_low_threshold")
        if room_high is None or room_low is None or "inlet_high_threshold" not in info.data:
            return low
        top, bottom = room_high + INLETS_ABOVE_K if high is None else high, low
        if bottom is None:
            bottom = room_low + INLETS_ABOVE_K
        if bottom >= top:
            what = f"({bottom:g})" if low is not None else f"by default {bottom:g}"
            raise Wrong(f"{what} is not below the high threshold of the inlets ({top:g})",
                        wanted=f"degrees Celsius below {top:g}, better by 2 or more", example=f"{top - 5:g}")
        return low

    @field_validator("inlet_high_threshold")
    @classmethod
    def _inlet_high_is_above_low(cls, high: float | None, info: ValidationInfo) -> float | None:
        low = info.data.get("temperature_low_threshold")
        if high is not None and low is not None and high <= low:
            raise Wrong(f"({high:g}) is not above TEMPERATURE_LOW_THRESHOLD ({low:g}): a cool room would be an alarm",
                        wanted=f"degrees Celsius above {low:g}", example=f"{low + 8:g}")
        return high

    @field_validator("meraki_webhook_secret")
    @classmethod
    def _webhook_is_whole(cls, secret: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "webhook_port" in info.data and (secret is None) != (info.data["webhook_port"] is None):
            state = "is not set, while WEBHOOK_PORT is" if secret is None else "is set, while WEBHOOK_PORT is not"
            raise Wrong(state, wanted="both WEBHOOK_PORT and MERAKI_WEBHOOK_SECRET, or neither")
        return secret

    @field_validator("mqtt_tls", "mqtt_ca_file", "mqtt_user")
    @classmethod
    def _broker_is_named(cls, value: object, info: ValidationInfo) -> object:
        variable = (info.field_name or "").upper()
        if value not in {None, False} and info.data.get("mqtt_broker", "") is None:
            raise Wrong("is set, while MQTT_BROKER is not", wanted=f"{variable} with MQTT_BROKER, or neither")
        if info.field_name == "mqtt_ca_file" and value is not None and info.data.get("mqtt_tls") is False:
            raise Wrong("is set, while MQTT_TLS is not: it would not be read", wanted="MQTT_CA_FILE with MQTT_TLS=true")
        return value

    @field_validator("mqtt_password")
    @classmethod
    def _mqtt_login_is_whole(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "mqtt_user" in info.data and (password is None) != (info.data["mqtt_user"] is None):
            state = "is not set, while MQTT_USER is" if password is None else "is set, while MQTT_USER is not"
            raise Wrong(state, wanted="both MQTT_USER and MQTT_PASSWORD, or neither")
        return password

    @field_validator("restart_max_wait")
    @classmethod
    def _something_is_waited_for(cls, wait_s: float | None, info: ValidationInfo) -> float | None:
        waits = info.data.get("restart_hours", "") is not None or info.data.get("restart_needs_ack", True)
        if wait_s is not None and not waits:
            raise Wrong("is set, and there is nothing to wait for: neither RESTART_HOURS nor RESTART_NEEDS_ACK is",
                        wanted="RESTART_MAX_WAIT with one of them")
        return wait_s

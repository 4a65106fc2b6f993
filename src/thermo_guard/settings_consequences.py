"""Settings that are allowed and yet probably not meant: what follows from them, for the one who wrote them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings


def consequences(settings: "Settings") -> list[str]:
    """One text for each setting, or pair of them, with a consequence that its writer may not have seen."""
    told = []
    dead_band = settings.temperature_high_threshold - settings.temperature_low_threshold
    if dead_band < 2:
        told.append(
            f"TEMPERATURE_LOW_THRESHOLD is only {dead_band:g} degC below TEMPERATURE_HIGH_THRESHOLD: below 2 degC the "
            "noise of the sensors takes the site up and down"
        )
    if settings.blind_policy is not None:
        told.append(f"BLIND_POLICY=trip-after:{settings.blind_policy / 60:g}: the site may be shut down while nobody "
                    "sees the room, if it was rising when it was last seen")
    if not settings.projection:
        told.append("PROJECTION=false: a room that heats fast is critical before everything is off")
    if not settings.bmc_inlets:
        told.append("BMC_INLETS=false: nothing confirms what the room's sensors show, nor decides when they fail")
    inlets = len(settings.ilo_hosts)
    if settings.inlet_votes is not None and settings.inlet_votes > inlets:
        told.append(f"INLET_VOTES is {settings.inlet_votes}, and ILO_HOSTS has {inlets}: the inlets can never decide")
    told += _of_the_broker(settings)
    if settings.mode == "observe":
        told.append("MODE=observe: nothing will be shut down, however hot the room gets")
    if settings.vcenter_insecure:
        told.append("VCENTER_INSECURE: ANY certificate is trusted, whoever sits on the network gets VCENTER_PASSWORD")
    told += [
        f"ILO_HOSTS: {bmc.host} is insecure: ANY certificate is trusted, whoever sits on the network gets its password"
        for bmc in settings.ilo_hosts
        if bmc.insecure
    ]
    if settings.tls_first_use == "accept":
        told.append("TLS_FIRST_USE=accept: whatever certificate vCenter, a host of ESXI_HOSTS or a BMC shows first is "
                    "trusted from then on; compare what is told of it")
    told += [
        f"{name.upper()} is set with ESXI_HOSTS: it is not read, as there is no vCenter"
        for name in ("vcenter_cluster", "vcenter_fingerprint", "vcenter_vm")
        if settings.esxi_hosts and getattr(settings, name) is not None
    ]
    if not settings.ilo_hosts:
        told.append("ILO_HOSTS is an empty list: no host's end can be confirmed, and a person must power on each one")
    if not settings.notify_urls:
        told.append("NOTIFY_URLS is not set: nobody is told of an alarm, of blindness, or of what needs a person")
    for name, least, harm in (
        ("vm_shutdown_timeout", 60, "guests that are still writing are powered off"),
        ("host_shutdown_timeout", 120, "hosts that are still shutting down are given up"),
        ("host_boot_timeout", 300, "hosts that are still booting are given up"),
        ("recovery_hold", 300, "hosts are powered on into a room that may still be hot"),
    ):
        seconds = getattr(settings, name)
        if seconds < least:
            told.append(f"{name.upper()} is {seconds:g} s: below {least} s {harm}")
    return told


def _of_the_broker(settings: "Settings") -> list[str]:
    if settings.mqtt_broker is None:
        return []
    if settings.mqtt_user is None:
        return ["MQTT_BROKER without MQTT_USER: whoever reaches the broker can send temperatures"]
    if not settings.mqtt_tls:
        return ["MQTT_USER without MQTT_TLS: whoever sits on the network reads MQTT_PASSWORD"]
    return []

"""`thermo-guard site`: the virtual site over the wire.

What it needs is imported by the command alone: nobody else shall wait for it.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

PlantArgument = Annotated[list[str] | None, typer.Argument(
    metavar="[PLANT]...", help="Plant files, or names of shipped examples; without one an example with vCenter inside."
)]
SpeedOption = Annotated[float, typer.Option("--speed", min=0.1, max=600.0, help="Site seconds for a real one.")]
ScenarioOption = Annotated[str | None, typer.Option("--scenario", help="Of the plant file: what happens, and when.")]
EnvFileOption = Annotated[Path | None, typer.Option("--env-file", help="Write a guard's settings of the first room.")]
ControlOption = Annotated[int, typer.Option("--control", min=0, max=65535, help="Port of the control face; 0: any.")]
MqttOption = Annotated[str, typer.Option(
    "--mqtt", metavar="HOST:PORT", help="Publish each measurement to this broker too, as Meraki's gateways do."
)]
WebhookOption = Annotated[str, typer.Option(
    "--webhook", metavar="URL", help="Send a webhook there when a sensor gets too hot, as Meraki does."
)]
WebhookSecretOption = Annotated[str, typer.Option("--webhook-secret", help="Shared secret of --webhook.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Addresses and settings as one line of JSON.")]
StdinOption = Annotated[bool, typer.Option("--die-with-stdin", help="End when standard input does.")]


def site(  # noqa: PLR0913 - each is an option of its own
    plant: PlantArgument = None, *, speed: SpeedOption = 1.0, scenario: ScenarioOption = None,
    env_file: EnvFileOption = None, control: ControlOption = 0, as_json: JsonOption = False,
    die_with_stdin: StdinOption = False, mqtt: MqttOption = "", webhook: WebhookOption = "",
    webhook_secret: WebhookSecretOption = "",
) -> None:
    """Serve virtual server rooms on loopback: Meraki's API, a BMC for each server, vCenter and every ESXi host.

    Exit 1: the simulator of vSphere cannot be had, or a port is taken; 2: a plant file is wrong.
    """
    from .sim.plant_file import BadPlant  # noqa: PLC0415
    from .site_process import serve  # noqa: PLC0415

    try:
        code = serve(
            plant or [], speed=speed, scenario=scenario, env_file=env_file, control_port=control, as_json=as_json,
            ends_with_stdin=die_with_stdin, broker=mqtt, webhook=(webhook, webhook_secret),
        )
    except BadPlant as bad:
        Console(stderr=True).print(str(bad), markup=False)
        raise typer.Exit(2) from bad
    raise typer.Exit(code)

"""The demo over the wire from its first line to its last: the real program brings a served site down and back."""

import subprocess
import sys
from pathlib import Path


def test_the_day_ends_as_it_began() -> None:
    """Exit 0: everything came back as it was; every line stands on the screen."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("thermo-guard")), "demo", "--wire"], capture_output=True, text=True,
        check=False, timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    for words in ("ALARM (HIGH)", "host esx1 off", "the air conditioner is repaired", "the room has recovered",
                  "everything is back as it was"):
        assert words in " ".join(done.stdout.split()), words

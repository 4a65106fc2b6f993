"""Where the virtual site's vSphere comes from."""

from pathlib import Path

import pytest

from thermo_guard.sim.wire import overlay


def test_a_program_that_is_named_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where a program is built already, nothing is built."""
    program = tmp_path / "built"
    program.touch(mode=0o755)
    monkeypatch.setenv(overlay.PROGRAM_VARIABLE, str(program))
    assert overlay.program() == program


def test_what_is_missing_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A person without the program is told in one sentence what to mend."""
    monkeypatch.setenv(overlay.PROGRAM_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(overlay.OverlayMissing, match=r"^VIRTUAL_VSPHERE names .*nothing, which is no program\.$"):
        overlay.program()

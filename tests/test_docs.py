"""The documents an administrator works from, held against the program."""

from pathlib import Path

import pytest

from thermo_guard.adapters.vsphere.privileges import OF_CLUSTER, OF_HOST, OF_VM

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("privilege", [*OF_CLUSTER, *OF_HOST, *OF_VM])
def test_every_privilege_that_is_asked_for_is_documented(privilege: str) -> None:
    """Whoever makes the role from the document has all that `check` asks for."""
    rows = (ROOT / "docs" / "PRIVILEGES.md").read_text(encoding="utf-8").split("## ESXi")[0]
    assert f"| `{privilege}` |" in rows


def test_the_readme_leads_to_the_documents_for_administrators() -> None:
    """A document that nothing links is not found at 3 a.m."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("SYNOLOGY", "PRIVILEGES"):
        assert f"(docs/{name}.md)" in readme

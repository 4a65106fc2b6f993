"""Starts `thermo-guard run`: one call into the package, where everything lives (docs/adr/0005-root-files.md)."""

from thermo_guard.main import main

if __name__ == "__main__":
    raise SystemExit(main())

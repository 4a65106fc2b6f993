"""All benchmarks one after another, each in a process of its own: `python -m bench [NAME ...]`, some twenty minutes."""

import subprocess
import sys

NAMES = ("planner", "site", "inventory", "start", "outlets", "incident", "simulate", "replay")


def main() -> int:
    missed = []
    for name in sys.argv[1:] or NAMES:
        if name not in NAMES:
            print(f"no benchmark {name!r}; there are {', '.join(NAMES)}", file=sys.stderr)
            return 2
        if subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode != 0:
            missed.append(name)
    if missed:
        print(f"goals missed, or not measured: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""What is promised of speed and size, measured: `python -m bench.NAME`, or `make bench` for all of them.

Each benchmark prints a table and then one line of JSON. Whatever is compared is measured within one run, since the
machine beneath may be slow, shared or both. docs/BENCHMARKS.md has the results. The peers are those of the tests.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

"""The same migrations on a real PostgreSQL, so that several guards come later without another schema."""

import io
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import not_, select
from sqlalchemy.dialects import postgresql

from peers import absent
from thermo_guard.adapters.journal import interest, schema

HERE_OR_THERE = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


def _tool(name: str) -> str:
    found = shutil.which(name) or next((str(f / name) for f in HERE_OR_THERE if (f / name).exists()), None)
    if found is None:
        absent("postgresql", f"{name} is not installed (Debian: apt install postgresql)")
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """A PostgreSQL of its own on a socket in a folder, run by a plain user since it refuses to be root's."""
    initdb, server, _ = _tool("initdb"), _tool("pg_ctl"), _tool("psql")
    user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    with tempfile.TemporaryDirectory(prefix="tg-pg-", dir="/tmp") as name:
        if os.getuid() == 0:
            try:
                shutil.chown(name, user)
            except LookupError:
                absent("postgresql", "the tests run as root and there is no user postgres to run it")

        def run(*words: str) -> None:
            subprocess.run(
                words, check=True, cwd=name, stdout=subprocess.DEVNULL, user=user if os.getuid() == 0 else None
            )

        data = f"{name}/data"
        run(initdb, "-D", data, "-U", "guard", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(server, "-D", data, "-w", "-l", f"{name}/log", "-o", f"-k {name} -h ''", "start")
        try:
            yield Path(name)
        finally:
            run(server, "-D", data, "-w", "-m", "immediate", "stop")


def _psql(folder: Path, sql: str) -> str:
    done = subprocess.run(
        [_tool("psql"), "-h", str(folder), "-U", "guard", "-d", "postgres", "-qAtX", "-v", "ON_ERROR_STOP=1"],
        input=sql, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _migrated(folder: Path) -> None:
    sql = io.StringIO()
    config = Config(output_buffer=sql)
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.set_main_option("dialect", "postgresql")
    command.upgrade(config, "head", sql=True)
    _psql(folder, sql.getvalue())


def test_the_schema_stands_on_postgresql(folder: Path) -> None:
    """The migrations run there from empty, and the fence, the numbering and once-only samples hold."""
    _migrated(folder)
    assert _psql(folder, "SELECT version_num FROM alembic_version") == schema.REVISIONS[-1]
    said = _psql(folder, r"""
        INSERT INTO site (id, zone, epoch, owner, state, schema_version) VALUES ('a', '', 1, 'me', '{}', 1);
        INSERT INTO event (site, epoch, at, kind, body)
            VALUES ('a', 1, 1792000000.123456, 'x', '{"text":"\u0000\ud800"}'), ('a', 1, 2, 'y', '{}');
        SELECT seq, at FROM event ORDER BY seq;
        INSERT INTO wish (site, at, body) VALUES ('a', 1.5, '{"order":"abort"}');
        SELECT number, body ->> 'order' FROM wish WHERE number > 0;
        INSERT INTO sample VALUES ('a', 'Q1', 1.5, 2, 2345, 0.5), ('a', 'Q1', 1.5, 3, 2345, 1.5)
            ON CONFLICT DO NOTHING;
        SELECT count(*), max(seen_at) FROM sample;
        WITH fence AS (UPDATE site SET epoch = 1 WHERE id = 'a' AND epoch = 1 AND owner = 'you' RETURNING id)
            SELECT count(*) FROM fence;
    """)
    assert said.splitlines() == ["1|1792000000.123456", "2|2", "1|abort", "1|2", "0"]


def test_the_same_entries_count_on_postgresql(folder: Path) -> None:
    """What a start reads is found by the same words there: the paths into JSON above all."""
    _migrated(folder)
    rows = [
        ("sensors.learned", "{}"), ("sensors.learned", "{}"),
        ("login.refused", '{"endpoint": "a", "user": "u"}'), ("login.accepted", '{"endpoint": "a", "user": "u"}'),
        ("login.refused", '{"endpoint": "b", "user": "u"}'), ("level.changed", '{"level": "low"}'),
        ("level.changed", '{"level": "high"}'), ("wish.taken", '{"wish": {"number": 1}}'),
        ("level.changed", '{"level": "blind"}'), ("phase.begun", "{}"), ("alarm.tripped", "{}"),
    ]
    values = ", ".join(f"('a', 1, 1, '{kind}', '{body}')" for kind, body in rows)
    _psql(folder, f"""
        INSERT INTO site (id, zone, epoch, state, schema_version) VALUES ('a', '', 1, '{{}}', 1);
        INSERT INTO event (site, epoch, at, kind, body) VALUES {values};
    """)
    seq = schema.event.c.seq
    for condition, expected in (
        (interest.counts_from(11, "a"), "2 4 5 6 7 8 9 11"), (not_(interest.counts_from(11, "a")), "1 3 10"),
        (schema.event.c.body["wish"]["number"].as_integer() == 1, "8"),
    ):
        query = select(seq).where(condition).order_by(seq).compile(
            dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}  # type: ignore[no-untyped-call]
        )
        assert _psql(folder, str(query)).split() == expected.split()

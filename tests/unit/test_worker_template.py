"""The fork server refuses what would make a fork unsafe, and survives what would not."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from analytics_worker.worker.fork_server.client import ForkServerClient
from tests.support.processes import wait_for_exit


def preload(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "candidate.py").write_text(source)
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from analytics_worker.worker.fork_server import process as template; template.preload(['candidate'])"
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)


def test_a_module_that_starts_a_thread_is_refused_by_name(tmp_path):
    source = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()"
    done = preload(tmp_path, source)
    assert done.returncode == 1
    assert "ThreadStartedError" in done.stderr
    assert "candidate" in done.stderr


def test_a_module_that_cannot_be_imported_is_left_out(tmp_path):
    done = preload(tmp_path, "raise RuntimeError('broken')")
    assert done.returncode == 0
    assert "cannot preload candidate" in done.stderr


def test_what_the_command_preloads_starts_no_thread():
    code = (
        "from analytics_worker.cli.worker import DBT, LIBRARIES;"
        "from analytics_worker.worker.fork_server import process as template;"
        "template.preload([*LIBRARIES, *DBT])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_template_itself_imports_nothing_that_may_be_edited():
    code = (
        "import sys; from analytics_worker.worker.fork_server import process as template; template.preload(['psycopg2.extras']);"
        "print([n for n in sys.modules if n.split('.')[0] in ('flows', 'blocks', 'toolkit')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_runs_find_dbt_s_macros_compiled():
    code = (
        "from analytics_worker.worker.fork_server import dbt_preload as dbt_library; dbt_library.load();"
        "from dbt_common.clients.jinja import template_cache as kept;"
        "print(any('materialization table, default' in text for text in kept.file_cache))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "True"


def test_dbt_is_warmed_up_without_a_thread_or_a_process_left_behind():
    code = (
        "import os, sys; from multiprocessing import resource_tracker as r;"
        "from analytics_worker.worker.fork_server import dbt_preload as dbt_library; from analytics_worker.worker.fork_server import process as template; template.preload(['analytics_worker.worker.fork_server.dbt_preload:load']);"
        "from pathlib import Path; me = os.getpid();"
        "print('dbt.cli.main' in sys.modules, Path(f'/proc/{me}/task/{me}/children').read_text())"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_a_template_goes_when_it_is_not_asked_for_and_comes_when_it_is():
    async def use_it() -> list[int | None]:
        client = ForkServerClient([], lambda: os.environ, recycle_after=10, keep_seconds=0.1)
        await client.ensure()
        first = client.pid
        assert first is not None
        await asyncio.to_thread(wait_for_exit, first)
        left = client.pid
        await client.ensure()
        again = client.pid
        await client.close()
        return [first, left, again]

    first, left, again = asyncio.run(use_it())
    assert left is None
    assert again not in {None, first}

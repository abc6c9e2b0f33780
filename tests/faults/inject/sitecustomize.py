"""Brings faults into a run from outside: the package itself knows nothing of this file.

Python imports a module of this name by itself when it finds one on ``PYTHONPATH``. What is to go
wrong stands in the environment variable ``RBT_FAULT``, a JSON object:

``process``
    ``worker`` or ``settle``: all other processes are left alone.
``database``
    Name of the target; each name that begins with it is written as ``*`` in a point's name.
``directory``
    Where to leave word: ``loaded`` holds the time at which the program was ready to begin,
    ``reached`` that at which the point was reached.
``record``
    File for the points of a whole run, with what was done between them; nothing goes wrong.
``point``, ``what``
    Where, and what: ``kill``, ``kill both``, ``SIGTERM``, ``exception``, or ``tell``, which
    waits until somebody outside has done the damage and made a file ``go on``.

A point is a fact of the journal, just before or just after it is written; or COMMIT, just before
it is sent, while the server has it, and just after its answer; or a statement, a dump or a copy
while it runs.
"""

import contextlib
import importlib.abc
import importlib.util
import json
import os
import pathlib
import re
import signal
import sys
import threading
import time

_PATCHED = "rollback_tui.run.context"
_COPY = re.compile(rb'CREATE DATABASE "[^"]+" (WITH )?TEMPLATE "', re.IGNORECASE)
_TELL_SECONDS = 60.0
_SIGNAL_SECONDS = 0.3
"""A signal becomes an abort in a thread of its own; then it is certainly there."""

_ONCE = {"check_judged"}
"""Thirty times the same moment: only the first."""
_NEVER = {"waiting", "progress", "sessions_ended", "abort_asked"}
"""Whether and how often they come depends on what applications do just then."""

_DETAILS = ("phase", "name", "index", "statement", "sql", "version")


class Faults:
    """What happens at which point, in this process."""

    def __init__(self, order):
        self.order = order
        self.acts = 0
        self.seen = {}
        self.done = False
        self.run = None

    def named(self, event):
        """The event's name; None: not a point."""
        kind = event.__struct_config__.tag
        if kind in _NEVER:
            return None
        inner = getattr(event, "verification", None) or event
        detail = next((getattr(inner, name) for name in _DETAILS if hasattr(inner, name)), None)
        if detail is None or kind in _ONCE:
            return kind
        text = " ".join(str(detail).split())
        text = re.sub(r'"?\b' + re.escape(self.order["database"]) + r'\w*"?', "*", text)
        text = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f-]{27})?\b", "*", text)
        return f"{kind}: {text[:50].strip()}"

    def write(self, run, event, original):
        """Stand before and after one fact of the journal."""
        self.run = run
        name = self.named(event)
        if name is None or threading.current_thread() is not threading.main_thread():
            return original(run, event)
        times = self.seen[name] = self.seen.get(name, 0) + 1
        if name in _ONCE and times > 1:
            return original(run, event)
        name += f" #{times}" if times > 1 else ""
        self.at(f"before {name}")
        result = original(run, event)
        self.at(f"after {name}")
        if name.startswith("statement_started"):
            self.at(name.replace("statement_started:", "during statement"), self._sleep)
        return result

    def execute(self, cursor, query, original):
        """Stand before, in and after COMMIT; count everything else as something done."""
        if query not in ("COMMIT", b"COMMIT") or self.run is None:
            if isinstance(query, bytes) and _COPY.match(query):
                self.at("during the copy", lambda: self._copy(cursor, query))
            self.act()
            return original()
        ours = cursor.connection is self.run.target
        name = "COMMIT" if ours else "COMMIT of renames"
        times = self.seen[name] = self.seen.get(name, 0) + 1
        name += f" #{times}" if times > 1 else ""
        self.at(f"before {name}")
        self.at(f"during {name}", lambda: self._commit(cursor))
        self.act()
        result = original()
        self.at(f"after {name}")
        return result

    def act(self):
        """Something is done that can be seen from outside, by the run itself."""
        self.acts += threading.current_thread() is threading.main_thread()

    def _copy(self, cursor, query):
        # Who is to die sends it and does nothing else: on a busy machine a timer's thread may come
        # when the copy is long done and the run is somewhere else.
        if self.order["what"].startswith("kill"):
            cursor.connection.pgconn.send_query(query)
            cursor.connection.pgconn.flush()
            time.sleep(0.04)
            self.strike()
        else:
            self._soon()

    def _soon(self):
        # What takes a tenth of a second is then half done.
        threading.Timer(0.04, self.strike).start()

    def _sleep(self):
        # On the run's own connection, inside its transaction: as a long statement would.
        if self.order["what"].startswith("kill"):
            self.run.target.pgconn.send_query(b"SELECT pg_catalog.pg_sleep(60)")
            self.run.target.pgconn.flush()
            time.sleep(0.05)
            self.strike()
        else:
            threading.Timer(0.2, self.strike).start()
            self.run.target.execute("SELECT pg_catalog.pg_sleep(60)")

    def _commit(self, cursor):
        import psycopg

        server = cursor.connection.pgconn
        server.send_query(b"COMMIT")
        server.flush()
        self.strike()
        # Still here: the server was stopped. Its answer, if there was one, is never looked at.
        while server.status == psycopg.pq.ConnStatus.OK:
            time.sleep(0.01)
            with contextlib.suppress(psycopg.Error):
                server.consume_input()
        raise psycopg.OperationalError("the connection was lost before COMMIT was answered")

    def at(self, point, instead=None):
        """A point is reached."""
        if "record" in self.order:
            with pathlib.Path(self.order["record"]).open("a", encoding="utf-8") as file:
                json.dump({"point": point, "acts": self.acts}, file)
                file.write("\n")
            self.acts = 0
        elif point == self.order["point"] and not self.done:
            self.done = True
            (instead or self.strike)()

    def leave_word(self, name):
        """Leave the time, by the monotonic clock that all processes share, in a file."""
        place = pathlib.Path(self.order["directory"]) / name
        new = place.with_suffix(".new")
        new.write_text(repr(time.monotonic()), "utf-8")
        new.rename(place)

    def strike(self):
        """Do the damage."""
        what = self.order["what"]
        self.leave_word("reached")
        if what == "kill both":
            os.kill(os.getppid(), signal.SIGKILL)
        if what.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(_SIGNAL_SECONDS)
        elif what == "exception":
            raise RuntimeError("injected by a test of faults")
        elif what == "tell":
            deadline = time.monotonic() + _TELL_SECONDS
            while not (pathlib.Path(self.order["directory"]) / "go on").exists():
                if time.monotonic() > deadline:
                    os._exit(70)
                time.sleep(0.005)


def _install(faults, context):
    import psycopg

    faults.leave_word("loaded")

    write, execute, close = context.Run.write, psycopg.Cursor.execute, psycopg.Connection.close
    connect = psycopg.connect

    def counted_connect(*arguments, **options):
        faults.act()
        return connect(*arguments, **options)

    def counted_close(self):
        if not self.closed:
            faults.act()
        return close(self)

    def audited(event, arguments):
        if event in ("subprocess.Popen", "os.rename"):
            faults.act()
        if event == "subprocess.Popen" and "--format=directory" in arguments[1]:
            faults.at("during pg_dump", faults._soon)

    context.Run.write = lambda self, event: faults.write(self, event, write)
    psycopg.Cursor.execute = lambda self, query, *arguments, **options: faults.execute(
        self, query, lambda: execute(self, query, *arguments, **options)
    )
    psycopg.connect = counted_connect
    psycopg.Connection.close = counted_close
    sys.addaudithook(audited)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Waits for the module that is to be patched, and patches it when it has been loaded."""

    def __init__(self, faults):
        self.faults = faults
        self.asked = False
        self.spec = None

    def find_spec(self, name, *_):
        if name != _PATCHED or self.asked:
            return None
        self.asked = True
        self.spec = importlib.util.find_spec(name)
        return importlib.util.spec_from_loader(name, self, origin=self.spec.origin)

    def create_module(self, _):
        return None

    def exec_module(self, module):
        module.__file__ = self.spec.origin
        self.spec.loader.exec_module(module)
        _install(self.faults, module)


def _begin():
    order = json.loads(os.environ.get("RBT_FAULT") or "null")
    arguments = sys.orig_argv
    here = "worker" if "--carry-out" in arguments else "settle" if "settle" in arguments else ""
    if order and order["process"] == here:
        sys.meta_path.insert(0, _Finder(Faults(order)))


_begin()

"""How gunicorn serves the console: `gunicorn -c python:console.gunicorn_conf console.wsgi`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from console import env, processes

_environment = env.loaded()

# Loopback only: whoever wants the console on a network puts a proxy with TLS before it (docs/install.md).
bind = f"127.0.0.1:{_environment.port}"
workers = _environment.web_processes
# Threads, because pages wait for the database more than they compute; htmx polls, so no request stays open for long.
worker_class = "gthread"
threads = _environment.web_threads
# Browsers and the proxy keep a connection for the next poll, two seconds later.
keepalive = 15
timeout = 30
graceful_timeout = 10
# A worker's heartbeat file on a disk under load blocks, and the worker looks dead; memory does not. Gunicorn unlinks
# the file as soon as it is open.
_memory = Path("/dev/shm")  # nosec B108
worker_tmp_dir = str(_memory) if _memory.is_dir() else None
# Python seldom gives memory back; the jitter keeps the workers from restarting together.
max_requests = 10_000
max_requests_jitter = 1_000
# Our own log has each request, with its id and without the query.
accesslog = None
errorlog = "-"
loglevel = "warning"
proc_name = "integrations-console"
forwarded_allow_ips = "127.0.0.1"


def post_fork(server: Any, worker: Any) -> None:
    """A killed master leaves no worker behind that still holds the port."""
    processes.die_with_parent()


def child_exit(server: Any, worker: Any) -> None:
    """Figures of a worker that ended leave the shared metrics directory."""
    if env.shares_metrics():
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # the library has no types here

"""A plain wrapper around kazoo's Lock, as kazoo's documentation advises: wrapper.py HOSTS PATH TIMEOUT_S COMMAND...

https://kazoo.readthedocs.io/en/latest/basic_usage.html: a listener is told of the connection's state, and whoever holds
a lock has to stop at SUSPENDED and at LOST. The app is a child that runs inside of `with lock:`.
"""

import os
import signal
import subprocess
import sys
import threading

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException

hosts, path, timeout_s, *command = sys.argv[1:]
app = None
stopping = threading.Event()


def stop_app():
    stopping.set()
    if app is not None:
        app.terminate()


def listener(state):
    if state in (KazooState.SUSPENDED, KazooState.LOST):
        stop_app()


def on_sigterm(_signal, _frame):
    stop_app()
    if app is None:
        sys.exit(143)


signal.signal(signal.SIGTERM, on_sigterm)
client = KazooClient(hosts=hosts, timeout=float(timeout_s))
client.start(timeout=30)
client.add_listener(listener)
code = 1
try:
    with client.Lock(path, "%s-%d" % (os.uname().nodename, os.getpid())):
        # Its lives are told apart by it (test/fixtures/stamper.c).
        app = subprocess.Popen(command, env={**os.environ, "LEASEHOLD_TOKEN": str(os.getpid())})
        if stopping.is_set():
            app.terminate()
        code = app.wait()
except KazooException as error:
    print("kazoo: %r" % error, file=sys.stderr)
try:
    client.stop()
except KazooException:
    pass
sys.exit(code if code >= 0 else 128 - code)

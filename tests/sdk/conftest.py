"""The server under test: on embedded stores, or with `CLEARML_SDK_CLUSTER` (the program `clearml-cluster`) replicas on
the stores of a cluster.
"""

import os

import pytest

from server import Cluster, Script, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    kind = Cluster if os.environ.get("CLEARML_SDK_CLUSTER") else Server
    server = kind(tmp_path_factory.mktemp("server") / "data")
    yield server
    server.stop()


@pytest.fixture
def api(server):
    return server.api


@pytest.fixture
def script(server, tmp_path):
    """Runs Python code that uses the SDK."""
    return Script(server, tmp_path)

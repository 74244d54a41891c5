import pytest

from server import Script, Server


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server") / "data")
    yield server
    server.stop()


@pytest.fixture
def api(server):
    return server.api


@pytest.fixture
def script(server, tmp_path):
    """Runs Python code that uses the SDK."""
    return Script(server, tmp_path)

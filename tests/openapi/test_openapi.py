"""The document that describes the API, against an independent validator and against the server."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests
from openapi_spec_validator import OpenAPIV31SpecValidator

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "sdk"))

from server import Server  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server") / "data")
    yield server
    server.stop()


def test_the_document_is_valid(server):
    document = requests.get(f"{server.api_url}/openapi.json", timeout=30).json()
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    assert len(document["paths"]) > 200


def test_the_web_server_passes_it_on(server):
    direct = requests.get(f"{server.api_url}/openapi.json", timeout=30)
    passed_on = requests.get(f"{server.web_url}/api/openapi.json", timeout=30)
    assert passed_on.content == direct.content
    assert requests.get(f"{server.web_url}/api/docs", timeout=30).status_code == 200


def test_no_input_fails():
    """A short run; CONTRIBUTING.md has the long one."""
    command = [sys.executable, str(HERE / "fuzz.py"), "--examples", "3", "--seconds", "40"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-20_000:] + result.stderr[-5_000:]

"""Compose files and the Dockerfile."""

import re

import pytest
import yaml

from conftest import ROOT, check_variables, run, tool

COMPOSE = sorted((ROOT / "docker").glob("docker-compose*.yml"))


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_compose_files_load(path):
    result = run(tool("composecheck"), path)
    assert result.returncode == 0, result.stdout
    findings = [line for line in result.stdout.splitlines() if line.startswith("finding:")]
    # The agent of the official file: the Docker socket is its purpose, and it is off by default.
    assert not [line for line in findings if not line.startswith("finding: agent-services:")], findings


def test_the_official_names_are_kept():
    """Spec 06 §7.2."""
    services = yaml.safe_load((ROOT / "docker/docker-compose.yml").read_text())["services"]
    containers = {name: service["container_name"] for name, service in services.items()}
    assert containers == {
        "apiserver": "clearml-apiserver",
        "fileserver": "clearml-fileserver",
        "webserver": "clearml-webserver",
        "elasticsearch": "clearml-elastic",
        "mongo": "clearml-mongo",
        "redis": "clearml-redis",
        "agent-services": "clearml-agent-services",
    }
    volumes = {volume for service in services.values() for volume in service.get("volumes", [])}
    for mount in [
        "data/fileserver:/mnt/fileserver",
        "data/elastic_7:/usr/share/elasticsearch/data",
        "data/mongo_4/db:/data/db",
        "data/mongo_4/configdb:/data/configdb",
        "data/redis:/data",
    ]:
        assert f"${{CLEARML_ROOT:-/opt/clearml}}/{mount}" in volumes


@pytest.mark.parametrize("name", ["apiserver", "fileserver", "webserver"])
@pytest.mark.parametrize("given", [{}, {"CLEARML_FILES_HOST": "https://files.example.com"}], ids=["defaults", "files host"])
def test_servers_know_their_variables(name, given):
    services = yaml.safe_load((ROOT / "docker/docker-compose.yml").read_text())["services"]
    variables = {key: interpolate(value, given) for key, value in services[name]["environment"].items()}
    config = check_variables(variables)
    if name == "apiserver":
        urls = config["services"]["async_urls_delete"]["fileserver"]["url_prefixes"]
        assert urls == ([given["CLEARML_FILES_HOST"]] if given else ["https://", "http://"])


def interpolate(text: str, variables: dict[str, str]) -> str:
    """`${NAME:-default}`, from the inside out."""
    pattern = re.compile(r"\$\{([A-Z_]+):-([^{}]*)\}")
    while found := pattern.search(text):
        text = text[: found.start()] + variables.get(found[1], found[2]) + text[found.end() :]
    return text


def test_secrets_have_no_values():
    """Secrets come from .env or are generated: nothing that looks like one is in the files."""
    for path in [*COMPOSE, ROOT / "docker/Dockerfile", *ROOT.glob("k8s/**/*.yaml")]:
        for line in path.read_text().splitlines():
            if found := re.search(r"(?i)(secret|password|key)[a-z_\"']*\s*[:=]\s*[\"']?([A-Za-z0-9_-]{20,})", line):
                assert False, f"{path.name}: {found.group(0)}"


def test_every_variable_of_the_example_is_used():
    text = "".join(path.read_text() for path in COMPOSE)
    for name in re.findall(r"^#?([A-Z_]+)=", (ROOT / "docker/.env.example").read_text(), re.MULTILINE):
        assert name == "COMPOSE_PROFILES" or f"${{{name}" in text, name


def test_dockerfile():
    result = run(tool("hadolint"), ROOT / "docker/Dockerfile")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", ["docker/build-static", "docker/drop-in/opt/clearml/entrypoint", "docker/drop-in/usr/local/bin/python3"])
def test_scripts_parse(name):
    shell = "bash" if "bash" in (ROOT / name).read_text().splitlines()[0] else "sh"
    assert run(shell, "-n", ROOT / name).returncode == 0

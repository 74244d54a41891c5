"""Renders the deployment files once, with the tools that this machine has.

Tools are looked for in $CLEARML_DEPLOY_TOOLS (a folder), then in $PATH. $CLEARML_DEPLOY_INSTALL, a command, is run first
where it is set. What a tool is missing for is skipped with a line that says so.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "k8s/charts/clearml-server"
OVERLAYS = sorted(path.parent for path in (ROOT / "k8s/overlays").glob("*/kustomization.yaml"))
EXAMPLES = sorted((CHART / "examples").glob("*.yaml"))
# Kinds that come with other projects: charts render them only where the cluster has them.
EXTRA_APIS = ["gateway.networking.k8s.io/v1/HTTPRoute", "monitoring.coreos.com/v1/ServiceMonitor"]


def pytest_configure():
    if command := os.environ.get("CLEARML_DEPLOY_INSTALL"):
        installed = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        if installed.returncode != 0:
            print(f"the tools could not be installed, what is missing is skipped: {installed.stderr[-300:]}")
    if folder := os.environ.get("CLEARML_DEPLOY_TOOLS"):
        os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"


def tool(name: str) -> str:
    if not (path := shutil.which(name)):
        pytest.skip(f"{name} is not installed")
    return path


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=300, **options)


def helm(*arguments: str | Path) -> subprocess.CompletedProcess:
    apis = [option for api in EXTRA_APIS for option in ("--api-versions", api)]
    fixed = ["--namespace", "clearml", "--kube-version", "1.34.0", *apis]
    return run(tool("helm"), "template", "clearml", CHART, *fixed, *arguments)


def parse(text: str) -> list[dict]:
    return [thing for thing in yaml.safe_load_all(text) if thing]


class Rendering:
    """The objects that one way of deploying makes."""

    def __init__(self, name: str, text: str):
        self.name, self.text = name, text
        self.objects = parse(text)

    def of(self, *kinds: str) -> list[dict]:
        return [thing for thing in self.objects if thing["kind"] in kinds]

    def workloads(self) -> list[dict]:
        return self.of("Deployment", "StatefulSet")

    def workload(self, ending: str) -> dict:
        [found] = [thing for thing in self.workloads() if thing["metadata"]["name"].endswith(ending)]
        return found

    def secret(self, name: str) -> dict[str, str] | None:
        for thing in self.of("Secret"):
            if thing["metadata"]["name"] == name:
                return {key: base64.b64decode(value).decode() for key, value in thing["data"].items()}
        return None

    def environment(self, container: dict) -> dict[str, str]:
        """The variables as the kubelet would set them; of Secrets that are not here, texts that stand for them."""
        variables: dict[str, str] = {}
        for entry in container.get("env", []):
            if "value" in entry:
                value = str(entry["value"])
                for name, known in variables.items():
                    value = value.replace(f"$({name})", known)
            elif reference := entry["valueFrom"].get("secretKeyRef"):
                secret = self.secret(reference["name"])
                if reference.get("optional") and (secret is None or reference["key"] not in secret):
                    continue
                value = stand_in(reference["key"]) if secret is None else secret[reference["key"]]
            else:
                value = "pod-0"
            variables[entry["name"]] = value
        return variables


def check_variables(variables: dict[str, str]) -> dict:
    """The program reads these without complaint and has a setting for each; answers the effective configuration."""
    known = effective_config({})
    for name in variables:
        setting = known
        for key in name.removeprefix("CLEARML__").lower().split("__") if name.startswith("CLEARML__") else []:
            assert key in setting, f"{name} sets nothing"
            setting = setting[key]
    return effective_config(variables)


def effective_config(environment: dict[str, str]) -> dict:
    if not (binary := os.environ.get("CLEARML_SERVER_BINARY")):
        pytest.skip("CLEARML_SERVER_BINARY is not set")
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "--data-dir", folder, "config"]
        variables = environment | {"CLEARML_CONFIG_DIR": "/nonexistent"}
        result = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def stand_in(key: str) -> str:
    return {
        "connection_string": "mongodb://user:password@mongo.example.com/?replicaSet=rs0",
        "fixed_users": '[{"username": "jane", "password": "long", "name": "Jane"}]',
    }.get(key, f"secret-{key}")


def names() -> list[str]:
    charts = ["defaults", *(path.stem for path in EXAMPLES)]
    return [f"overlay {path.name}" for path in OVERLAYS] + [f"chart {name}" for name in charts]


_renderings: dict[str, Rendering] = {}


def rendering_of(name: str) -> Rendering:
    if name not in _renderings:
        kind, _, rest = name.partition(" ")
        if kind == "overlay":
            result = run(tool("kustomize"), "build", ROOT / "k8s/overlays" / rest)
        else:
            values = [] if rest == "defaults" else ["--values", CHART / "examples" / f"{rest}.yaml"]
            result = helm(*values)
        assert result.returncode == 0, result.stderr
        _renderings[name] = Rendering(name, result.stdout)
    return _renderings[name]


@pytest.fixture(params=names())
def rendering(request) -> Rendering:
    return rendering_of(request.param)

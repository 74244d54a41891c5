"""What holds for every way of deploying on Kubernetes."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from conftest import CHART, ROOT, check_variables, helm, parse, rendering_of, run, tool

# Containers that are root for a moment, to hand over folders of the node.
ROOT_CONTAINERS = {"prepare"}
SERVERS = {"apiserver", "fileserver", "webserver", "server"}


def pod(workload: dict) -> dict:
    return workload["spec"]["template"]["spec"]


def labels(workload: dict) -> dict[str, str]:
    return workload["spec"]["template"]["metadata"]["labels"]


def selects(selector: dict, labels: dict[str, str]) -> bool:
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    listed = all(labels.get(rule["key"]) in rule["values"] for rule in selector.get("matchExpressions", []))
    return exact and listed


def test_schemas(rendering):
    """Valid for every Kubernetes minor that there are schemas of: $CLEARML_DEPLOY_SCHEMAS/<minor>/*.json."""
    folder = os.environ.get("CLEARML_DEPLOY_SCHEMAS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CLEARML_DEPLOY_SCHEMAS is not set")
    for minor in sorted(Path(folder).iterdir()):
        location = f"{minor}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
        options = ["-strict", "-skip", "HTTPRoute,ServiceMonitor", "-schema-location", location]
        result = run(tool("kubeconform"), *options, "-", input=rendering.text)
        assert result.returncode == 0, f"{minor.name}: {result.stdout}{result.stderr}"


def test_no_critical_finding(rendering):
    options = ["--output-format", "ci", "--kubernetes-version", "v1.34", "-"]
    result = run(tool("kube-score"), "score", *options, input=rendering.text)
    assert "[OK]" in result.stdout, result.stderr
    critical = [line for line in result.stdout.splitlines() if line.startswith("[CRITICAL]")]
    assert not critical, critical


def test_containers_are_confined(rendering):
    for workload in rendering.workloads():
        spec = pod(workload)
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec.get("initContainers", []) + spec["containers"]:
            name = f"{workload['metadata']['name']}/{container['name']}"
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], name
            assert security["capabilities"]["drop"] == ["ALL"], name
            assert container["name"] in ROOT_CONTAINERS or security["runAsNonRoot"] is True, name
            for kind in ("requests", "limits"):
                assert {"cpu", "memory", "ephemeral-storage"} <= container["resources"][kind].keys(), name
            tag = container["image"].rpartition(":")[2]
            assert tag not in ("", "latest") and "/" not in tag, f"{name}: {container['image']}"


def test_servers_and_stores_are_probed(rendering):
    for workload in rendering.workloads():
        if "agent" in workload["metadata"]["name"]:
            continue
        [container] = pod(workload)["containers"]
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), workload["metadata"]["name"]
        if container["name"] in SERVERS:
            assert container["livenessProbe"]["httpGet"]["path"] == "/health"
            assert container["readinessProbe"]["httpGet"]["path"] == "/ready"


def test_drain_ends_before_the_pod_is_killed(rendering):
    for workload in rendering.workloads():
        [container, *_] = pod(workload)["containers"]
        if container["name"] in SERVERS:
            assert pod(workload)["terminationGracePeriodSeconds"] > 25 + 10


def test_services_reach_their_pods(rendering):
    for service in rendering.of("Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        found = [workload for workload in rendering.workloads() if selects(selector, labels(workload))]
        assert found, service["metadata"]["name"]
        for workload in found:
            ports = {port.get("name") for container in pod(workload)["containers"] for port in container["ports"]}
            for port in service["spec"]["ports"]:
                assert port["targetPort"] in ports, f"{service['metadata']['name']} -> {workload['metadata']['name']}"


def test_selectors_are_apart(rendering):
    """No workload, budget or policy reaches into another's Pods."""
    for owner in rendering.workloads() + rendering.of("PodDisruptionBudget"):
        selector = owner["spec"]["selector"]
        found = [thing["metadata"]["name"] for thing in rendering.workloads() if selects(selector, labels(thing))]
        assert found == [owner["metadata"]["name"]], owner["metadata"]["name"]


def test_stores_answer_the_servers_alone(rendering):
    policies = rendering.of("NetworkPolicy")
    for workload in rendering.workloads():
        name = workload["metadata"]["name"]
        own = [policy for policy in policies if selects(policy["spec"]["podSelector"], labels(workload))]
        assert own, f"no policy for {name}"
        if not name.endswith(("mongo", "mongodb", "elasticsearch", "redis")):
            continue
        for policy in own:
            for rule in policy["spec"]["ingress"]:
                allowed = [
                    other["metadata"]["name"].rpartition("-")[2]
                    for other in rendering.workloads()
                    if any(selects(peer["podSelector"], labels(other)) for peer in rule["from"])
                ]
                assert sorted(allowed) == ["apiserver", "fileserver"], name


def test_secrets_hold_what_pods_ask_for(rendering):
    for workload in rendering.workloads():
        for container in pod(workload)["containers"]:
            for entry in container.get("env", []):
                reference = entry.get("valueFrom", {}).get("secretKeyRef")
                if not reference or reference.get("optional"):
                    continue
                secret = rendering.secret(reference["name"])
                # Secrets that are not rendered are the administrator's.
                assert secret is None or reference["key"] in secret, f"{workload['metadata']['name']}: {reference}"


def test_servers_know_their_variables(rendering):
    """The real program reads each server's environment without complaint, and has a setting for each variable."""
    for workload in rendering.workloads():
        for container in pod(workload)["containers"]:
            if container["name"] in SERVERS:
                check_variables(rendering.environment(container))


@pytest.mark.parametrize("name", ["overlay current_version", "overlay embedded", "chart cluster", "chart embedded"])
def test_original_node_ports(name):
    ports = {
        service["metadata"]["name"].rpartition("clearml-")[2].removesuffix("-service"): port["nodePort"]
        for service in rendering_of(name).of("Service")
        for port in service["spec"]["ports"]
        if "nodePort" in port
    }
    assert ports == {"apiserver": 30008, "webserver": 30080, "fileserver": 30081}


def test_the_original_node_keeps_its_folders():
    rendering = rendering_of("overlay current_version")
    assert {thing["metadata"]["namespace"] for thing in rendering.objects if thing["kind"] != "Namespace"} == {"clearml"}
    folders = set()
    for workload in rendering.workloads():
        assert pod(workload)["nodeSelector"] == {"app": "clearml"}
        folders |= {volume["hostPath"]["path"] for volume in pod(workload)["volumes"] if "hostPath" in volume}
    root = "/opt/clearml"
    data = {"mongo_4/db", "mongo_4/configdb", "elastic_7", "redis", "fileserver", "server"}
    assert folders == {f"{root}/config", *(f"{root}/data/{folder}" for folder in data)}


def test_replicas_need_no_node_and_no_volume():
    rendering = rendering_of("overlay external-stores")
    assert not rendering.of("StatefulSet", "PersistentVolumeClaim")
    for workload in rendering.of("Deployment"):
        assert "nodeSelector" not in pod(workload) and "initContainers" not in pod(workload)
        assert not [volume for volume in pod(workload)["volumes"] if "hostPath" in volume]


def test_urls_follow_from_the_domain():
    rendering = rendering_of("chart ingress-tls")
    [ingress] = rendering.of("Ingress")
    hosts = {rule["host"].partition(".")[0]: rule["http"]["paths"][0]["backend"]["service"] for rule in ingress["spec"]["rules"]}
    assert {host: service["name"] for host, service in hosts.items()} == {
        "app": "clearml-webserver",
        "api": "clearml-apiserver",
        "files": "clearml-fileserver",
    }
    assert ingress["metadata"]["annotations"]["cert-manager.io/cluster-issuer"] == "letsencrypt"
    [api] = pod(rendering.workload("apiserver"))["containers"]
    environment = rendering.environment(api)
    assert environment["CLEARML__APISERVER__AUTH__COOKIES__DOMAIN"] == ".clearml.example.com"
    assert environment["CLEARML__APISERVER__AUTH__COOKIES__SECURE"] == "true"
    prefixes = environment["CLEARML__SERVICES__ASYNC_URLS_DELETE__FILESERVER__URL_PREFIXES"]
    assert json.loads(prefixes) == ["https://files.clearml.example.com"]


def test_one_host_serves_all():
    rendering = rendering_of("chart one-host")
    [ingress] = rendering.of("Ingress")
    [rule] = ingress["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"]["name"] == "clearml-webserver"
    [web] = pod(rendering.workload("webserver"))["containers"]
    environment = rendering.environment(web)
    assert json.loads(environment["WEBSERVER__apiBaseUrl"]) == "/api"
    assert json.loads(environment["WEBSERVER__displayedServerUrls"]) == {
        "apiServer": "https://clearml.example.com/api",
        "filesServer": "https://clearml.example.com/files",
    }
    [api] = pod(rendering.workload("apiserver"))["containers"]
    assert "CLEARML__APISERVER__AUTH__COOKIES__DOMAIN" not in rendering.environment(api)


def test_a_gateway_routes_each_host():
    routes = rendering_of("chart gateway").of("HTTPRoute")
    assert {route["spec"]["hostnames"][0]: route["spec"]["rules"][0]["backendRefs"][0] for route in routes} == {
        "app.clearml.example.com": {"name": "clearml-webserver", "port": 8080},
        "api.clearml.example.com": {"name": "clearml-apiserver", "port": 8008},
        "files.clearml.example.com": {"name": "clearml-fileserver", "port": 8081},
    }


def test_secrets_are_generated_anew_and_never_shipped():
    first, second = (parse(helm().stdout) for _ in range(2))
    secrets = [{thing["metadata"]["name"]: thing["data"] for thing in objects if thing["kind"] == "Secret"} for objects in (first, second)]
    for name, data in secrets[0].items():
        for key, value in data.items():
            assert value != secrets[1][name][key], f"{name}: {key} is a constant"


def test_given_secrets_replace_generated_ones():
    rendering = rendering_of("chart shared-volume")
    assert not rendering.of("Secret")
    assert "clearml-secrets" in rendering.text and "clearml-users" in rendering.text


def test_a_change_of_the_configuration_restarts_the_servers():
    def checksum(*options: str) -> set[str]:
        objects = parse(helm(*options).stdout)
        servers = [thing for thing in objects if thing["kind"] == "Deployment"]
        return {thing["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for thing in servers}

    before = checksum()
    assert before == checksum()
    assert before != checksum("--set", "config.apiserver\\.conf=auth.default_expiration_sec = 60")


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ("mode=both", "mode"),
        ("apiservr.replicaCount=3", "apiservr"),
        ("fileserver.replicaCount=2", "several file servers need an object store"),
        ("domain=a.example,singleHost=b.example", "domain and singleHost"),
        ("ingress.enabled=true", "ingress and gateway need `domain`, `singleHost`"),
        ("mongodb.bundled=false", "mongodb.external.connectionString"),
        ("elasticsearch.bundled=false", "elasticsearch.external.urls"),
        ("redis.bundled=false", "redis.external.host"),
        ("fileserver.storage.type=s3", "fileserver.storage.s3.bucket"),
        ("apiserver.service.nodePort=70000", "nodePort"),
    ],
)
def test_mistakes_in_values_are_named(values, complaint):
    result = helm("--set", values)
    assert result.returncode != 0
    assert complaint in result.stderr


def test_helm_lint():
    result = run(tool("helm"), "lint", "--strict", CHART)
    assert result.returncode == 0, result.stdout


def test_the_chart_starts_a_server_that_passes_its_test(tmp_path):
    """The embedded server with the chart's variables, and the script of `helm test` against it."""
    binary = os.environ.get("CLEARML_SERVER_BINARY")
    if not binary:
        pytest.skip("CLEARML_SERVER_BINARY is not set")
    tool("curl")
    rendering = rendering_of("chart embedded")
    [server] = pod(rendering.workload("server"))["containers"]
    variables = {"CLEARML_CONFIG_DIR": "/nonexistent", "CLEARML__TELEMETRY__METRICS__LISTEN__PORT": "0"}
    options = ["--api-port", "0", "--files-port", "0", "--web-port", "0", "--print", "json"]
    command = [binary, "--data-dir", tmp_path / "data", *options]
    environment = rendering.environment(server) | variables
    with (tmp_path / "log").open("w") as log, subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            assert line, (tmp_path / "log").read_text()
            started = json.loads(line)
            [test] = [container for thing in rendering.of("Pod") for container in thing["spec"]["containers"]]
            script = test["command"][-1].replace("/tmp/", f"{tmp_path}/")
            addresses = {"apiserver:8008": "api_url", "webserver:8080": "web_url", "fileserver:8081": "files_url"}
            for service, name in addresses.items():
                script = script.replace(f"http://clearml-{service}", started[name])
            variables = rendering.environment(test) | {"PATH": os.environ["PATH"]}
            result = run("sh", "-c", script, env=variables)
            assert result.returncode == 0, f"{result.stdout}{result.stderr}"
            admin = f"admin:{rendering.secret('clearml-users')['admin_password']}"
            login = run("curl", "-fsS", "-u", admin, "-X", "POST", f"{started['api_url']}/auth.login")
            assert login.returncode == 0, login.stderr
        finally:
            process.terminate()


def test_in_a_control_plane():
    """$CLEARML_DEPLOY_CHECK, a command, applies the folder k8s/ to a control plane."""
    command = os.environ.get("CLEARML_DEPLOY_CHECK")
    if not command:
        pytest.skip("CLEARML_DEPLOY_CHECK is not set")
    result = subprocess.run(["bash", "-c", f"{command} {ROOT / 'k8s'}"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{result.stdout}{result.stderr}"

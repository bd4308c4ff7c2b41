"""The chart: what is rendered from the values in `values/` holds, and those in `refused/` are refused.

    chart.py PLURA          check all; PLURA is the program that has the last word about settings
    chart.py --write-table  write the table of values in the chart's README anew

Prints `pass NAME` or `FAIL NAME` for every file.
"""

import copy
import functools
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import traceback
from pathlib import Path

import jsonschema
import kubernetes_validate
import yaml
from helm_python import chart

import table

TESTS = Path(__file__).parent
CHART = TESTS.parent / "helm/plura"
# The oldest that the chart is for, and the newest that there are schemas of.
KUBERNETES = ["1.30", "1.37"]
SECRETS = "/run/secrets/plura"

# Kinds that Kubernetes itself does not know: the fields that are used, nothing else.
TEXT = {"type": "string"}
FOREIGN = {
    "HTTPRoute": {
        "parentRefs": {"type": "array", "minItems": 1},
        "hostnames": {"type": "array", "items": TEXT},
        "rules": {
            "type": "array",
            "items": {
                "additionalProperties": False,
                "properties": {
                    "matches": {},
                    "timeouts": {"additionalProperties": False, "properties": {"request": TEXT, "backendRequest": TEXT}},
                    "backendRefs": {"items": {"required": ["name", "port"]}},
                },
            },
        },
    },
    "ServiceMonitor": {
        "selector": {"type": "object", "required": ["matchLabels"]},
        "endpoints": {
            "type": "array",
            "items": {
                "additionalProperties": False,
                "properties": {
                    "port": TEXT,
                    "path": TEXT,
                    "interval": TEXT,
                    "scheme": {"enum": ["http", "https"]},
                    "tlsConfig": {"type": "object"},
                    "basicAuth": {"type": "object", "required": ["username", "password"]},
                },
            },
        },
    },
}


class Loader(yaml.SafeLoader):
    """YAML in which no key is there twice: the second would silently win."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = {str(key) for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"{node.start_mark}: twice: {', '.join(sorted(twice))}")
        return super().construct_mapping(node, deep)


def main(arguments):
    if arguments == ["--write-table"]:
        table.write(CHART)
        return 0
    (plura,) = arguments
    checks = [
        ("readme: the table of values", lambda: table.check(CHART)),
        ("defaults: they are those of plura", lambda: defaults(plura)),
    ]
    for file in sorted((TESTS / "values").glob("*.yaml")):
        checks.append((f"values: {file.stem}", lambda file=file: accepted(file, plura)))
    for file in sorted((TESTS / "refused").glob("*.yaml")):
        checks.append((f"refused: {file.stem}", lambda file=file: refused(file)))
    return sum(not passes(name, check) for name, check in checks)


def passes(name, check):
    try:
        check()
    except Exception:
        print(f"FAIL {name}")
        traceback.print_exc(file=sys.stdout)
        return False
    print(f"pass {name}")
    return True


def accepted(file, plura):
    text = file.read_text()
    values = yaml.load(text, Loader) or {}
    report = chart.lint(CHART, values, strict=True)
    loud = [message for message in report["messages"] if message["severity"] >= 2]
    assert not loud and not report["errors"], loud or report["errors"]

    objects = render(values)
    kinds = sorted(thing["kind"] for thing in objects)
    assert kinds == header(text, "kinds").split(), f"rendered are: {' '.join(kinds)}"
    for thing in objects:
        validate(thing)
    for thing in objects:
        if pod := pod_of(thing):
            restricted(thing["kind"], pod)
            bounded(thing["kind"], pod)
    references(objects)
    settings(values, objects, plura)
    arguments(objects, plura)


def refused(file):
    text = file.read_text()
    try:
        render(yaml.load(text, Loader))
    except Exception as error:
        expected = header(text, "expects")
        assert expected in str(error), f"expected `{expected}`, got: {error}"
        return
    raise AssertionError("the values were accepted")


def header(text, name):
    return re.match(rf"# {name}: (.*)", text).group(1)


def render(values):
    with chart.Chart.load(CHART) as loaded:
        files = loaded.render(values, name="plura", namespace="registry")
    notes = files.pop("plura/templates/NOTES.txt")
    assert "<no value>" not in notes and "docker login" in notes, notes
    documents = []
    for text in files.values():
        assert "<no value>" not in text, text
        documents += [document for document in yaml.load_all(text, Loader) if document]
    return documents


def validate(thing):
    if fields := FOREIGN.get(thing["kind"]):
        schema = {"additionalProperties": False, "properties": fields}
        jsonschema.validate(thing["spec"], schema)
        return
    for version in KUBERNETES:
        kubernetes_validate.validate(thing, version, strict=True)


def pod_of(thing):
    if thing["kind"] == "Pod":
        return thing["spec"]
    return thing.get("spec", {}).get("template", {}).get("spec")


def containers(pod):
    return pod.get("initContainers", []) + pod["containers"]


def restricted(kind, pod):
    """The restricted Pod Security Standard, and what goes beyond it: a read-only root, no token."""
    for forbidden in ("hostNetwork", "hostPID", "hostIPC", "hostUsers"):
        assert not pod.get(forbidden), f"{kind}: {forbidden}"
    assert pod["automountServiceAccountToken"] is False, f"{kind} has a token of Kubernetes"
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True and security["runAsUser"] > 0, f"{kind} may be root"
    assert security["seccompProfile"]["type"] == "RuntimeDefault", f"{kind} without seccomp"
    allowed = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
    for volume in pod.get("volumes", []):
        assert set(volume) - {"name"} <= allowed, f"{kind}: volume {volume}"
    for container in containers(pod):
        where = f"{kind}, {container['name']}"
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False, where
        assert own["capabilities"] == {"drop": ["ALL"]}, where
        assert own["readOnlyRootFilesystem"] is True, where
        assert not own.get("privileged") and not own.get("procMount"), where
        assert not any(port.get("hostPort") for port in container.get("ports", [])), where
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        there = {volume["name"] for volume in pod.get("volumes", [])} | {"data"}
        assert mounted <= there, f"{where}: {mounted - there} is mounted, but there is no such volume"


def bounded(kind, pod):
    """What a container may take is known beforehand."""
    for container in pod["containers"]:
        resources = container["resources"]
        assert "memory" in resources["requests"] and "memory" in resources["limits"], kind


def references(objects):
    """What is named is there, or is a secret; and nothing secret is among what is rendered."""
    named = {(thing["kind"], thing["metadata"]["name"]) for thing in objects}
    assert len(named) == len(objects), "two objects have the same name"
    assert not any(kind == "Secret" for kind, _ in named), "a secret is rendered"
    labels = [
        (thing["spec"].get("template") or thing)["metadata"]["labels"] for thing in objects if pod_of(thing)
    ]
    for thing in objects:
        for kind, name in needed(thing):
            assert (kind, name) in named or kind == "PersistentVolumeClaim" and name == "registry", f"no {kind} {name}"
        for selector in selectors(thing):
            assert any(selector.items() <= pod.items() for pod in labels), f"{thing['kind']} selects nothing: {selector}"


def needed(thing):
    pod = pod_of(thing) or {"containers": []}
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
    if pod.get("serviceAccountName", "plura-runtime") != "plura-runtime":
        yield "ServiceAccount", pod["serviceAccountName"]
    if thing["kind"] == "StatefulSet":
        yield "Service", thing["spec"]["serviceName"]
    for rule in thing.get("spec", {}).get("rules", []) if thing["kind"] == "Ingress" else []:
        yield "Service", rule["http"]["paths"][0]["backend"]["service"]["name"]
    if thing["kind"] == "HTTPRoute":
        yield "Service", thing["spec"]["rules"][0]["backendRefs"][0]["name"]


def selectors(thing):
    spec = thing.get("spec", {})
    if thing["kind"] == "Service":
        yield spec["selector"]
    for name in ("selector", "podSelector"):
        if "matchLabels" in spec.get(name, {}):
            yield spec[name]["matchLabels"]
    for rule in spec.get("ingress", []) + spec.get("egress", []) if thing["kind"] == "NetworkPolicy" else []:
        for peer in rule.get("from", []) + rule.get("to", []):
            if "podSelector" in peer:
                yield peer["podSelector"]["matchLabels"]


def settings(values, objects, plura):
    """plura takes the rendered settings; and nothing of `config` is lost on the way."""
    (text,) = [thing["data"]["plura.toml"] for thing in objects if "plura.toml" in thing.get("data", {})]
    server = next(thing for thing in objects if thing["kind"] == "Deployment")
    mounts = {mount["mountPath"] for mount in server["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]}
    for directory in re.findall(rf"{SECRETS}/[^/\"]+", text):
        assert directory in mounts, f"{directory} is not mounted"
    here = tempfile.TemporaryDirectory()
    with here as directory:
        # Where plura looks for files, there are files.
        for name in re.findall(rf"{SECRETS}/([^\"]+)", text):
            secret = Path(directory, name)
            secret.parent.mkdir(parents=True, exist_ok=True)
            secret.write_text(stand_in(secret.name))
        file = Path(directory, "plura.toml")
        file.write_text(text.replace(SECRETS, directory))
        run = subprocess.run([plura, "config", "check", "--offline", "--config", file], capture_output=True, text=True, timeout=30)
        assert run.returncode == 0, f"{text}\n{run.stdout}{run.stderr}"
        shown = [plura, "config", "show", "--json", "--config", file]
        shown = subprocess.run(shown, capture_output=True, text=True, timeout=30, check=True).stdout
    in_force = {entry["key"]: entry["value"] for entry in json.loads(shown) if entry["origin"] != "default"}
    for path, value in leaves(copy.deepcopy(values.get("config", {}))):
        found = str(in_force.get(path, "nothing")).replace(str(here.name), SECRETS)
        assert found == str(value), f"{path} is {value} in the values and {found} in force"


def stand_in(name):
    """Something of the kind that a file of this name holds."""
    if Path(name).suffix in (".crt", ".pem"):
        return certificate()[0]
    return certificate()[1] if name == "tls.key" else "secret\n"


@functools.cache
def certificate():
    """A certificate and its key, PEM."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
    with tempfile.TemporaryDirectory() as directory:
        files = [Path(directory, name) for name in ("crt", "key")]
        command += ["-subj", "/CN=localhost", "-out", files[0], "-keyout", files[1]]
        subprocess.run(command, capture_output=True, timeout=30, check=True)
        return [file.read_text() for file in files]


def defaults(plura):
    """A value of the chart that nobody sets is what plura would do by itself."""
    shown = subprocess.run([plura, "config", "reference", "--json"], capture_output=True, text=True, timeout=30, check=True)
    own = {entry["key"]: entry["default"] for entry in json.loads(shown.stdout)}
    values = {"database": {"kind": "external", "external": {"url": "postgres://db/plura"}}, "storage": {"kind": "external"}}
    texts = [thing["data"]["plura.toml"] for thing in render(values) if thing["kind"] == "ConfigMap"]
    here = dict(leaves(tomllib.loads(texts[0])))
    decided = {"data", "database.url", "server.listen", "storage.backend", "storage.s3.region", "storage.s3.bucket"}
    for path in here.keys() - decided:
        assert path in own, f"plura has no {path}"
        # TOML has no word for nothing.
        assert here[path] == own[path] or (here[path], own[path]) == ("", None), f"{path}: {here[path]} here, {own[path]} in plura"


def leaves(tree, path=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield path + key, value


def arguments(objects, plura):
    """plura knows the commands and flags that its containers are started with."""
    server = next(thing for thing in objects if thing["kind"] == "Deployment")
    for container in containers(server["spec"]["template"]["spec"]):
        command = [plura, *container["args"], "--help"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=30)
        assert run.returncode == 0, f"{' '.join(command)}: {run.stderr}"


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)

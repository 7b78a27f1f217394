"""``make gazebo``: Gazebo 11 without root and without touching the system's packages.

Debian 11 carries Gazebo 11. An apt-get with its own state, cache and source list downloads its packages and everything they depend on;
they are unpacked, not installed. The C and C++ run-time libraries are left out, so that the host's newer ones serve. Gazebo's messages
are generated from the ``.proto`` files of its development package.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mine_robot.gazebo.place import VERSION, GazeboError, Place, gazebo11

SUITE = "bullseye"
PACKAGES = ("gazebo", "gazebo-plugin-base")
DEVELOPMENT = "libgazebo-dev"
HOST_LIBRARIES = ("libc6", "libstdc++6", "libgcc-s1")
DEFAULT_MIRROR, ARCHIVE = "http://deb.debian.org/debian", "http://archive.debian.org/debian"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
NEEDED_BYTES = 1_500_000_000
TIMEOUT_S = 600.0


def install(place: Place) -> str:
    """Install unless it is there; returns what there is in words. Raises :class:`GazeboError` if it cannot be had."""
    place.folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place.folder.with_name(f"{place.folder.name}.lock")):
        if not place.stamp.is_file():
            _check_host(place)
            shutil.rmtree(place.folder, ignore_errors=True)
            place.prefix.mkdir(parents=True)
            try:
                _unpack(_download(place.folder / "apt"), place.prefix)
            finally:
                shutil.rmtree(place.folder / "apt", ignore_errors=True)
            place.stamp.write_text(f"Gazebo {VERSION} from Debian {SUITE}\n", encoding="utf-8")
        if not place.messages.is_dir():
            _generate(place)
    return f"Gazebo {VERSION} is in {place.folder}"


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One installation at a time."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_host(place: Place) -> None:
    if platform.machine() != "x86_64":
        raise GazeboError(f"this recipe is for x86_64, not {platform.machine()}")
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise GazeboError(f"{tool} is not there; Debian or Ubuntu is needed")
    if not KEYRING.is_file():
        raise GazeboError(f"{KEYRING} is not there (package debian-archive-keyring); nothing is unpacked unsigned")
    free = shutil.disk_usage(place.folder.parent).free
    if free < NEEDED_BYTES:
        raise GazeboError(f"{place.folder.parent} has {free / 1e9:.1f} GB free, {NEEDED_BYTES / 1e9:.1f} GB are needed")


def _mirror() -> str:
    """The mirror that this machine takes its own Debian packages from."""
    told = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True)
    uris = [line.rstrip("/") for line in told.stdout.splitlines()]
    return next((uri for uri in uris if uri.endswith("/debian")), DEFAULT_MIRROR)


def _download(folder: Path) -> list[Path]:
    """Fetch the packages; returns their files."""
    error = GazeboError("no mirror")
    for mirror in dict.fromkeys((_mirror(), ARCHIVE)):
        shutil.rmtree(folder, ignore_errors=True)
        archives = folder / "cache" / "archives"
        for sub in (folder / "state" / "lists" / "partial", archives / "partial"):
            sub.mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {SUITE} main\n", encoding="utf-8")
        try:
            _run([*_apt(folder), "update"])
            _run([*_apt(folder), "install", "--download-only", "--yes", *PACKAGES])
            _run([*_apt(folder), "download", DEVELOPMENT], cwd=archives)
        except GazeboError as why:
            error = why
            continue
        return sorted(archives.glob("*.deb"))
    raise error


def _apt(folder: Path) -> list[str]:
    """An apt-get that shares nothing with the system's."""
    settings = {
        "Dir::State": folder / "state", "Dir::State::status": folder / "status", "Dir::Cache": folder / "cache",
        "Dir::Etc::SourceList": folder / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null",
        "APT::Architecture": "amd64", "APT::Architectures": "amd64", "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root", "APT::Update::Error-Mode": "any", "Acquire::Retries": "3",
        "Acquire::http::Timeout": "30",
    }  # fmt: skip
    return ["apt-get", "--quiet", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]


def _unpack(archives: Sequence[Path], prefix: Path) -> None:
    wanted = [archive for archive in archives if archive.name.split("_")[0] not in HOST_LIBRARIES]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda archive: _run(["dpkg-deb", "--extract", str(archive), str(prefix)]), wanted))


def _generate(place: Place) -> None:
    """Python modules of Gazebo's messages."""
    protos = place.prefix / "usr/include/gazebo-11/gazebo/msgs/proto"
    names = sorted(path.name for path in protos.glob("*.proto"))
    draft = place.folder / "messages.tmp"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    _run([sys.executable, "-m", "grpc_tools.protoc", "-I.", f"--python_out={draft}", *names], cwd=protos)
    draft.rename(place.messages)


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise GazeboError(f"{command[0]} did not end within {TIMEOUT_S:.0f} s") from None
    except subprocess.CalledProcessError as error:
        lines = [line for line in (error.stderr or error.stdout).splitlines() if line.strip()]
        said = next((line for line in lines if line.startswith("E:")), lines[-1] if lines else "it said nothing")
        raise GazeboError(f"{command[0]} failed: {said}") from None


def main() -> None:
    """Install and say where, or say in one line why not (exit code 1)."""
    place = gazebo11()
    try:
        print(install(place))
        place.failure.unlink(missing_ok=True)
    except (GazeboError, OSError) as error:
        reason = f"Gazebo 11 cannot be had: {error}"
        with contextlib.suppress(OSError):
            place.failure.write_text(reason + "\n", encoding="utf-8")
        sys.exit(f"make gazebo: {reason}")


if __name__ == "__main__":
    main()

"""What firmware is built with: Debian's compiler for Arm, and CMake and Ninja from PyPI. All of it in .cache."""

import os
import subprocess
from pathlib import Path

import cached
import debian
from steps import Failed, pip

PACKAGES = [
    "gcc-arm-none-eabi",
    "binutils-arm-none-eabi",
    "libnewlib-arm-none-eabi",
    "libnewlib-dev",
    "libstdc++-arm-none-eabi-dev",
    "libc6",
    "libgcc-s1",
    "libgmp10",
    "libisl23",
    "libmpc3",
    "libmpfr6",
    "libstdc++6",
    "libzstd1",
    "zlib1g",
]
# Of a gigabyte, what a Cortex-M0+ and plain C do not need: other cores' libraries, link-time optimisation, documentation.
EXCLUDED = ["*/arm-none-eabi/*/arm", "*/arm-none-eabi/*/thumb/v[78]*", "*/lto1", "*/lto-dump", "*/plugin", "*/share/*"]
CMAKE_LOCK = Path(__file__).with_name("cmake.lock")


# The compiler


def compiler() -> Path:
    """The folder of arm-none-eabi-gcc. Raises Failed, also where Debian's packages do not run."""
    return cached.folder("arm-gcc", key(), _install) / "usr/bin"


def key() -> str:
    return cached.key(debian.LOCK, CMAKE_LOCK, Path(__file__))


def _install(folder: Path) -> None:
    loader = Path(debian.LOADERS[debian.architecture()])
    print("Installing Debian's compiler for Arm into .cache (half a minute: 115 MB, once) ...", flush=True)
    folder.mkdir()
    for name in PACKAGES:
        _unpack(debian.fetch(name), folder)
    # These two links Debian's packages leave to update-alternatives.
    target = folder / "usr/lib/arm-none-eabi"
    (target / "include").symlink_to("../../include/newlib")
    (target / "lib").symlink_to("newlib")
    # g++ links with -lstdc++ even though nothing in the firmware uses it: empty, it saves a download of 440 MB.
    (target / "newlib/libstdc++.a").write_bytes(b"!<arch>\n")
    for program in _programs(folder):
        _run_through(loader, program, folder)


def _unpack(package: Path, folder: Path) -> None:
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE) as archive:
        excluded = [f"--exclude={pattern}" for pattern in EXCLUDED]
        subprocess.run(["tar", "-x", "-C", folder, *excluded], stdin=archive.stdout, check=True)
    if archive.returncode:
        raise Failed(f"dpkg-deb can't unpack {package}")


def _programs(folder: Path) -> list[Path]:
    places = ["usr/bin", "usr/lib/arm-none-eabi/bin", "usr/lib/gcc/arm-none-eabi/*"]
    files = [path for place in places for path in folder.glob(f"{place}/*") if path.is_file() and not path.is_symlink()]
    return [file for file in files if os.access(file, os.X_OK) and ".so" not in file.name]


def _run_through(loader: Path, program: Path, folder: Path) -> None:
    """Put a script in the program's place: the compiler starts its parts by their paths, and the C library here may be older."""
    real = program.rename(program.with_name(f"{program.name}.real"))
    libraries = f"${{0%/*}}/{os.path.relpath(folder, program.parent)}/usr/lib/{loader.parent}"
    start = f'exec "$l/{loader.name}" --library-path "$l" --argv0 "$0" "${{0%/*}}/{real.name}" "$@"'
    program.write_text(f'#!/bin/sh\nl="{libraries}"\n{start}\n')
    program.chmod(0o755)


# The build system


def build_system() -> tuple[Path, Path]:
    """The programs cmake and ninja, as published on PyPI. Raises Failed."""
    folder = cached.folder("cmake", key(), _install_build_system)
    return folder / "cmake/data/bin/cmake", folder / "bin/ninja"


def _install_build_system(folder: Path) -> None:
    print("Installing CMake and Ninja into .cache (a few seconds: 30 MB, once) ...", flush=True)
    options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--retries", "2"]
    pip("install", "--target", folder, *options, "-r", CMAKE_LOCK)

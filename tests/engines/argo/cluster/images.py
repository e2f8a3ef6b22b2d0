"""Container images without a registry: layers are tar files, an image is a few JSON documents about them.

All images go into one archive in the OCI layout, which containerd imports at once, sharing layers.
Layers aren't compressed: the archive never leaves this machine, and importing is faster so.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # JSON documents, whose shapes are the OCI image specification's

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Image:
    """An image to write.

    Args:
        name: Its full name, such as `docker.io/local/python:1`.
        layers: Tar files, the lowest first.
        settings: The `config` of the image: Env, Entrypoint and the like.
    """

    name: str
    layers: tuple[Path, ...]
    settings: Mapping[str, Any]


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """Write an archive that holds all images; the file appears when it is whole."""
    part = path.with_suffix(".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(part, "w") as archive:
        written: dict[Path, tuple[str, int]] = {}
        entries = [_add_image(archive, image, written) for image in images]
        index = {"schemaVersion": 2, "manifests": entries}
        _add_bytes(archive, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add_bytes(archive, "index.json", _json(index))
    part.replace(path)


def write_layer(path: Path, files: Mapping[str, tuple[bytes, int]], folders: Mapping[str, int]) -> None:
    """Write a layer of a few files.

    Args:
        path: The tar file.
        files: Path in the image -> content and mode.
        folders: Path in the image -> mode.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with tarfile.open(part, "w") as layer:
        for name, mode in folders.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            layer.addfile(entry)
        for name, (content, mode) in files.items():
            _add_bytes(layer, name, content, mode)
    part.replace(path)


def _add_image(archive: tarfile.TarFile, image: Image, written: dict[Path, tuple[str, int]]) -> dict[str, Any]:
    """Add an image's blobs, and give its entry for the index."""
    for layer in image.layers:
        if layer not in written:
            written[layer] = _add_layer(archive, layer)
    layers = [written[layer] for layer in image.layers]
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": dict(image.settings),
        "rootfs": {"type": "layers", "diff_ids": [digest for digest, _ in layers]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _add_blob(archive, _json(config), _CONFIG),
        "layers": [{"mediaType": _LAYER, "digest": digest, "size": size} for digest, size in layers],
    }
    named = {"annotations": {"io.containerd.image.name": image.name}}
    return _add_blob(archive, _json(manifest), _MANIFEST) | named


def _add_layer(archive: tarfile.TarFile, path: Path) -> tuple[str, int]:
    """Add a layer's tar as a blob; its digest and size in bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
        file.seek(0)
        entry = tarfile.TarInfo(f"blobs/sha256/{digest}")
        entry.size = size
        archive.addfile(entry, file)
    return f"sha256:{digest}", size


def _add_blob(archive: tarfile.TarFile, content: bytes, media_type: str) -> dict[str, Any]:
    digest = hashlib.sha256(content).hexdigest()
    _add_bytes(archive, f"blobs/sha256/{digest}", content)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()

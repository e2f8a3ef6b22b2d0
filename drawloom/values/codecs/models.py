"""scikit-learn estimators, as skops files: reading one makes objects of scikit-learn, numpy and scipy alone.

Digest: what the model consists of, as skops describes it, without the addresses and the order of files that its bytes
carry. A model with parts of other libraries is refused when it is written, not when somebody needs it.
"""

from __future__ import annotations

import importlib
import io
import json
import zipfile
from contextlib import suppress
from typing import Any, Final

import numpy as np

from drawloom.ir.canonical import Json, digest_bytes, digest_json
from drawloom.ir.envelope import NotDecodable, NotEncodable
from drawloom.values.codecs.arrays import array_digest
from drawloom.values.leaves import Leaves

__all__ = ["decode", "encode"]

_IMPORT_TRIES: Final = 5
_TRUSTED: Final = ("sklearn", "numpy", "scipy")
_FIX = (
    "build the model of scikit-learn's own parts, "
    'or name a codec for its class: `Annotated[Model, Codec("package.module:ModelCodec")]`'
)


def _skops() -> Any:
    # skops asks `numpy.core` for things when it is imported, and silences the warning by `catch_warnings`. That isn't
    # thread-safe before Python 3.14: another thread's may undo it, and where warnings are errors the import fails.
    for _ in range(_IMPORT_TRIES):
        with suppress(DeprecationWarning):
            return importlib.import_module("skops.io")
    return importlib.import_module("skops.io")


def encode(value: Any, leaves: Leaves) -> Json:
    """The tree of an estimator.

    Raises:
        NotEncodable: V308, it holds objects of other libraries or of the user's own; V304, skops can't write it.
    """
    skops = _skops()
    try:
        data = skops.dumps(value)
        foreign = _foreign(skops.get_untrusted_types(data=data))
    except Exception as error:  # skops raises what its many node kinds raise
        reason = f"skops can't write it ({type(error).__name__}: {error})"
        raise NotEncodable(value, "", reason, "V304", _FIX) from error
    if foreign:
        reason = f"it holds {', '.join(foreign)}, and only parts of scikit-learn, numpy and scipy are read back"
        raise NotEncodable(value, "", reason, "V308", _FIX)
    kind = type(value)
    return {
        "$": "model",
        "class": f"{kind.__module__}:{kind.__qualname__}",
        **leaves.put(data),
        "digest": _digest(data),
    }


def _foreign(names: list[str]) -> list[str]:
    return sorted(name for name in names if not _is_trusted(name))


def _is_trusted(name: str) -> bool:
    """Whether a name of skops' stands for a class (not a function: it would be called) of a library we trust."""
    module, _, attribute = name.rpartition(".")
    if module.partition(".")[0] not in _TRUSTED:
        return False
    try:
        return isinstance(getattr(importlib.import_module(module), attribute), type)
    except (ImportError, AttributeError):
        return False


def _digest(data: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read("schema.json"))
        schema.pop("_skops_version", None)
        return digest_json(_canonical(schema, archive))


def _canonical(node: Json, archive: zipfile.ZipFile) -> Json:
    if isinstance(node, list):
        return [_canonical(part, archive) for part in node]
    if not isinstance(node, dict):
        return node
    made = {key: _canonical(part, archive) for key, part in node.items() if key not in ("__id__", "file")}
    if "file" in node:
        made["file"] = _file_digest(node["file"], archive.read(node["file"]))
    return made


def _file_digest(name: str, data: bytes) -> str:
    if name.endswith(".npz"):  # a sparse matrix: a zip file, whose entries carry the time they were written
        with zipfile.ZipFile(io.BytesIO(data)) as members:
            return digest_json(
                [[member, _file_digest(member, members.read(member))] for member in sorted(members.namelist())]
            )
    if not name.endswith(".npy"):
        return digest_bytes(data)
    array = np.load(io.BytesIO(data), allow_pickle=False)
    return array_digest(array) + ("F" if np.isfortran(array) else "")


def decode(tree: Json, leaves: Leaves) -> Any:
    """The estimator of a tree.

    Raises:
        NotDecodable: its file asks for more than scikit-learn, numpy and scipy.
    """
    skops = _skops()
    data = leaves.get(tree)
    untrusted = skops.get_untrusted_types(data=data)
    foreign = _foreign(untrusted)
    if foreign:
        raise NotDecodable(f"the model asks for {', '.join(foreign)}, which is not trusted")
    return skops.loads(data, trusted=untrusted)

"""The pod of a container: init containers that stage files in and run the image, and one that stages files out.

Kubernetes runs init containers one after the other, and whatever ends badly ends the pod: a command that takes the
whole container with it, for its memory say, leaves nothing that waits. What a pod must have is the most any of them
needs, not the sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from drawloom.ir.container import ROOT

__all__ = ["STAGE_IN", "STAGE_OUT", "staged"]

# Any: Kubernetes' objects as JSON trees

STAGE_IN: Final = "stage-in"  # the name of the first container
STAGE_OUT: Final = "stage_out"  # the module that the last one runs; the first one's is `stage_in`
_VOLUME: Final = "drawloom"
_VARIABLES: Final = ("env", "envFrom")


def staged(
    image: str, own: Mapping[str, Any], base: Mapping[str, Any], first: Mapping[str, Any], last: Mapping[str, Any]
) -> dict[str, Any]:
    """The volume they share, the init containers, and the container, as keys of what holds them.

    Args:
        image: the image.
        own: the keys of the containers of this pod.
        base: those of all pods: the image gets none of their variables, which open the store.
        first, last: the containers of the two stages.
    """
    mount = {"name": _VOLUME, "mountPath": ROOT}
    variables = {key: [one for one in own.get(key, ()) if one not in base.get(key, ())] for key in _VARIABLES}
    run = {**own, **variables, "image": image, "command": ["/bin/sh", f"{ROOT}/run.sh"]}
    return {
        "volumes": [{"name": _VOLUME, "emptyDir": {}}],
        "initContainers": [
            {"name": STAGE_IN, **_mounted(first, mount)},
            {"name": "run", **_mounted({key: value for key, value in run.items() if value}, mount)},
        ],
        "container": _mounted(last, mount),
    }


def _mounted(container: Mapping[str, Any], mount: Mapping[str, str]) -> dict[str, Any]:
    return {**container, "volumeMounts": [mount, *container.get("volumeMounts", ())]}

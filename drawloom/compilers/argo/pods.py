"""What Argo prints of pods: what holds for all of them once, in the Workflow's spec; in a template what differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from drawloom.compilers.pods.printed import toleration_tree, volume_trees
from drawloom.compilers.pods.settings import PodSettings
from drawloom.ir.canonical import canonical_json

__all__ = ["StepPod", "spec_part", "template_part"]

# Any: Argo's objects as JSON trees


@dataclass(frozen=True, slots=True)
class StepPod:
    """What is printed of a step's pod.

    Args:
        label: a part of the name of its template.
        container: keys of the container.
        template: keys of the template.
    """

    label: str
    container: Mapping[str, Any]
    template: Mapping[str, Any]


def template_part(settings: PodSettings, base: PodSettings) -> dict[str, Any]:
    """The keys of a template whose pods are made otherwise than the spec says."""
    pod, known = settings.pod, base.pod
    made: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for key, own, there in (("labels", pod.labels, known.labels), ("annotations", pod.annotations, known.annotations)):
        added = dict(pair for pair in own if pair not in there)
        if added:
            metadata[key] = added
    if metadata:
        made["metadata"] = metadata
    if pod.service_account != known.service_account:
        made["serviceAccountName"] = pod.service_account
    if pod.node_selector != known.node_selector:
        made["nodeSelector"] = dict(pod.node_selector)
    if pod.tolerations != known.tolerations:
        made["tolerations"] = [toleration_tree(one) for one in pod.tolerations]
    if pod.priority_class != known.priority_class:
        made["priorityClassName"] = pod.priority_class
    common = {canonical_json(volume) for volume in volume_trees(known.volumes)}
    volumes = [volume for volume in volume_trees(pod.volumes) if canonical_json(volume) not in common]
    if volumes:
        made["volumes"] = volumes
    return made


def spec_part(base: PodSettings, pull_secrets: Iterable[str]) -> dict[str, Any]:
    """The keys of a Workflow's spec that hold for all its pods.

    Args:
        base: how pods are made where nothing else is said.
        pull_secrets: what the images of all pods are fetched with; Argo has them for a Workflow alone.
    """
    pod = base.pod
    made: dict[str, Any] = {}
    if pod.service_account:
        made["serviceAccountName"] = pod.service_account
    secrets = sorted({*pod.image_pull_secrets, *pull_secrets})
    if secrets:
        made["imagePullSecrets"] = [{"name": name} for name in secrets]
    if pod.node_selector:
        made["nodeSelector"] = dict(pod.node_selector)
    if pod.tolerations:
        made["tolerations"] = [toleration_tree(one) for one in pod.tolerations]
    if pod.priority_class:
        made["podPriorityClassName"] = pod.priority_class
    metadata = {key: dict(pairs) for key, pairs in (("labels", pod.labels), ("annotations", pod.annotations)) if pairs}
    if metadata:
        made["podMetadata"] = metadata
    if pod.volumes:
        made["volumes"] = volume_trees(pod.volumes)
    return made

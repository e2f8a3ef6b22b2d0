"""Every key of a project's part of a store, as pure functions; the layout is written down here and nowhere else.

    objects/<2 hex>/<62 hex>                            bytes by SHA-256
    quarantine/<2 hex>/<62 hex>                         corrupt objects, set aside by `catalog verify`
    cache/<2 hex>/<62 hex>.json                         cache key -> the commit that answers it
    programs/<digest>/pipeline.json, spans.json         a program and its source lines
    programs/<digest>/steps/<40 hex>.json               the slice of one step
    functions/<digest>.json                             the source of a version of a task's function
    environments/<digest>.json                          a Python version and the distributions that were installed
    bundles/<sha256>.zip                                the user's code
    runs/<run>/run.json                                 RunStarted
    runs/<run>/segments/<writer>-<n>.seg                a local run's records
    runs/<run>/<generation>/commits/<40 hex>.json       and decisions/, failures/: one per node instance
    runs/<run>/<generation>/attempts/<40 hex>-<n>-started.json, -finished.json
    runs/<run>/<generation>/observations/<40 hex>-<n>-<event>.json
    runs/<run>/<generation>/finished.json               RunFinished
    runs/<run>/<generation>/run.json, restarts/         where the run was cleared and run again
    checkpoints/<40 hex>/...                            what the attempts at a node instance leave to the next one
    tags/<40 hex of the artifact>/<40 hex of the tag>/<time>-<random>.json
    deployments/<40 hex of the target>/<time>-<random>.json

The 40 hex of a node instance are the first of the SHA-256 of canonical JSON `[node, index]`: node ids are of any length
and case, keys are not. Standard library alone: a step loads this module.
"""

from __future__ import annotations

from drawloom.catalog.records import Index
from drawloom.ir.canonical import digest_bytes, digest_json
from drawloom.storage.objects import object_key, quarantine_key

__all__ = [
    "attempt_key",
    "attempts_prefix",
    "bundle_key",
    "cache_record_key",
    "checkpoint_prefix",
    "commit_key",
    "commits_prefix",
    "decision_key",
    "deployment_key",
    "environment_key",
    "failure_key",
    "failures_prefix",
    "finished_key",
    "function_key",
    "instance_digest",
    "is_mark",
    "name_digest",
    "object_key",
    "observation_key",
    "observations_prefix",
    "pipeline_key",
    "project_prefix",
    "quarantine_key",
    "restart_key",
    "run_key",
    "run_prefix",
    "segment_key",
    "segments_prefix",
    "slice_key",
    "spans_key",
    "started_key",
    "tag_key",
    "tag_prefix",
]

_DIGEST_CHARACTERS = 40


def project_prefix(project: str) -> str:
    """Where a project's keys begin, below the storage's root.

    >>> project_prefix("default")
    'projects/default/'
    """
    return f"projects/{project}/"


def instance_digest(node: str, index: Index) -> str:
    """The 40 hex characters a node instance goes by in keys."""
    return digest_json([node, list(index)])[:_DIGEST_CHARACTERS]


def name_digest(name: str) -> str:
    """The 40 hex characters any other name goes by in keys."""
    return digest_bytes(name.encode("utf-8", "surrogatepass"))[:_DIGEST_CHARACTERS]


def cache_record_key(cache_key: str) -> str:
    """The key of the record that answers the cache key `cache_key` (64 hex characters)."""
    return f"cache/{cache_key[:2]}/{cache_key[2:]}.json"


def checkpoint_prefix(name: str) -> str:
    """Where the checkpoint `name` (40 hex characters, `runtimes.checkpoint`) begins."""
    return f"checkpoints/{name}/"


def pipeline_key(program: str) -> str:
    """The key of a program's IR."""
    return f"programs/{program}/pipeline.json"


def spans_key(program: str) -> str:
    """The key of a program's source lines."""
    return f"programs/{program}/spans.json"


def slice_key(program: str, step: str) -> str:
    """The key of the slice of a program that the step `step` reads."""
    return f"programs/{program}/steps/{name_digest(step)}.json"


def function_key(digest: str) -> str:
    """The key of the source of the version `digest` of a function."""
    return f"functions/{digest}.json"


def environment_key(digest: str) -> str:
    """The key of what is known of the environment `digest` (`runtimes.environment`)."""
    return f"environments/{digest}.json"


def bundle_key(sha: str) -> str:
    """The key of the bundle with the digest `sha`."""
    return f"bundles/{sha}.zip"


def run_prefix(run: str) -> str:
    """Where everything about a run begins."""
    return f"runs/{run}/"


def run_key(run: str) -> str:
    """The key of a run's `RunStarted`."""
    return f"runs/{run}/run.json"


def segments_prefix(run: str) -> str:
    """Where a run's segments begin."""
    return f"runs/{run}/segments/"


def segment_key(run: str, writer: str, number: int) -> str:
    """The key of a writer's segment `number`, which counts from 0; as text, keys sort in the order of their numbers."""
    return f"runs/{run}/segments/{writer}-{number:08d}.seg"


def commits_prefix(run: str, generation: int) -> str:
    """Where the commits of one generation of a run begin."""
    return f"runs/{run}/{generation}/commits/"


def commit_key(run: str, generation: int, node: str, index: Index) -> str:
    """The key of the commit of a node instance."""
    return f"runs/{run}/{generation}/commits/{instance_digest(node, index)}.json"


def decision_key(run: str, generation: int, node: str, index: Index) -> str:
    """The key of the decision of a control node's instance."""
    return f"runs/{run}/{generation}/decisions/{instance_digest(node, index)}.json"


def failures_prefix(run: str, generation: int) -> str:
    """Where the marks of failed node instances begin."""
    return f"runs/{run}/{generation}/failures/"


def failure_key(run: str, generation: int, node: str, index: Index) -> str:
    """The key of the mark of a failed node instance."""
    return f"runs/{run}/{generation}/failures/{instance_digest(node, index)}.json"


def started_key(run: str, generation: int) -> str:
    """The key of a generation's `RunStarted`; the first one is the run's own."""
    return f"runs/{run}/{generation}/run.json" if generation else run_key(run)


def restart_key(run: str, generation: int, node: str, index: Index) -> str:
    """The key of the mark of a node instance that was begun anew after its run was cleared."""
    return f"runs/{run}/{generation}/restarts/{instance_digest(node, index)}.json"


def is_mark(key: str) -> bool:
    """Whether the object with such a key of a run is no record, but marks a commit (`failure_key`) or an instance.

    >>> is_mark(restart_key("r", 1, "add", ())), is_mark(commit_key("r", 1, "add", ()))
    (True, False)
    """
    return "/failures/" in key or "/restarts/" in key


def attempts_prefix(run: str, generation: int) -> str:
    """Where the attempts of one generation of a run begin."""
    return f"runs/{run}/{generation}/attempts/"


def attempt_key(run: str, generation: int, node: str, index: Index, attempt: int, event: str) -> str:
    """The key of an attempt's record; `event` is `started` or `finished`."""
    return f"runs/{run}/{generation}/attempts/{instance_digest(node, index)}-{attempt}-{event}.json"


def observations_prefix(run: str, generation: int) -> str:
    """Where what an engine told about one generation of a run begins."""
    return f"runs/{run}/{generation}/observations/"


def observation_key(run: str, generation: int, node: str, index: Index, attempt: int, event: str) -> str:
    """The key of what an engine told about an attempt; `event` as in `EngineObservation`."""
    name = event.replace("_", "-")
    return f"{observations_prefix(run, generation)}{instance_digest(node, index)}-{attempt}-{name}.json"


def finished_key(run: str, generation: int) -> str:
    """The key of the `RunFinished` of a generation of a run."""
    return f"runs/{run}/{generation}/finished.json"


def tag_prefix(artifact: str, tag: str) -> str:
    """Where the records of one tag of one artifact begin."""
    return f"tags/{name_digest(artifact)}/{name_digest(tag)}/"


def tag_key(artifact: str, tag: str, at: float, unique: str) -> str:
    """The key of a `Tag` record made at `at` (seconds since the epoch); the newest sorts last."""
    return f"{tag_prefix(artifact, tag)}{_moment(at)}-{unique}.json"


def deployment_key(target: str, at: float, unique: str) -> str:
    """The key of a `Deployment` record made at `at` (seconds since the epoch); the newest sorts last."""
    return f"deployments/{name_digest(target)}/{_moment(at)}-{unique}.json"


def _moment(at: float) -> str:
    return f"{int(at * 1000):012x}"

"""Resources, variables and pods as policies, made of what a user wrote: in Python, or in a target's settings.

Everything that Kubernetes would refuse later is refused here, where somebody knows who wrote it. No regular
expressions: a user's module makes these values in every step, which may not have `re` loaded. Standard library alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from drawloom.ir.kubernetes import (
    LABEL_CHARACTERS,
    is_label_value,
    is_number,
    is_object_name,
    is_qualified,
    is_variable,
    quantity_bytes,
)
from drawloom.ir.policies import GPU_TYPE, PodPolicy, ResourcesPolicy, TolerationPolicy, VolumePolicy

__all__ = [
    "Misfit",
    "env_pairs",
    "image_text",
    "pod_policy",
    "resources_policy",
    "texts_of",
    "toleration_policy",
    "volume_policy",
]

# Any: whatever a user wrote

_LEAST_BYTES: Final = 1 << 20  # less is a unit that was forgotten: no process fits into it
_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_MOST_ANNOTATIONS_BYTES: Final = 256 * 1024
# read before a step can set anything: by the interpreter or the loader as they start, or by drawloom itself
_TOO_EARLY: Final = ("DRAWLOOM_", "PYTHON", "LD_", "DYLD_")


class Misfit(ValueError):
    """A value that can't be what it is meant for.

    Args:
        name: the option or field.
        value: what was given.
        expected: what is taken there, for "must be ...".
    """

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name}={value!r} must be {expected}")
        self.name = name
        self.value = value
        self.expected = expected


# resources


def resources_policy(
    cpu: Any = None, memory: Any = "", disk: Any = "", gpu: Any = 0, gpu_type: Any = GPU_TYPE
) -> ResourcesPolicy:
    """What a step needs of a machine.

    Raises:
        Misfit: a quantity isn't one, or can't be meant.
    """
    if type(gpu) is not int or gpu < 0:
        raise Misfit("gpu", gpu, "a whole number of devices")
    if not is_qualified(gpu_type) or "/" not in gpu_type:
        raise Misfit("gpu_type", gpu_type, 'the name of a resource ("nvidia.com/gpu")')
    return ResourcesPolicy(_cpu(cpu), _bytes("memory", memory), _bytes("disk", disk), gpu, gpu_type)


def _cpu(value: Any) -> str:
    expected = 'a number of processors (2, 0.5), or a text ("500m")'
    if value is None or value == "":
        return ""
    if type(value) in (int, float):
        thousandths = round(value * 1000) if 0 < value < 1 << 20 else 0  # NaN too
        if thousandths < 1 or abs(value * 1000 - thousandths) > 1e-6:
            raise Misfit("cpu", value, expected)
        return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"
    if type(value) is not str:
        raise Misfit("cpu", value, expected)
    number = value.removesuffix("m")
    if not (is_number(number) and float(number) > 0) or (number != value and "." in number):
        raise Misfit("cpu", value, expected)
    if len(number.partition(".")[2]) > 3:  # Kubernetes counts thousandths
        raise Misfit("cpu", value, expected)
    return value


def _bytes(name: str, value: Any) -> str:
    if value == "" or value is None:
        return ""
    size = quantity_bytes(value)
    if size is None:
        raise Misfit(name, value, 'a quantity of Kubernetes ("4Gi", "500Mi")')
    if size < _LEAST_BYTES:
        raise Misfit(name, value, f'at least "1Mi" ({value} is {size:g} bytes)')
    text: str = value
    return text


# texts


def image_text(value: Any) -> str:
    """The name of a container image.

    Raises:
        Misfit: it can't be one.
    """
    if type(value) is not str or not value or not value.isascii() or not value.isprintable() or set(value) & set(" {}"):
        raise Misfit("image", value, 'the name of an image ("registry.example/team/x:1")')
    return value


def env_pairs(value: Any, *, by_step: bool = True) -> tuple[tuple[str, str], ...]:
    """Environment variables, sorted by name.

    Args:
        value: what was given.
        by_step: whether a step sets them, which is too late for some.

    Raises:
        Misfit: it is no mapping of texts, or a name can't be set.
    """
    name = "env"
    pairs = _pairs(name, value, "names of variables to texts")
    for variable, text in pairs:
        if not is_variable(variable):
            raise Misfit(name, variable, "names of letters, digits and `_`")
        if by_step and variable.startswith(_TOO_EARLY):
            raise Misfit(
                name, variable, f"variables that a step can still set: {', '.join(_TOO_EARLY)}... are read before"
            )
        if "\0" in text or not _is_utf8(text):
            raise Misfit(f"{name}[{variable!r}]", text, "a text without NUL that UTF-8 can write")
    return pairs


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _pairs(name: str, value: Any, what: str) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        raise Misfit(name, value, f"a mapping of {what}")
    for key, text in value.items():
        if type(key) is not str or type(text) is not str:
            raise Misfit(name, {key: text}, f"a mapping of {what}")
    return tuple(sorted(value.items()))


def texts_of(name: str, value: Any, is_right: Callable[[str], bool], what: str) -> tuple[str, ...]:
    """A list of texts, as it was given, each once.

    Args:
        name: the option.
        value: what was given.
        is_right: whether a text can be one.
        what: what they are, for messages.

    Raises:
        Misfit: it is none.
    """
    items = items_of(name, value, what)
    for item in items:
        if type(item) is not str or not is_right(item):
            raise Misfit(name, item, f"a list of {what}")
    return tuple(dict.fromkeys(items))


def items_of(name: str, value: Any, what: str) -> tuple[Any, ...]:
    """What a list holds; a text is no list.

    Raises:
        Misfit: it is none.
    """
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise Misfit(name, value, f"a list of {what}")
    return tuple(value)


# pods


def toleration_policy(value: Any) -> TolerationPolicy:
    """A toleration: `key=value:effect` as `kubectl taint` writes a taint (`key`, `key:effect`), or its fields.

    Raises:
        Misfit: it can't be one.
    """
    if isinstance(value, TolerationPolicy):
        return value
    if isinstance(value, str):
        rest, _, effect = value.partition(":")
        key, equals, text = rest.partition("=")
        return _toleration(value, key, text if equals else None, effect, None)
    if not isinstance(value, Mapping):
        raise Misfit("tolerations", value, 'a list of tolerations ("dedicated=gpu:NoSchedule")')
    _known("tolerations", value, ("key", "value", "effect", "seconds"))
    return _toleration(value, value.get("key", ""), value.get("value"), value.get("effect", ""), value.get("seconds"))


def _toleration(shown: object, key: Any, value: Any, effect: Any, seconds: Any) -> TolerationPolicy:
    if key != "" and not is_qualified(key):
        raise Misfit("tolerations", shown, "a toleration with a taint's key (`dedicated`, `example.com/gpu`)")
    if value is not None and (type(value) is not str or not is_label_value(value) or not key):
        raise Misfit("tolerations", shown, "a toleration with a taint's value beside its key")
    if effect not in ("", *_EFFECTS):
        raise Misfit("tolerations", shown, f"a toleration with an effect of {', '.join(_EFFECTS)}")
    if seconds is not None and (type(seconds) is not int or seconds < 0 or effect != "NoExecute"):
        raise Misfit("tolerations", shown, "a toleration with seconds from 0 up beside the effect NoExecute")
    return TolerationPolicy(key, value, effect, seconds)


_SOURCES: Final = ("claim", "secret", "config_map", "empty_dir")
_VOLUME_FIELDS: Final = ("mount_path", *_SOURCES, "read_only", "sub_path", "size", "in_memory")


def volume_policy(value: Any) -> VolumePolicy:
    """A volume: `claim:/mount/path`, `claim:/mount/path:ro`, or its fields.

    Raises:
        Misfit: it can't be one.
    """
    if isinstance(value, VolumePolicy):
        return value
    if isinstance(value, str):
        claim, _, rest = value.partition(":")
        path, _, mode = rest.partition(":")
        if mode not in ("", "ro"):
            raise Misfit("volumes", value, "a volume, `claim:/mount/path` or `claim:/mount/path:ro`")
        value = {"claim": claim, "mount_path": path, "read_only": mode == "ro"}
    if not isinstance(value, Mapping):
        raise Misfit("volumes", value, 'a list of volumes ("claim:/mount/path")')
    _known("volumes", value, _VOLUME_FIELDS)
    given = [source for source in _SOURCES if value.get(source)]
    if len(given) != 1:
        raise Misfit("volumes", _given(value), f"a volume with one source: {', '.join(_SOURCES)}")
    source = given[0]
    name = "" if source == "empty_dir" else value[source]
    if source == "empty_dir" and value[source] is not True:
        raise Misfit("empty_dir", value[source], "True or False")
    if source != "empty_dir" and (type(name) is not str or not is_object_name(name)):
        raise Misfit(source, name, "the name of an object of Kubernetes (lower-case letters, digits, `-`, `.`)")
    made = VolumePolicy(
        mount_path=_path("mount_path", value.get("mount_path", ""), absolute=True),
        source=source,
        name=name,
        read_only=_flag("read_only", value.get("read_only", False)),
        sub_path=_path("sub_path", value.get("sub_path", ""), absolute=False),
        size=_bytes("size", value.get("size", "")),
        in_memory=_flag("in_memory", value.get("in_memory", False)),
    )
    if source != "empty_dir" and (made.size or made.in_memory):
        raise Misfit("volumes", _given(value), "a volume without `size` and `in_memory`: they are for an `empty_dir`")
    return made


def _path(name: str, value: Any, *, absolute: bool) -> str:
    if value == "" and not absolute:
        return ""
    wrong = type(value) is not str or not value or not _is_utf8(value) or not value.isprintable() or ":" in value
    if not wrong:
        parts = value.split("/")
        wrong = ".." in parts or (parts[0] == "") is not absolute or value == "/"
    if wrong:
        expected = "an absolute path" if absolute else "a relative path"
        raise Misfit(name, value, f"{expected} without `..` and `:`")
    text: str = value.rstrip("/")
    return text


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def _flag(name: str, value: Any) -> bool:
    if type(value) is not bool:
        raise Misfit(name, value, "True or False")
    return value


def _known(name: str, value: Mapping[str, Any], fields: Sequence[str]) -> None:
    for field in value:
        if field not in fields:
            raise Misfit(name, field, f"one of the fields {', '.join(fields)}")


def pod_policy(
    *,
    node_selector: Any = (),
    tolerations: Any = (),
    priority_class: Any = "",
    spot: Any = False,
    labels: Any = (),
    annotations: Any = (),
    service_account: Any = "",
    volumes: Any = (),
    env_from_secrets: Any = (),
    secret_env: Any = (),
    image_pull_secrets: Any = (),
) -> PodPolicy:
    """How a pod is made; mappings are given as such, and `secret_env` as variable -> (Secret, key).

    Raises:
        Misfit: something in it can't be.
    """
    mounted = tuple(volume_policy(one) for one in items_of("volumes", volumes, 'volumes ("claim:/mount/path")'))
    paths = [volume.mount_path for volume in mounted]
    for path in paths:
        if paths.count(path) > 1:
            raise Misfit("volumes", path, "volumes at paths of their own")
    for name, value in (("priority_class", priority_class), ("service_account", service_account)):
        if type(value) is not str or (value and not is_object_name(value)):
            raise Misfit(name, value, "the name of an object of Kubernetes")
    taints = items_of("tolerations", tolerations, 'tolerations ("dedicated=gpu:NoSchedule")')
    secrets = "names of Secrets"
    return PodPolicy(
        node_selector=_labels("node_selector", node_selector),
        tolerations=tuple(dict.fromkeys(toleration_policy(one) for one in taints)),
        priority_class=priority_class,
        spot=_flag("spot", spot),
        labels=_labels("labels", labels),
        annotations=_annotations(annotations),
        service_account=service_account,
        volumes=mounted,
        env_from_secrets=texts_of("env_from_secrets", env_from_secrets, is_object_name, secrets),
        secret_env=_secret_env(secret_env),
        image_pull_secrets=texts_of("image_pull_secrets", image_pull_secrets, is_object_name, secrets),
    )


def _labels(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    pairs = _pairs(name, value or {}, "labels to their values")
    for key, text in pairs:
        if not is_qualified(key):
            raise Misfit(name, key, "keys of labels (`team`, `example.com/team`)")
        if not is_label_value(text):
            raise Misfit(
                f"{name}[{key!r}]",
                text,
                "a label's value: 63 letters, digits, `-`, `_`, `.` at most, a letter or digit outside",
            )
    return pairs


def _annotations(value: Any) -> tuple[tuple[str, str], ...]:
    pairs = _pairs("annotations", value or {}, "keys to texts")
    for key, text in pairs:
        if not is_qualified(key):
            raise Misfit("annotations", key, "keys of annotations (`team`, `example.com/team`)")
        if not _is_utf8(text):
            raise Misfit(f"annotations[{key!r}]", text, "a text that UTF-8 can write")
    size = sum(len(key) + len(text.encode("utf-8")) for key, text in pairs)
    if size > _MOST_ANNOTATIONS_BYTES:
        raise Misfit("annotations", f"{size} bytes", "at most 256 KiB")
    return pairs


def _secret_env(value: Any) -> tuple[tuple[str, str, str], ...]:
    expected = 'a mapping of variables to (Secret, key): {"TOKEN": ("api", "token")}'
    if not isinstance(value or {}, Mapping):
        raise Misfit("secret_env", value, expected)
    found = []
    for variable, source in (value or {}).items():
        if type(variable) is not str:
            raise Misfit("secret_env", variable, expected)
        parts = source.split(":") if isinstance(source, str) else source
        if not isinstance(parts, Sequence) or len(parts) != 2 or not all(type(part) is str for part in parts):
            raise Misfit("secret_env", {variable: source}, expected)
        secret, key = parts
        right = is_variable(variable) and is_object_name(secret) and bool(key) and set(key) <= LABEL_CHARACTERS
        if not right:
            raise Misfit("secret_env", {variable: source}, expected)
        found.append((variable, secret, key))
    return tuple(sorted(found))

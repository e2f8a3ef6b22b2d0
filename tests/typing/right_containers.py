"""Containers: a call has the type the function is declared to return."""

from __future__ import annotations

from typing import NamedTuple, assert_type

from drawloom import File, Retry, container, input_path, output_path, pipeline, run_image


class Two(NamedTuple):
    a: File
    b: int


@container(retry=Retry(max_attempts=3))
def audio_of(video: File, quality: int = 3) -> File:
    return run_image(
        "registry.example/ffmpeg:7",
        ["ffmpeg", "-i", video, ("-q:a=", quality), input_path(quality), output_path(suffix=".mp3")],
    )


@container
def two(video: File) -> Two:
    return run_image("x:1", ["tool", video, output_path("a")], env={"A": "b"})


@container
def none(video: File) -> None:
    run_image("x:1", ["tool", video])


@pipeline
def sound(video: File) -> int:
    none(video)
    audio = audio_of(video, quality=5)
    assert_type(audio, File)
    return two(audio).b

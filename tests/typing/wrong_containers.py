"""Containers that are called wrongly, each line marked."""

from __future__ import annotations

from drawloom import File, container, output_path, pipeline, run_image


@container
def audio_of(video: File, quality: int = 3) -> File:
    return run_image("registry.example/ffmpeg:7", ["ffmpeg", "-i", video, output_path()])


@container(retries=3)  # error
def older(video: File) -> None:
    run_image("registry.example/ffmpeg:7", ["ffmpeg", "-i", video])


@pipeline
def sound(video: File) -> int:
    audio_of("video")  # error
    audio_of(video, level=3)  # error
    return audio_of(video)  # error

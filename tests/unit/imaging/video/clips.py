"""Short clips, made with PyAV: moving stripes, and a tone beside them."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

TIME_BASE = Fraction(1, 90_000)
RATE = 48_000


def times(count, is_variable=True):
    """Times of frames in units of TIME_BASE; every other one lasts twice as long."""
    steps = [7200 if is_variable and index % 2 == 0 else 3600 for index in range(count)]
    return [sum(steps[:index]) for index in range(count)], steps


def stripes(frame, index):
    """Fill a frame with something that moves."""
    for number, plane in enumerate(frame.planes):
        deep = "p10" in frame.format.name
        rows = np.frombuffer(plane, np.uint16 if deep else np.uint8)
        rows = rows.reshape(plane.height, plane.line_size // (1 + deep))
        wave = 40 * np.sin((np.arange(rows.shape[1]) + 3 * index) / 6)
        rows[...] = ((120 + wave) if number == 0 else 118 + 10 * number) * (4 if deep else 1)


def write_clip(
    path,
    count=8,
    size=(64, 48),
    *,
    codec="libx264",
    pix_fmt="yuv420p",
    sound="aac",
    subtitles=None,
    turn=None,
    is_variable=True,
    aspect=None,
    time_base=None,
    faststart=False,
):
    """Write a clip of ``count`` frames."""
    width, height = size
    starts, steps = times(count, is_variable and time_base is None)
    flags = {"movflags": "faststart"} if faststart else {}
    with av.open(path, "w", options=flags) as out:
        video = out.add_stream(codec, rate=25, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = width, height, pix_fmt
        video.codec_context.time_base = Fraction(*time_base) if time_base else TIME_BASE
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        video.codec_context.colorspace, video.codec_context.color_range = 6, 1
        if turn is not None:
            video.set_display_rotation(turn)
        tone = out.add_stream(sound, rate=RATE, layout="mono") if sound else None
        text = _text_packet(path, out, subtitles) if subtitles else None
        out.metadata["title"] = "stripes"
        if tone:
            tone.metadata["language"] = "fra"
        for index, start in enumerate(starts):
            frame = av.VideoFrame(width, height, pix_fmt)
            stripes(frame, index)
            frame.pts, frame.time_base = start, TIME_BASE
            out.mux(video.encode(frame))
        for start in range(0, int((starts[-1] + steps[-1]) * TIME_BASE * RATE), 960):
            if tone:
                wave = 8000 * np.sin(np.arange(start, start + 960) * 0.06)
                piece = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], "s16", "mono")
                piece.sample_rate, piece.pts, piece.time_base = RATE, start, Fraction(1, RATE)
                out.mux(tone.encode(piece))
        if text:
            out.mux(text)
        out.mux(video.encode(None))
        if tone:
            out.mux(tone.encode(None))
    return path


def _text_packet(path, out, text):
    """Return a subtitle, and give the clip a stream for it."""
    file = path.with_suffix(".srt")
    file.write_text(f"1\n00:00:00,000 --> 00:00:00,100\n{text}\n")
    with av.open(file) as source:
        stream = source.streams.subtitles[0]
        copy = out.add_stream_from_template(stream)
        packet = next(source.demux(stream))
        packet.stream = copy
    file.unlink()
    return packet


def packets_of(path, kind):
    """Return time and bytes of the packets of the first stream of a kind, times from 0 on."""
    with av.open(path) as file:
        (stream, *_) = [stream for stream in file.streams if stream.type == kind]
        found = [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in file.demux(stream)
            if packet.dts is not None
        ]
    return found


def frames_of(path, pixels="gray"):
    """Return (start in seconds, luma or other pixels) of every frame."""
    with av.open(path) as file:
        return [
            (float(frame.pts * frame.time_base), frame.reformat(format=pixels).to_ndarray())
            for frame in file.decode(file.streams.video[0])
        ]

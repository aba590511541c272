"""The process in which the graph of a stranger's model runs for the first time: the graph in, a verdict out.

An engine written in C++ compiles it, and some graphs crash an engine, keep it busy for ever or make it take all memory.
Should that happen, it happens here, under limits from the kernel. The first line of standard input is JSON {input_px,
n_classes, cpu_s, memory_bytes}, the rest the graph. Standard output gets a line `READY` before the graph is touched,
and at the end a line of JSON: {} or {message, hint}.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import numpy_helper

from tellapart.engine.graph_rules import HEAD, OUTPUTS, most_values
from tellapart.engine.runner import Network, refuse_nonsense
from tellapart.errors import ArtifactError

if sys.platform != "win32":
    import resource

READY: Final = b"READY\n"
SEED: Final = 0  # of the noise that is asked about


def main() -> None:
    """Read the graph, try it, say what became of it."""
    answered = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not be taken for a verdict
    how = json.loads(sys.stdin.buffer.readline())
    _limit(how["cpu_s"], how["memory_bytes"])
    answered.write(READY)
    answered.flush()
    try:
        _try(sys.stdin.buffer.read(), how["input_px"], how["n_classes"])
        verdict = {}
    except ArtifactError as error:
        verdict = {"message": error.message, "hint": error.hint}
    except MemoryError:
        verdict = {"message": "The model's graph needs too much memory.", "hint": "Do not use this model."}
    answered.write(json.dumps(verdict).encode() + b"\n")
    answered.flush()
    os._exit(0)  # a graph may have left the engine's threads in any state; nobody waits for them


def _limit(cpu_s: int, memory_bytes: int) -> None:
    if sys.platform == "win32":
        return
    mapped = Path("/proc/self/statm")  # in pages; only Linux has it, and only there the limit is kept
    if mapped.exists():
        most = int(mapped.read_text().split()[0]) * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + cpu_s
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def _try(model: bytes, input_px: int, n_classes: int) -> None:
    """Compile it as it will be compiled, and ask it about four images.

    Raises:
        ArtifactError: it cannot be compiled, is larger than ours, or does not answer as a classifier does.
    """
    proto = onnx.load_model_from_string(model)
    _refuse_no_numbers(proto)
    others, most = sorted(OUTPUTS - {"probs"}), most_values(proto, input_px)
    network = Network(model, input_px, ["probs"], optional=others, streams=1, most=most)
    onnx.shape_inference.infer_shapes(proto)  # `explain` asks for it
    head = next((list(weight.dims) for weight in proto.graph.initializer if weight.name == HEAD), None)
    side = (input_px, input_px, 3)
    noise = np.random.default_rng(SEED).integers(0, 256, side, np.uint8)
    for image in (np.zeros(side, np.uint8), np.full(side, 255, np.uint8), noise, np.sort(noise, axis=0)):
        said = network(image)
        refuse_nonsense(said, n_classes)
        _refuse_shapes(said, n_classes, head)


def _refuse_no_numbers(proto: onnx.ModelProto) -> None:
    """Refuses weights that are NaN: engines differ in what they make of it, and ours makes probabilities.

    Infinity is let pass: networks pad with it, and mask with it.
    """
    attributes = (a.t for node in proto.graph.node for a in node.attribute if a.HasField("t"))
    for tensor in (*proto.graph.initializer, *attributes):
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f" and np.isnan(values).any():
            raise ArtifactError("The model's graph has weights that are no numbers.", hint="Do not use this model.")


def _refuse_shapes(said: dict[str, Any], n_classes: int, head: list[int] | None) -> None:
    """Refuses answers of other shapes than the rest of the program relies on."""
    d = said["features"].shape[0] if "features" in said and said["features"].ndim == 1 else 0
    if head is not None and head[1] != d:
        d = 0
    fitting = {
        "probs": (n_classes,),
        "logits": (n_classes,),
        "unknown_score": (),
        "features": (d,),
        "feature_map": (d, *said["feature_map"].shape[1:3]) if "feature_map" in said else (),
        "imagenet_logits": (1000,),
    }
    if any(values.shape != fitting[name] or not values.size for name, values in said.items()):
        raise ArtifactError("The model's graph answers in another form than ours.", hint="Do not use this model.")


if __name__ == "__main__":
    main()

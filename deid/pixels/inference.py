"""Neural networks, of the package rapidocr and our own, run on one thread of the processor.

Nothing is ever downloaded, and a network that is not the one that was tested is not run.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from deid.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Blob = NDArray[np.float32]

LARGE: Final = 3 << 18  # pixels; as many are worth a plan of their own, and rest before and after
# The precision is the processor's own: numbers of 16 bits (bfloat16) where it computes with these, which takes half of
# the time. As much text is found either way.
_SETTINGS: Final = {
    "INFERENCE_NUM_THREADS": 1,  # the processes of a pool share the cores already
    "NUM_STREAMS": 1,
    "ENABLE_CPU_PINNING": False,
    "CPU_RUNTIME_CACHE_CAPACITY": 0,  # it would keep memory for each size of picture that it has seen
}


class Network:
    """One network, for inputs of any size."""

    _ran: ClassVar[list[Any]] = []  # those, of all networks, that ran since the last rest and so keep memory

    def __init__(self, content: bytes) -> None:
        """Of a file in ONNX."""
        self._core = _openvino().Core()
        self._model = self._core.read_model(content, b"")
        _rewrite_enlargements(self._model)
        self._any = self._compiled(self._model)
        self._shape: tuple[int, ...] = ()
        self._planned: Any = None  # for inputs of that shape

    def run(self, blob: Blob) -> Blob:
        """The first output, of a batch of one."""
        network = self._for(blob.shape) if blob[0, 0].size >= LARGE else self._any
        request = network.create_infer_request()  # one that stays would keep its input
        if network not in Network._ran:
            Network._ran.append(network)
        return np.array(request.infer(blob, share_inputs=True)[0][0], np.float32)

    @staticmethod
    def rest() -> None:
        """Give back the memory that all networks keep from input to input: taking it anew for each is slow.

        Only one thread of a process has networks.
        """
        while Network._ran:
            Network._ran.pop().release_memory()
        with suppress(AttributeError):  # of glibc; without it what is free between things in use stays with the process
            ctypes.CDLL(None).malloc_trim(0)

    def says(self, name: str) -> str:
        """What the file says of the network under this name."""
        return str(self._model.get_rt_info(["framework", name]).value)

    def _for(self, shape: tuple[int, ...]) -> Any:  # noqa: ANN401 - openvino's types do not pass mypy --strict
        """Compiled for one shape, which takes half of the memory; most frames of an object have the same one."""
        if self._shape != shape:
            self.rest()
            self._planned, self._shape = None, ()  # it may be that the next plan cannot be made
            model = self._model.clone()  # which shares the weights
            model.reshape(list(shape))
            self._planned, self._shape = self._compiled(model), shape
        return self._planned

    def _compiled(self, model: Any) -> Any:  # noqa: ANN401 - as above
        return self._core.compile_model(model, "CPU", _SETTINGS)


def _rewrite_enlargements(model: Any) -> None:  # noqa: ANN401 - as above
    """Make of each pixel several with a plain convolution, of which the planes are then laid out beside each other.

    The sums are the same as those of a transposed one without overlap, which takes a tenth of a detector's time.
    """
    operators = _openvino().opset13
    for node in model.get_ordered_ops():
        if node.get_type_name() != "ConvolutionBackpropData":
            continue
        weights = node.input_value(1).get_node()
        inside, _, step, wide = weights.get_output_shape(0)
        plain = {"strides": [step, wide], "dilations": [1, 1]}
        plain |= {"pads_begin": [0, 0], "pads_end": [0, 0], "output_padding": [0, 0]}
        is_plain = step == wide and plain.items() <= node.get_attributes().items()
        if weights.get_type_name() != "Constant" or not is_plain:
            continue
        weight = np.array(weights.data).transpose(1, 2, 3, 0).reshape(-1, inside, 1, 1)
        planes = operators.convolution(node.input_value(0), operators.constant(weight), [1, 1], [0, 0], [0, 0], [1, 1])
        enlarged = operators.depth_to_space(planes, "depth_first", step)
        for user in node.output(0).get_target_inputs():
            user.replace_source_output(enlarged.output(0))
    model.validate_nodes_and_infer_types()


def map_of(network: Callable[[], Network], blob: Blob) -> Blob:
    """What a detector's network says of each place in a picture, 0 to 1. Raises Rejected where it says nothing.

    It is loaded here, for a model that cannot be read is no reason to try again later: nobody has looked.
    """
    try:
        found = np.asarray(network().run(blob)[0], np.float32)
    except Rejected:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, nobody has looked at this object
        raise Rejected(f"the text detector failed ({type(error).__name__})") from None
    if not np.isfinite(found).all():  # no number is greater than a threshold, as where nothing is written
        raise Rejected("the text detector failed: it gives no numbers")
    return found


@cache
def _openvino() -> Any:  # noqa: ANN401 - as above
    # It brings a package that gives this machine an identifier, in the user's home, and tells its maker what is done
    # with its tools. Without that package they do the same and tell nobody.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # how Python is told that it is missing
    import openvino  # noqa: PLC0415 - most objects need no network

    return openvino


def content_of(model: str, sha256: str) -> bytes:
    """A model of rapidocr's. Raises Rejected where it is missing or not the one that was tested."""
    spec = find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise Rejected("the text detector is missing: install the package rapidocr, then retry")
    content = (Path(spec.submodule_search_locations[0]) / model).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise Rejected(
            "the model of the text detector is not the one that was tested: install rapidocr 3.10, then retry"
        )
    return content

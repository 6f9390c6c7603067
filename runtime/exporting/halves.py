"""Which precisions ONNX Runtime has kernels for on this machine: asked before a run trains for hours."""

from __future__ import annotations

from ...compiler.ir.model import Spec


def without_kernels(spec: Spec) -> list[str]:
    """The precisions of a spec's exports in which ONNX Runtime cannot run a matrix product here. Imports ONNX only where there
    is one to ask about: f32 and f16 run everywhere."""
    wanted = dict.fromkeys(export.precision for export in spec.recipe.exports if export.precision == "bf16")
    return [precision for precision in wanted if not _multiplies()]


def _multiplies() -> bool:
    """Whether a product of bf16 matrices loads."""
    import onnx
    import onnxruntime

    names = ("x", "y", "z")
    x, y, z = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.BFLOAT16, [1, 1]) for name in names)
    graph = onnx.helper.make_graph([onnx.helper.make_node("MatMul", ["x", "y"], ["z"])], "product", [x, y], [z])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=10)
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:  # noqa: BLE001 - its own classes, which differ between versions
        return False
    return True

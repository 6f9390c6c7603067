"""`--emit summary`: the layer table, totals and the memory estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..compiler.analysis.summary import Summary

HEADER = ("path", "operator", "output", "parameters", "FLOPs")


def text(summary: Summary) -> list[str]:
    """The table as lines; `x12` behind an operator: that many equal ones."""
    rows: list[tuple[str, ...]] = [HEADER]
    for row in summary.rows:
        operator = f"{row.operator} x{row.count:,}" if row.count > 1 else row.operator
        rows.append((row.path, operator, row.output, f"{row.parameters:,}", amount(row.flops)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = [summary.model]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=False)]
        cells += [cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True)]
        lines.append(("  " + "  ".join(cells)).rstrip())
    sizes = ", ".join(f"{name} = {size:,}" for name, size in summary.sizes.items())
    buffers = f" and {summary.buffers:,} in buffers" if summary.buffers else ""
    memories = (
        f"{memory(summary.weight_bytes)} weights",
        f"{memory(summary.training_bytes)} with gradients and AdamW's moments",
        f"{memory(summary.activations)} activations an example",
    )
    lines += [
        "",
        f"parameters  {summary.parameters:,}{buffers}",
        f"FLOPs       {amount(summary.flops)} forward ({sizes}; a multiply-add is two)",
        f"memory      {', '.join(memories)}",
    ]
    return lines


def as_json(summary: Summary) -> dict[str, Any]:
    """The same as data."""
    return {
        "model": summary.model,
        "parameters": summary.parameters,
        "buffers": summary.buffers,
        "flops": summary.flops,
        "sizes": summary.sizes,
        "memory": {
            "weights": summary.weight_bytes,
            "training": summary.training_bytes,
            "activations": summary.activations,
        },
        "layers": [
            {
                "path": row.path,
                "operator": row.operator,
                "output": row.output,
                "count": row.count,
                "parameters": row.parameters,
                "flops": row.flops,
            }
            for row in summary.rows
        ],
    }


def amount(number: int) -> str:
    """`12.3 G`, with three digits."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            return f"{number / size:.3g} {unit}" if number < 1000 * size else f"{number / size:,.0f} {unit}"
    return str(number)


def memory(count: int) -> str:
    """`29.9 GiB`."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count} B"

"""E06xx: files that cannot be written or read. They are about a command's files, not about a spec."""

from __future__ import annotations

from ..dataclass import dataclass
from . import programs
from .diagnostics import Diagnostic, Helps
from .explanation import Explanation
from .source import Span


@dataclass(frozen=True)
class RefusedPath:
    """A path that is not written to. A spec that names it has a place, other files have none."""

    message: str
    label: str
    helps: Helps

    def at(self, span: Span) -> Diagnostic:
        return Diagnostic("E0604", self.message, span, self.label, helps=self.helps)


def outside(name: str, where: str) -> RefusedPath:
    return RefusedPath(
        f"`{name}` is outside {where}",
        "not written there",
        ("use a path below it, or name the file on the command line: `-o FILE`",),
    )


def not_ours(path: str) -> RefusedPath:
    return RefusedPath(
        f"`{path}` already exists, and dlc did not write it",
        "would be replaced",
        ("name another file, or replace this one: `-o FILE`",),
    )


def outside_name(span: Span, name: str) -> Diagnostic:
    """The warning of a check: the command line may still name another file."""
    return Diagnostic(
        "W0410",
        f"`{name}` is outside the directory that `dlc export` writes to",
        span,
        "refused without `-o`",
        helps=("use a path below the current directory, or give `dlc export` the file with `-o`",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0601": Explanation(
            "a directory or file that another process is writing",
            "One process at a time trains in a run directory or exports to a file. The lock is the operating system's: it is free\n"
            "as soon as that process ends, however it ends.",
            when="dlc train",
            example=programs.IN_USE,
        ),
        "E0602": Explanation(
            "a file that the disk refuses",
            "The message names the file, the reason and the space that is left. Nothing half-written stays: a run keeps its last\n"
            "checkpoint, and `dlc train FILE --resume` continues from it.",
            when="dlc train",
            example=programs.NOT_WRITTEN,
        ),
        "E0603": Explanation(
            "a damaged file",
            "A file of a run, or the metadata of an ONNX file, is cut short or does not hold what dlc writes\n"
            "there. Nothing of it is used.",
            when="dlc predict",
            example=programs.DAMAGED,
        ),
        "E0604": Explanation(
            "an output outside its folder, or over a file that dlc did not write",
            "A spec may come from elsewhere, so what it names is written below the current directory (or the run) only, and never over\n"
            "your files. `-o FILE` on the command line is your own word: it writes anywhere and replaces.",
            when="dlc export",
            example=programs.NOT_OURS,
        ),
        "E0605": Explanation(
            "a file of another version of dlc",
            "`ir.json` of a run names the version of dlc that wrote it. Another version opens it as long as it reads as a legal IR there. If\n"
            "it does not, the spec in the run is still good: `dlc build RUN/spec.dlspec --emit ir -o RUN` writes `ir.json`\n"
            "again, and the weights, which are found by the paths of the spec, fit it.",
            when="dlc evaluate",
            example=programs.OTHER_VERSION,
        ),
        "E0606": Explanation(
            "weights that hold NaN or infinity",
            "A model with such a weight answers NaN whatever it is given, and a training that begins with it cannot improve it. The\n"
            "message names each tensor and how many of its numbers are not finite. Infinity is allowed in buffers, where a mask may be kept.\n"
            'Use a checkpoint from before the training diverged, or leave the tensors out: `weights = file("..", skip = ["NAME"])`.',
            when="dlc train",
            example=programs.NOT_FINITE,
        ),
        "E0607": Explanation(
            "an argument or a file that cannot be used",
            "A run, a file, a split or an option that a command names is not there, or is not of the kind that the command needs. The\n"
            "message shows what was found and what to name instead; nothing was changed.",
            when="dlc predict",
            example=programs.UNUSABLE,
        ),
        "E0608": Explanation(
            "a training that diverged",
            "The loss became NaN or infinite. The message names the step, and the weights that the run still holds. A smaller learning\n"
            "rate, a warm-up or `clip = norm(1.0)` is what most often helps.",
            when="dlc train",
            example=programs.DIVERGED,
        ),
        "E0609": Explanation(
            "an exported file that disagrees with the model",
            "ONNX Runtime and PyTorch were given the same inputs and differ by more than the limit, so no file was written. In half precision\n"
            "the reason is most often a number beyond its range; in f32 it is a fault of dlc, which we want to know.",
            when="dlc export",
            example=programs.DISAGREES,
        ),
        "E0610": Explanation(
            "a failure while it runs",
            "The machine has too little memory, ONNX Runtime cannot compute a file, or an edited file of a run raises an exception. The\n"
            "message names the cause; what was saved before stays as it is.",
            when="dlc train",
            example=programs.FAILED,
        ),
        "W0410": Explanation(
            "an export outside the current directory",
            "`dlc export` refuses a path that leads out of the current directory (or of the run) unless `-o` names the file.",
            programs.DIGITS + programs.EXPORT.replace("m.onnx", "../m.onnx"),
            programs.DIGITS + programs.EXPORT,
        ),
    }

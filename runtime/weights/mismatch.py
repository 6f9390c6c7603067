"""The message about weights that do not fit: both sides counted and sampled, and the likeliest remedy."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ...compiler.ir.globs import glob
from ...compiler.messages.diagnostics import Diagnostic
from ...compiler.messages.names import near
from ...compiler.messages.source import Span
from . import mistakes
from .other_sizes import settings
from .plan import Misfit, Missing, Mistakes, WeightPlan

SHOWN = 4  # names of a list

#: Names that a family's checkpoints have, all of them: only a file with all of them "looks like" one.
FAMILIES: dict[str, tuple[str, ...]] = {
    "a ResNet (torchvision)": ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer4.*.bn2.running_var"),
    "a VGG (torchvision)": ("features.0.weight", "features.*.bias", "classifier.6.weight"),
    "a MobileNet or EfficientNet (torchvision)": ("features.0.0.weight", "features.*.block.0.0.weight"),
    "a ViT (timm)": ("cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.0.attn.qkv.weight"),
    "a ViT (torchvision)": ("class_token", "conv_proj.weight", "encoder.layers.encoder_layer_0.**"),
    "a ViT (transformers)": ("**.cls_token", "**.patch_embeddings.projection.weight", "**.layernorm_before.weight"),
    "a GPT-2 (transformers)": ("**.wte.weight", "**.wpe.weight", "**.h.0.attn.c_attn.weight"),
    "a BERT (transformers)": ("**.word_embeddings.weight", "**.layer.0.attention.self.query.weight"),
    "a Llama (transformers)": ("**.embed_tokens.weight", "**.0.self_attn.q_proj.weight", "**.0.mlp.gate_proj.weight"),
    "a torch.nn.Transformer": ("**.layers.0.self_attn.in_proj_weight", "**.layers.0.linear1.weight"),
}


def diagnostic(made: WeightPlan, span: Span, where: str, named: Mapping[str, int] | None = None) -> Diagnostic:
    """E0405 for a plan that is not total. `where` names the foreign side, `named` are the model's settings that are whole numbers."""
    wrong = made.mistakes
    counted = (
        (wrong.missing, f"{_of(wrong.missing, f'our {len(made.ours)}', 'has', 'have')} no source"),
        (wrong.misfits, f"{_count(wrong.misfits, 'tensor has', 'tensors have')} another shape"),
        (wrong.unused, f"{_of(wrong.unused, f'its {len(made.foreign)}', 'is', 'are')} unused"),
        (wrong.partly, f"{_count(wrong.partly, 'tensor is', 'tensors are')} used only in part"),
        (wrong.doubled, f"{_count(wrong.doubled, 'name', 'names')} there twice once the prefix is stripped"),
        (wrong.idle, f"{_count(wrong.idle, 'pattern', 'patterns')} of `skip` without a match"),
    )
    notes = (
        _listed("without a source", map(_missing, wrong.missing)),
        _listed("another shape", map(_misfit, wrong.misfits)),
        _listed("unused", (f"`{name}` {list(made.foreign[name])}" for name in wrong.unused)),
        _listed("used in part", (f"`{name}` {list(made.foreign[name])}" for name in wrong.partly)),
        _listed("there twice", (f"`{name}`" for name in wrong.doubled)),
        _listed("without a match", (f'"{pattern}"' for pattern in wrong.idle)),
        _resemblance(made),
    )
    summary = ", ".join(text for names, text in counted if names)
    first, *others = _helps(made, named or {})
    return mistakes.does_not_fit(span, where, summary, [note for note in notes if note], (first, *others))


def looks_like(names: Collection[str]) -> str | None:
    """The family whose telltale names are all among these; None when that is not one."""
    found = [
        family
        for family, patterns in FAMILIES.items()
        if all(any(glob(pattern).matches(name) for name in names) for pattern in patterns)
    ]
    return found[0] if len(found) == 1 else None


def _resemblance(made: WeightPlan) -> str:
    theirs, ours = looks_like(made.foreign), looks_like(made.ours)
    return f"its names look like those of {theirs}" if theirs and theirs != ours else ""


def _count(items: Sequence[object], one: str, several: str) -> str:
    return f"{len(items)} {one if len(items) == 1 else several}"


def _of(items: Sequence[object], all_: str, one: str, several: str) -> str:
    return f"{len(items)} of {all_} tensors {one if len(items) == 1 else several}"


def _listed(what: str, items: Iterable[str]) -> str:
    names = list(items)
    if not names:
        return ""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{what}: {', '.join(names[:SHOWN])}{more}"


def _missing(item: Missing) -> str:
    wanted = [name for name in item.wanted if name != item.ours]
    return f"`{item.ours}` {list(item.shape)}" + (f" (from `{'`, `'.join(wanted)}`)" if wanted else "")


def _misfit(item: Misfit) -> str:
    if item.found is None:
        return f"`{item.ours}`: {item.why}"
    there = f" in `{item.theirs[0]}`" if item.theirs != (item.ours,) else " there"
    return f"`{item.ours}` is {list(item.found)}{there}, {list(item.shape)} here"


# ---- remedies, the likeliest first ---------------------------------------------------------------------------------------------


def _helps(made: WeightPlan, named: Mapping[str, int]) -> Iterator[str]:
    wrong = made.mistakes
    head = _parents([item.ours for item in (*wrong.misfits, *wrong.missing)])
    only_head = bool(head) and len(head) <= 2 and len(wrong.misfits) + len(wrong.missing) < len(made.ours)
    if not only_head and _other_sizes(made):
        given = settings(made, named)
        as_there = f": `{' '.join(given)}` on the command line" if given else " that it was trained with"
        yield f"names are equal, sizes differ: give the model the settings of the file{as_there}"
        if not wrong.misfits or given:
            return
    if len(wrong.missing) + len(wrong.unused) + len(wrong.misfits) > 0:
        yield from _prefix(wrong)
        yield from _transposed(wrong)
        yield from _near(made)
    if only_head:
        yield f"`skip = [{_quoted(head)}]` leaves these as initialised"
    elif wrong.unused and not wrong.missing and not wrong.misfits:
        yield f"`skip = [{_quoted(_generalised(wrong.unused))}]` leaves them out; in a weight map, `ignore = [..]`"
    elif wrong.missing or wrong.misfits:
        yield "`dlc import-weights SPEC FILE --suggest` proposes a weight map"
    if wrong.partly:
        yield "slices of one tensor have to meet: `[:512]`, `[512:]`"
    if wrong.doubled:
        yield "leave `strip` out, and write a rule for each of the two names"
    if wrong.idle:
        yield "remove these patterns from `skip`, or give them a name that the model has"


def _other_sizes(made: WeightPlan) -> bool:
    """Whether the file is of the same model with other sizes or counts of layers."""
    wrong = made.mistakes
    resized = [m for m in wrong.misfits if m.found and len(m.found) == len(m.shape) and m.found != m.shape[::-1]]
    if any(number for number in (wrong.partly, wrong.doubled, wrong.idle)) or len(resized) < len(wrong.misfits):
        return False
    ours, theirs = ({re.sub(r"(?<=\.)\d+(?=\.)", "*", name) for name in names} for names in (made.ours, made.foreign))
    left = {item.ours for item in wrong.missing} | set(wrong.unused)
    return (bool(resized) or bool(left)) and ours == theirs


def _prefix(wrong: Mistakes) -> Iterator[str]:
    """A prefix that only one side has."""
    missing = {item.wanted[0] if item.wanted else item.ours for item in wrong.missing}
    for prefix in _prefixes(wrong.unused):
        if 2 * len(missing & {name.removeprefix(prefix) for name in wrong.unused}) > len(missing):
            yield f'their names begin with "{prefix}": a weight map drops it with `strip = "{prefix}"`'
            return
    unused = set(wrong.unused)
    for prefix in _prefixes(sorted(missing)):
        if 2 * len(unused & {name.removeprefix(prefix) for name in missing}) > len(unused):
            yield f'our names begin with "{prefix}": write a weight map: `"{prefix}**" <- "**"`'
            return


def _prefixes(names: Sequence[str]) -> Iterator[str]:
    """The first and first two segments of the names that occur most."""
    for length in (1, 2):
        counts: dict[str, int] = {}
        for name in names:
            parts = name.split(".")
            if len(parts) > length:
                prefix = ".".join(parts[:length]) + "."
                counts[prefix] = counts.get(prefix, 0) + 1
        if counts:
            yield max(counts, key=counts.__getitem__)


def _transposed(wrong: Mistakes) -> Iterator[str]:
    turned = [m for m in wrong.misfits if m.found and m.found == m.shape[::-1] and len(m.theirs) == 1]
    if turned and len(turned) == len(wrong.misfits):
        yield f'they are stored transposed: `"{turned[0].ours}" <- "{turned[0].theirs[0]}".T` in a weight map'


def _near(made: WeightPlan) -> Iterator[str]:
    wrong = made.mistakes
    for item in wrong.missing[:2]:
        same = [name for name in wrong.unused if made.foreign[name] == item.shape]
        found = near(item.ours, same, 1)
        if found:
            yield f"`{item.ours}` may be `{found[0]}` there, of the same shape"


def _parents(paths: Iterable[str]) -> list[str]:
    """Globs of the layers that own these."""
    return list(dict.fromkeys(f"{path.rpartition('.')[0]}.**" if "." in path else path for path in paths))


def _generalised(names: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(re.sub(r"(?<=\.)\d+(?=\.)", "*", name) for name in names))
    return found if len(found) <= SHOWN else _parents(found)[:SHOWN]


def _quoted(patterns: Sequence[str]) -> str:
    return ", ".join(f'"{pattern}"' for pattern in patterns)

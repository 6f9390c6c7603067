"""What `data` may do to a record, one entry a transform, each with its rule on the record's type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

from ..ir.data import Classes, ItemType
from ..sizes.dims import Size
from ..sizes.types import is_float
from .entry import (
    Bool,
    Count,
    Entry,
    Fill,
    Float,
    Ints,
    Jitter,
    MaybeChannels,
    MaybeFactors,
    MaybeFloat,
    MaybeInt,
    MeanOrName,
    Names,
    Natural,
    NotNegative,
    Odd,
    Path,
    Ratio,
    Scale,
    Share,
    Table,
)

#: A step back from what a transform gives: x * scale + shift (numbers, or nested lists that broadcast over a record), or a
#: function of NumPy.
Undo: TypeAlias = "tuple[str, Any, Any] | tuple[str]"


class Unsuited(Exception):
    """The transform does not apply to this item; `needs` says to what it does."""

    def __init__(self, needs: str) -> None:
        super().__init__(needs)
        self.needs = needs


class Transform(Entry):
    """Base. `fitted`: learns something from the train split. `random`: draws, so only in training does it make sense.
    `members`: applies to each member of a record with one draw."""

    fitted: ClassVar[bool] = False
    random: ClassVar[bool] = False
    members: ClassVar[bool] = True

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        """The type after the transform; raises Unsuited."""
        raise NotImplementedError(cls.name)

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        """How predicted numbers after the transform become numbers before it: `dlc predict` answers in the units of the data.

        `item` is what the transform gave. () where units do not change (places, sizes, holes filled); None where there is no
        way back.
        """
        return None


def _tensor(item: ItemType, what: str = "numbers") -> ItemType:
    if item.kind == "column":
        return ItemType(kind="tensor", shape=item.shape)
    if item.kind != "tensor":
        raise Unsuited(what)
    return item


def _float(item: ItemType) -> ItemType:
    return item.model_copy(update={"dtype": "f32", "classes": None})


def _shape(item: ItemType, shape: tuple[Size | None, ...] | None) -> ItemType:
    return item.model_copy(update={"shape": shape})


# ---- images ----------------------------------------------------------------------------------------------------------


class ImageTransform(Transform):
    """Base: an image `[channels, height, width]` (or a mask `[height, width]`), whose size may change."""

    #: Also for masks, or only where there are colours.
    masks: ClassVar[bool] = True
    #: The result is f32 (u8 is read as value / 255).
    to_float: ClassVar[bool] = False

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = _tensor(item, "an image")
        if item.shape is not None and len(item.shape) not in ((2, 3) if cls.masks else (3,)):
            raise Unsuited("an image [channels, height, width]")
        if item.shape is not None:
            item = _shape(item, (*item.shape[:-2], *cls.size(item.shape[-2:], args)))
        return _float(item) if cls.to_float else item

    @classmethod
    def size(cls, size: tuple[Size | None, ...], args: dict[str, Any]) -> tuple[Size | None, ...]:
        return size

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class _Cropped(ImageTransform):
    @classmethod
    def size(cls, size: tuple[Size | None, ...], args: dict[str, Any]) -> tuple[Size | None, ...]:
        return args["n"], args["n"]


class Resize(ImageTransform):
    """Scales so that the short edge is `n`."""

    n: Count

    @classmethod
    def size(cls, size: tuple[Size | None, ...], args: dict[str, Any]) -> tuple[Size | None, ...]:
        height, width = size
        return (args["n"], args["n"]) if height is not None and height == width else (None, None)


class CenterCrop(_Cropped):
    """The square of `n` in the middle; zeros where the image is smaller."""

    n: Count


class RandomCrop(_Cropped):
    """A square of `n` at a random place; zeros where the image is smaller."""

    random = True
    n: Count


class RandomResizedCrop(_Cropped):
    """A random part (of area `scale` and aspect `ratio`), scaled to a square of `n`."""

    random = True
    n: Count
    scale: Scale = (0.08, 1.0)
    ratio: Ratio = (0.75, 4 / 3)


class Hflip(ImageTransform):
    """Mirrors left and right with probability `p`."""

    random = True
    p: Share = 0.5


class Vflip(ImageTransform):
    """Mirrors top and bottom with probability `p`."""

    random = True
    p: Share = 0.5


class Shift(ImageTransform):
    """Moves by up to `n` pixels in both directions, at random; zeros come in."""

    random = True
    n: Count


class Rotate(ImageTransform):
    """Turns by up to `degrees` at random."""

    random = True
    degrees: NotNegative


class Affine(ImageTransform):
    """Turns, moves (as a share of the size), scales and shears at random."""

    random = True
    degrees: NotNegative = 0.0
    translate: Share = 0.0
    scale: MaybeFactors = None
    shear: NotNegative = 0.0


class Blur(ImageTransform):
    """Gaussian blur with an odd kernel."""

    kernel: Odd


class Noise(ImageTransform):
    """Adds normal noise."""

    random = True
    to_float = True
    std: NotNegative


class Erase(ImageTransform):
    """Sets a random rectangle to 0 with probability `p`."""

    random = True
    p: Share = 0.5


class ColorJitter(ImageTransform):
    """Changes brightness, contrast and saturation by up to these shares."""

    random = True
    masks = False
    to_float = True
    brightness: Jitter = 0.0
    contrast: Jitter = 0.0
    saturation: Jitter = 0.0


class RandAugment(ImageTransform):
    """`n` random operations of strength `magnitude` (Cubuk et al., 2019)."""

    random = True
    masks = False
    n: Count = 2
    magnitude: Natural = 9


class Rgb(ImageTransform):
    """A gray image as a colour image: its channel three times. One with three channels stays as it is."""

    masks = False

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = super().infer(item, args)
        if item.shape is None:
            return item
        if item.shape[0] not in (1, 3, None):
            raise Unsuited("an image of one or three channels")
        return _shape(item, (3, *item.shape[1:]))


class Normalize(ImageTransform):
    """(x - mean) / std a channel; u8 is read as value / 255. `normalize("imagenet")` has ImageNet's figures."""

    to_float = True
    mean: MeanOrName
    std: MaybeChannels = None

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = _tensor(item, "an image or numbers")
        for values in (args["mean"], args["std"]):
            if isinstance(values, tuple) and item.shape:
                channels = item.shape[0] if len(item.shape) == 3 else item.shape[-1]
                if isinstance(channels, int) and channels != len(values):  # pyright: ignore[reportUnknownArgumentType]
                    raise Unsuited(f"{len(values)} channels, one a number")  # pyright: ignore[reportUnknownArgumentType]
        return _float(item)

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if (args["mean"] == "imagenet") == (args["std"] is None):
            return None
        return 'write `"imagenet"`, or a mean and a std'

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        if args["mean"] == "imagenet":
            return None
        std, mean = (_by_channel(args[name], item) for name in ("std", "mean"))
        return (("affine", std, mean),)


def _by_channel(values: Any, item: ItemType) -> Any:
    """One number a channel, so that it broadcasts over an image [channels, height, width]."""
    if isinstance(values, tuple) and item.shape is not None and len(item.shape) == 3:
        return [[[value]] for value in values]  # pyright: ignore[reportUnknownVariableType]
    return values  # pyright: ignore[reportUnknownVariableType]


class ScaleBy(Transform):
    """Multiplies the raw values."""

    name = "scale"
    k: Float

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        return _float(item if item.kind == "stream" else _tensor(item))

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return (("affine", 1 / args["k"], 0.0),) if args["k"] else None


class Threshold(Transform):
    """1 where the value is above `v`, else 0."""

    v: Float

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        return _tensor(item).model_copy(update={"dtype": "i64", "classes": Classes(count=2)})


# ---- tables ----------------------------------------------------------------------------------------------------------


class _Numeric(Transform):
    """Base: numbers become floats; a stream of numbers stays one."""

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        return _float(item if item.kind == "stream" else _tensor(item))


class Standardize(_Numeric):
    """(x - mean) / std; mean and std from the train split, for each number of a record by itself. A stream has one mean
    and one std."""

    fitted = True

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return (("affine", learned["std"], learned["mean"]),) if learned else None


class Impute(_Numeric):
    """Fills missing numbers by the train split's mean or median, or by a value."""

    fitted = True
    value: Fill

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Clip(_Numeric):
    """Cuts to [min, max]."""

    min: MaybeFloat = None
    max: MaybeFloat = None

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        low, high = args["min"], args["max"]
        return "`min` is above `max`" if low is not None and high is not None and low > high else None

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Log1p(_Numeric):
    """log(1 + x)."""

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return (("expm1",),)


class OneHot(Transform):
    """A number below `n` as a vector with a single 1."""

    n: Count

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = _tensor(item, "whole numbers")
        if item.dtype is not None and is_float(item.dtype):
            raise Unsuited("whole numbers")
        shape = None if item.shape is None else (*item.shape, args["n"])
        return ItemType(kind="tensor", dtype="f32", shape=shape)


class Category(Transform):
    """The number of a name: its place in the list, or in the sorted names of the train split."""

    variadic = "names"
    fitted = True
    names: Names = ()

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind not in ("column", "text"):
            raise Unsuited("names: a column of a table")
        names = args["names"]
        classes = Classes(count=len(names), names=names) if names else Classes()
        return ItemType(kind="tensor", dtype="i64", shape=(), classes=classes)

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return "a name is given twice" if len(set(args["names"])) != len(args["names"]) else None


# ---- text and streams ------------------------------------------------------------------------------------------------


def _text(item: ItemType) -> None:
    if item.kind not in ("text", "column"):
        raise Unsuited("a text")


_IDS = ItemType(kind="tensor", dtype="i64", shape=(None,))


class Lower(Transform):
    """Lower case."""

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return ItemType(kind="text")


class Words(Transform):
    """The words of a text: runs of letters, digits and apostrophes, and each other sign by itself."""

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return ItemType(kind="words")


class Chars(Transform):
    """The characters of a text, each by itself, spaces included."""

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return ItemType(kind="words")


class Vocab(Transform):
    """Numbers of words or characters: 0 padding, 1 unknown, then the most frequent of the train split, `size` in all.

    `bos` and `eos` are numbers put before and after every text. Words begin behind them, or at `first`: what lies between
    is free, for the number that `mlm_mask` writes, say.
    """

    fitted = True
    size: Count
    min_count: Count = 1
    bos: MaybeInt = None
    eos: MaybeInt = None
    first: MaybeInt = None

    @classmethod
    def first_word(cls, args: Mapping[str, Any]) -> int:
        """The number of the most frequent word."""
        marks = [args[name] for name in ("bos", "eos") if args.get(name) is not None]
        return max(2, args.get("first") or 0, *(mark + 1 for mark in marks))

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind != "words":
            raise Unsuited("words or characters (`-> words -> vocab(..)`)")
        return _IDS

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        for name in ("bos", "eos", "first"):
            if args[name] is not None and args[name] < 2:
                return f"`{name}` must be at least 2: 0 is padding and 1 an unknown word"
        first = args["first"]
        for name in ("bos", "eos"):
            if first is not None and args[name] is not None and args[name] >= first:
                return f"`{name} = {args[name]}` is the number of a word: words start at {first}"
        if args["size"] <= cls.first_word(args):
            return f"{args['size']} numbers leave none for words: words start at {cls.first_word(args)}"
        return None


class Bpe(Transform):
    """Byte-pair tokens by a `tokenizer.json`, with the given numbers put before and after."""

    extra = "text"
    path: Path
    bos: MaybeInt = None
    eos: MaybeInt = None

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return _IDS


class Wordpiece(Transform):
    """WordPiece tokens by a vocabulary file; `pairs`: two sentences with segment numbers (`.ids`, `.segments`)."""

    extra = "text"
    path: Path
    max: Count = 512
    pairs: Bool = False

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return ItemType(kind="record", members={"ids": _IDS, "segments": _IDS}) if args["pairs"] else _IDS


class MlmMask(Transform):
    """Hides a share `p` of the tokens: `.ids` has them replaced, `.labels` is -100 where nothing is asked."""

    random = True
    p: Share
    mask: Natural
    random_: Share = 0.1
    keep: Share = 0.1
    special: Ints = ()

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind != "tensor" or item.dtype not in (None, "i64"):
            raise Unsuited("tokens")
        return ItemType(kind="record", members={"ids": item, "labels": item})


class _Sequence(Transform):
    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind == "words":
            return item
        if item.kind == "stream":
            raise Unsuited("a record's sequence; cut a stream with `random_window(n)` or `window(n, stride)` first")
        item = _tensor(item, "a sequence")
        if item.shape == ():
            raise Unsuited("a sequence")
        return item if item.shape is None else _shape(item, (cls.length(item.shape[0], args), *item.shape[1:]))

    @classmethod
    def length(cls, length: Size | None, args: dict[str, Any]) -> Size | None:
        return length

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Truncate(_Sequence):
    """Keeps the first `n`."""

    n: Count

    @classmethod
    def length(cls, length: Size | None, args: dict[str, Any]) -> Size | None:
        return min(length, args["n"]) if isinstance(length, int) else None


class Pad(_Sequence):
    """Fills up with `v` to the longest of the micro-batch. Stands last."""

    v: Float


class RandomWindow(Transform):
    """Windows of `n` from a stream: at random in training, in order without overlap in evaluation."""

    random = True
    n: Count

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind != "stream":
            raise Unsuited("a stream")
        return ItemType(kind="tensor", dtype=item.dtype, shape=(args["n"],))

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Window(Transform):
    """Windows of `n` from a stream, one every `stride`, in order."""

    n: Count
    stride: Count

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        return RandomWindow.infer(item, args)

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


TRANSFORMS = Table(
    "a transform",
    Resize,
    CenterCrop,
    RandomCrop,
    RandomResizedCrop,
    Hflip,
    Vflip,
    Shift,
    Rotate,
    Affine,
    Blur,
    Noise,
    Erase,
    ColorJitter,
    RandAugment,
    Rgb,
    Normalize,
    ScaleBy,
    Threshold,
    Standardize,
    Impute,
    Clip,
    Log1p,
    OneHot,
    Category,
    Lower,
    Words,
    Chars,
    Vocab,
    Bpe,
    Wordpiece,
    MlmMask,
    Truncate,
    Pad,
    RandomWindow,
    Window,
)

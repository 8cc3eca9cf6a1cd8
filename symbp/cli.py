"""The command line: `symbp derive`, `symbp check`, `symbp data`, `symbp doctor`.

Exit codes: 0 done, 1 a check failed, 2 the input is at fault (one paragraph on stderr), 130 interrupted.
"""
from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symbp import __version__
from symbp.errors import DivergedError, SymbpError
from symbp.suggest import nearest

if TYPE_CHECKING:
    from symbp.certify.result import CheckReport
    from symbp.derivation import Derivation
    from symbp.report.write import Written
    from symbp.run import Result
    from symbp.verify.audit import Audit

FORMATS = ("pdf", "html", "tex", "md", "json")
VERDICTS = ("text", *FORMATS)


class _Parser(argparse.ArgumentParser):
    """Mistakes on the command line are one paragraph, too."""

    def error(self, message: str) -> None:
        """Raise what `main` prints."""
        raise SymbpError(f"{message}; `{self.prog} --help` lists what there is")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    if arguments is None:
        gc.set_threshold(200_000, 20, 20)  # most of what is made lives as long as the process: garbage is looked for less often
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        options = _parser().parse_args(arguments)
        code = options.run(options)
        sys.stdout.flush()
        if arguments is None:
            gc.freeze()  # the process ends: no last search for garbage among all expressions
        return code
    except DivergedError as error:
        return _fail(str(error), 1)
    except SymbpError as error:
        return _fail(str(error))
    except RecursionError:
        return _fail("the expressions are nested too deeply for Python's recursion limit; write them as several equations")
    except KeyboardInterrupt as error:
        return _interrupted(*error.args)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _fail(message: str, code: int = 2) -> int:
    """Print one paragraph on stderr."""
    from symbp.report.text import visible
    print(f"symbp: {visible(' '.join(message.split()))}", file=sys.stderr)
    return code


def _interrupted(folder: str = "") -> int:
    """Say so, and how the run in a folder goes on."""
    from symbp.report.text import visible
    print(f"symbp: interrupted{f'; to go on: symbp train --resume {visible(shlex.quote(folder))}' if folder else ''}", file=sys.stderr)
    return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="symbp", description="Derives backpropagation symbolically, and checks it.")
    parser.add_argument("--version", action="version", version=f"symbp {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    derive = _command(commands, "derive", _derive, "write the derivation of every gradient")
    _source(derive)
    derive.add_argument("--out", metavar="DIR", default="out", help="the folder to write into, made if missing (default: out)")
    derive.add_argument("--format", type=_formats, default=FORMATS, metavar="LIST", help=f"some of {','.join(FORMATS)} (default: all)")
    derive.add_argument("--activation-derivatives", choices=("auto", "kept", "folded"), help="print σ'(z), a(1 − a), or the shorter one")
    derive.add_argument("--no-check", action="store_true", help="leave out the checks of the gradients, and the evidence in the document")
    derive.add_argument("--facts", choices=("used", "ignored"), help="whether facts such as Σ t = 1 may be used")
    check = _command(commands, "check", _check, "check every gradient in independent ways")
    _source(check)
    check.add_argument("--seed", type=int, default=0, help="the seed of the random points (default: 0)")
    generate = _command(commands, "generate", _generate, "write a standalone training module")
    generate.add_argument("net", metavar="NET", help="a network file")
    generate.add_argument("--target", default="numpy", metavar="TARGET", help="the library: numpy or cupy (default: numpy)")
    generate.add_argument("--out", metavar="FILE.py", help="the module (default: NAME.py in this folder)")
    _training(_command(commands, "train", _train, "generate a module and train it, with figures, plots and checkpoints"))
    sample = _command(commands, "sample", _sample, "let a trained run continue a text")
    sample.add_argument("folder", metavar="RUN", help="the folder of a run whose network reads characters")
    sample.add_argument("--length", type=_count, default=400, metavar="N", help="how many characters (default: 400)")
    sample.add_argument("--seed", type=_count, default=0, metavar="N", help="the seed of all chance (default: 0)")
    sample.add_argument("--temperature", type=float, default=1.0, metavar="X", help="below 1, likely characters are likelier (default: 1)")
    sample.add_argument("--start", default="\n", metavar="TEXT", help="the text to continue (default: a new line)")
    data = _command(commands, "data", _data, "load images or a text, fetch them if need be, and keep them")
    data.add_argument("name", metavar="NAME",
                      help="digits, mnist, cifar10, pydoc_topics, any name with --data-dir, or a network file with a CSV file")
    data.add_argument("--data-dir", metavar="DIR", help="the folder with your own files: IDX, or CIFAR-10's binary version")
    data.add_argument("--out", metavar="FILE.npz", help="write the arrays into this file, not into the cache")
    data.add_argument("--plots", metavar="DIR", help="draw counts, histograms, correlations, components and samples into this folder")
    data.add_argument("--plot-format", choices=("png", "svg"), default="png", help="what kind of pictures (default: png)")
    verify = _command(commands, "verify", _verify, "say which numbers of a text are right, which are wrong, and where the first mistake is")
    verify.add_argument("claims", metavar="CLAIMS", nargs="+", help="claim files, or folders of them")
    verify.add_argument("--format", choices=VERDICTS, default="text", help="how to print the verdicts (default: text)")
    verify.add_argument("--out", metavar="FILE", help="write into this file (default: the terminal; a PDF: NAME.pdf in this folder)")
    verify.add_argument("--errata", action="store_true", help="in a document, leave out what is right")
    verify.add_argument("--run-code", action="store_true", help="run the code that the claims are about, in a process with limits")
    _check_code_options(_command(commands, "check-code", _check_code, "run a backward pass and compare it with the derived one"))
    _command(commands, "doctor", _doctor, "show what is installed")
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")
    made.set_defaults(run=run)
    made.add_argument("--json", action="store_true", help="print the answer as JSON")
    return made


def _source(command: argparse.ArgumentParser) -> None:
    command.add_argument("net", metavar="NET", help="a network file, or a formula in quotes")
    command.add_argument("--of", metavar="L", help="the tensor to differentiate (default: the loss)")
    command.add_argument("--wrt", metavar="W1", help="the tensors to differentiate by, with commas (default: all parameters)")


def _training(command: argparse.ArgumentParser) -> None:
    command.add_argument("net", metavar="NET", nargs="?", help="a network file")
    command.add_argument("--resume", metavar="DIR", help="go on with the run in this folder")
    command.add_argument("--data", metavar="NAME", help="what to train on: digits, mnist, cifar10 (default: the network file's [data])")
    command.add_argument("--data-dir", metavar="DIR", help="the folder with your own files of the data")
    counts = {"epochs": "how often to go through the data", "batch-size": "samples in a batch", "seed": "the seed of all chance"}
    for name, what in counts.items():
        command.add_argument(f"--{name}", type=_count, metavar="N", help=f"{what} (default: the network file's [train])")
    command.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/NAME)")
    command.add_argument("--no-plots", action="store_true", help="draw no pictures")
    command.add_argument("--watch", metavar="gradients", help="measure gradients and saturation by layer, and say what is wrong with them")


def _check_code_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("code", metavar="FILE::FUNCTION", help="a function, or CLASS.METHOD, in a file")
    command.add_argument("--against", metavar="NET", required=True, help="a network file")
    command.add_argument("--bind", metavar="ARGUMENT=WHAT", action="append", default=[],
                         help="what an argument is, such as theta=W1 or g=dL/dz2 (default: by its name)")
    command.add_argument("--returns", metavar="LIST", help="what is returned, with commas: L,dL/dW1,dL/db1 (default: by its names)")
    command.add_argument("--before", metavar="FUNCTION", action="append", default=[], help="a function that is called first")
    command.add_argument("--seconds", type=float, default=10.0, metavar="X", help="how long it may take (default: 10)")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 2**32 - 1:
        raise SymbpError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(n.strip() for n in text.split(",") if n.strip()))
    unknown = next((n for n in names if n not in FORMATS), None)
    if unknown is not None or not names:
        raise SymbpError(f"--format: unknown format {unknown or text!r}{nearest(unknown or '', FORMATS)}")
    return names


# derive

def _derive(options: argparse.Namespace) -> int:
    derivation, stem = _derivation(options, activation_derivatives=options.activation_derivatives, facts=options.facts)
    derivation.report()
    certificate = None if options.no_check else _certificate(derivation)
    written = derivation.write(_folder(options.out), formats=options.format, stem=stem, certificate=certificate)
    gradients = {name: derivation[name].latex() for name in derivation.wrt}
    if options.json:
        files = {name: path and str(path) for name, path in written.files.items()}
        print(json.dumps({"of": derivation.of, "gradients": gradients, "check": certificate and certificate.to_json(), "files": files,
                          "messages": list(written.messages)}, indent=2))
    else:
        _print_derived(gradients, certificate, written)
    return 0 if certificate is None or certificate.passed else 1


def _certificate(derivation: Derivation) -> CheckReport:
    """The checks of the gradients."""
    try:
        return derivation.check()
    except SymbpError as error:
        raise SymbpError(f"the gradients cannot be checked: {error}; --no-check writes them unchecked") from None


def _print_derived(gradients: dict[str, str], certificate: CheckReport | None, written: Written) -> None:
    """What was derived, how the check went (in full where it failed), and what was written."""
    for name, formula in gradients.items():
        print(f"{name}:  {formula}")
    if certificate is not None:
        print(certificate.verdict if certificate.passed else certificate.table())
    for path in written.files.values():
        if path is not None:
            print(f"wrote {path}")
    for message in written.messages:
        print(message)


def _derivation(options: argparse.Namespace, **choices: str | None) -> tuple[Derivation, str]:
    """The derivation of the network or formula on the command line, and the name of its files."""
    from symbp.derivation import derive
    wrt = None if options.wrt is None else tuple(n.strip() for n in options.wrt.split(",") if n.strip())
    if wrt == ():
        raise SymbpError("--wrt names no tensor; write, for instance, --wrt W1,b1")
    source, stem = load_source(options.net)
    return derive(source, options.of, wrt, **choices), stem


def load_source(text: str) -> tuple[Any, str]:
    """A network file as a network, anything that looks like a formula as its text; and a name for the files.

    >>> load_source("sum(i, w[i]*x[i])^2")
    ('sum(i, w[i]*x[i])^2', 'formula')
    """
    path = Path(text)
    formula = any(c in text for c in "([*+^=") and not text.endswith(".toml")
    if formula and not _exists(path):
        return text, "formula"
    if not _exists(path) and path.suffix != ".toml":
        raise SymbpError(f"{text}: there is no such file, and a formula has an access in it, as in \"sum(i, w[i]*x[i])\"")
    from symbp.netfile import load
    network = load(path)
    return network, network.name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _folder(name: str) -> Path:
    """The output folder, made if missing."""
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise SymbpError(f"--out: cannot make the folder {name}: {getattr(error, 'strerror', error)}") from None
    return folder


# check, data and doctor

def _check(options: argparse.Namespace) -> int:
    derivation, _ = _derivation(options)
    result = derivation.check(options.seed)
    if options.json:
        answer = result.to_json()
        print(answer if isinstance(answer, str) else json.dumps(answer, indent=2))
    else:
        print(result.table())
    return 0 if result.passed else 1


def _generate(options: argparse.Namespace) -> int:
    from symbp.emit import generate
    from symbp.netfile import load
    network = load(options.net)
    path = Path(options.out or f"{network.name}.py")
    source = generate(network, options.target, path)
    answer = {"file": str(path), "target": options.target, "lines": source.count("\n")}
    print(json.dumps(answer, indent=2) if options.json else f"wrote {path} ({answer['lines']} lines)")
    return 0


def _train(options: argparse.Namespace) -> int:
    from symbp.run import resume, train
    if (options.net is None) == (options.resume is None):
        raise SymbpError("name a network file to train, or a run to go on with: symbp train NET, or symbp train --resume DIR")
    for key in ("epochs", "batch_size"):
        if getattr(options, key) == 0:
            raise SymbpError(f"--{key.replace('_', '-')} must be at least 1")
    common = {"epochs": options.epochs, "batch_size": options.batch_size, "seed": options.seed, "plots": not options.no_plots,
              "quiet": options.json}
    if options.resume is not None:
        if options.out or options.data or options.data_dir or options.watch:
            raise SymbpError("a run goes on in its own folder with its own data, and is watched as it began; remove --out, --data, "
                             "--data-dir and --watch")
        result = resume(options.resume, **common)
    else:
        result = train(options.net, data=options.data, data_dir=options.data_dir, out=options.out, watch=options.watch or "", **common)
    if options.json:
        print(json.dumps(result.to_json(), indent=2))
    elif result.already:
        print(f"this run is finished: {result.epochs} epochs, {_reached(result)}; nothing was done; --epochs with a larger number goes on")
    elif result.finished:
        _print_result(result)
    if not result.finished:
        return _interrupted(str(result.folder))
    return 0


def _print_result(result: Result) -> None:
    """What was reached, and where it lies."""
    print(f"{_reached(result)} after {result.epochs} epochs, {result.steps} steps, {result.seconds:.1f} s")
    classes = json.loads((result.folder / "report.json").read_text(encoding="utf-8"))["classes"]
    if classes:
        from symbp.run.metrics import table
        print(table(classes))
    for name in result.files:
        print(f"wrote {result.folder / name}")
    for message in result.messages:
        print(message)


def _reached(result: Result) -> str:
    """Loss and accuracy in words."""
    share = "" if result.accuracy is None else f", accuracy {100 * result.accuracy:.2f} %"
    if result.r2 is not None:
        share = f", R² {result.r2:.4f}"
    if result.rmse is not None:
        share += f", RMSE {result.rmse:.4g}"
    return ("test loss not finite" if result.loss is None else f"test loss {result.loss:.4f}") + share


def _sample(options: argparse.Namespace) -> int:
    from symbp.run.sample import sample
    text = sample(options.folder, options.length, seed=options.seed, temperature=options.temperature, start=options.start)
    print(json.dumps({"text": text}) if options.json else options.start.lstrip("\n") + text)
    return 0


def _data(options: argparse.Namespace) -> int:
    from symbp.data.provide import as_text, provide
    answer = provide(options.name, options.data_dir, options.out, options.plots, options.plot_format)
    print(json.dumps(answer, indent=2) if options.json else as_text(answer))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from symbp.verify.audit import audit
    from symbp.verify.report import verify
    from symbp.verify.sandbox import WARNING
    from symbp.verify.terminal import progress, show
    if options.run_code:
        print(f"symbp: --run-code: {WARNING}", file=sys.stderr)
    found = audit(options.claims, partial(verify, run_code=options.run_code), each=progress(sys.stderr))
    for error in found.bad.values():
        _fail(error)
    kind = "json" if options.json else options.format
    if kind == "text" and options.out is None:
        show(found, sys.stdout)
    else:
        _write_verdicts(found, kind, options)
    return found.code


def _write_verdicts(found: Audit, kind: str, options: argparse.Namespace) -> None:
    """A document on the terminal or in a file; a PDF always goes into one."""
    from symbp.verify.write import as_text, write
    stem = Path(options.claims[0]).stem if len(found.reports) == 1 else "verdicts"
    path = options.out or (f"{stem or 'verdicts'}.pdf" if kind == "pdf" else None)
    if path is None:
        sys.stdout.write(as_text(found, kind, options.errata))
    else:
        write(found, kind, options.errata, Path(path))
        print(f"wrote {path}", file=sys.stderr)


def _check_code(options: argparse.Namespace) -> int:
    from symbp.netfile import load
    from symbp.verify.listing import Code
    from symbp.verify.sandbox import WARNING
    from symbp.verify.submission import grade
    pairs = [entry.partition("=") for entry in options.bind]
    if not all(name and what for name, _, what in pairs):
        raise SymbpError("--bind says what an argument is: --bind theta=W1")
    if not 0 < options.seconds <= 3600:
        raise SymbpError(f"--seconds must be above 0 and at most 3600, not {options.seconds:g}")
    returns = options.returns and [part.strip() for part in options.returns.split(",")]
    code = Code(python=options.code, arguments={name.strip(): what.strip() for name, _, what in pairs}, returns=returns or None,
                before=options.before)
    network = load(options.against)
    print(f"symbp: {WARNING}", file=sys.stderr)
    found = grade(options.code, network, code, options.seconds)
    print(json.dumps(found.to_json(), indent=2) if options.json else found.text())
    return 0 if found.passed else 1


def _doctor(options: argparse.Namespace) -> int:
    from symbp.doctor import as_text, examine
    findings = examine()
    print(json.dumps([vars(f) for f in findings], indent=2) if options.json else as_text(findings))
    return 0 if all(f.found for f in findings if f.needed) else 1

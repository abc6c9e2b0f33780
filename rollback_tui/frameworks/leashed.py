"""What becomes a framework's program, after it has left a watcher behind.

Started by its path, with ``python -I -S``, as the leader of a session of its own. Standard input
is a pipe: the order (see :func:`read_order`) and then nothing, as long as the one who ordered
lives. This process forks the watcher and becomes the program, so that its process id, exit code
and signals are the program's. The watcher waits on the pipe. When the pipe closes without a word,
the one who ordered is dead, however it died, for the kernel closes it even after ``kill -9``: then
the whole process group of the program is killed. A byte says instead that all is over.

The program never hears of the watcher: that is no child of it (a program may wait for all of its
children) and in another session, and the program has none of the pipes.

Standard library only, and little of it: each call of a program waits for this. Nothing here is
particular to Linux: macOS cannot tie a child to the death of its parent otherwise.
"""

import os
import signal
import sys

LENGTH_BYTES = 8
"""An order begins with its length in bytes, big-endian."""


class Unfinished(Exception):
    """The one who ordered died before the order was whole."""


def read_order(pipe: int) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Read what is to be run, and with which environment.

    An order is fields that end in NUL: the number of words, the words, then names and values in
    turn. It comes here and not as our own environment, in which a variable that is meant for the
    program (``LD_LIBRARY_PATH``, ``PYTHONHOME``) could keep this Python from starting; and not in
    the arguments, which every user of the machine may read. Raises Unfinished.
    """
    length = int.from_bytes(_exactly(pipe, LENGTH_BYTES), "big")
    count, *fields = _exactly(pipe, length).split(b"\0")[:-1]
    words, pairs = fields[: int(count)], fields[int(count) :]
    return words, dict(zip(pairs[::2], pairs[1::2], strict=True))


def _exactly(pipe: int, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = os.read(pipe, length - len(data))
        if not part:
            raise Unfinished
        data += part
    return data


def leave_watcher(pipe: int, failures: int) -> None:
    """Start the watcher over this process group. Raises OSError when that cannot be done."""
    group = os.getpid()
    between = os.fork()
    if between == 0:
        code = 0
        try:
            os.setsid()
            # Its parent ends at once, so that init is the watcher's parent, and not the program.
            if os.fork() == 0:
                _watch(pipe, failures, group)
        except OSError as error:
            code = error.errno or 1
        os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(between, 0)[1])
    if code:
        raise OSError(abs(code), "no watcher")


def _watch(pipe: int, failures: int, group: int) -> None:
    """Wait for the end of the one who ordered, or its word that all is over."""
    os.chdir("/")
    # Whoever reads what the program prints waits until nobody can write any more.
    os.close(failures)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    if not os.read(pipe, 1):
        os.killpg(group, signal.SIGKILL)


def become(words: list[bytes], environment: dict[bytes, bytes]) -> None:
    """Become the program, with an empty standard input. Raises OSError when that fails."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    # Python ignores these from its start on, and what is ignored stays so in the program.
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.execvpe(words[0], words, environment)  # noqa: S606 - what is called was configured


def main() -> None:
    """Become what is ordered. Why that failed goes as a number (errno) to the descriptor that the
    only argument names; when it works, that one is closed without a word."""
    failures = int(sys.argv[1])
    os.set_inheritable(failures, False)
    try:
        words, environment = read_order(0)
        leave_watcher(0, failures)
        become(words, environment)
    except Unfinished:
        os._exit(1)
    except OSError as error:
        os.write(failures, str(error.errno).encode())
        os._exit(1)


if __name__ == "__main__":
    main()

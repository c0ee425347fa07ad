"""Notebooks run from the first cell to the last; `python tests/notebook_runs.py` stores them so.

Stored are results and pictures: not how long it took, which Python it was, nor what went to
stderr (progress, warnings).
"""

import os
import sys
from pathlib import Path

import nbclient
import nbformat

FOLDER = Path(__file__).parents[1] / "notebooks"
INLINE = "module://matplotlib_inline.backend_inline"


def ran(path, kernel=None):
    """The notebook with the outputs of a run in this kernel, whose names are forgotten first.

    One kernel for several notebooks has imported the library and compiled common programs once.
    """
    notebook = nbformat.read(path, as_version=4)
    forget = nbformat.v4.new_code_cell("%reset -f")
    notebook.cells.insert(0, forget)
    client = nbclient.NotebookClient(
        notebook, km=kernel, timeout=300, kernel_name="python3", record_timing=False
    )
    try:
        client.execute()
    finally:
        if kernel is not None and client.kc is not None:
            client.kc.stop_channels()  # the kernel goes on without this client
    del notebook.cells[0]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, 1):
        cell.execution_count = count
        cell.outputs = _joined(cell.outputs)
        for output in cell.outputs:
            if "execution_count" in output:
                output["execution_count"] = count
    notebook.metadata.pop("language_info", None)  # its version is that of whoever ran it
    return notebook


def start():
    """A kernel, for `ran`."""
    os.environ["MPLBACKEND"] = INLINE
    kernel = nbclient.NotebookClient(nbformat.v4.new_notebook()).create_kernel_manager()
    nbclient.util.run_sync(kernel.start_kernel)()
    return kernel


def stop(kernel):
    """End it."""
    nbclient.util.run_sync(kernel.shutdown_kernel)(now=True)
    nbclient.util.run_sync(kernel.cleanup_resources)()


def _joined(outputs):
    """Without stderr, and what was printed as one text: how it is cut depends on the moment."""
    found = []
    for output in outputs:
        if output.output_type != "stream":
            found.append(output)
        elif output.name == "stdout" and found and found[-1].output_type == "stream":
            found[-1].text += output.text
        elif output.name == "stdout":
            found.append(output)
    return found


def main():
    """Store every notebook with what it shows."""
    kernel = start()
    try:
        for path in sorted(FOLDER.glob("*.ipynb")):
            nbformat.write(ran(path, kernel), path)
            print(path.name, path.stat().st_size)
    finally:
        stop(kernel)


if __name__ == "__main__":
    sys.exit(main())

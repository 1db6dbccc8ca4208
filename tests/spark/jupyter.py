"""Runs an .ipynb file as Jupyter does, in Spark's Python: the code of every cell, in order, in a kernel of its own.

    jupyter.py NOTEBOOK.ipynb
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

LIMIT = 240


def main():
    file = Path(sys.argv[1])
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    try:
        NotebookClient(notebook, timeout=LIMIT, kernel_name="python3", resources={"metadata": {"path": str(file.parent)}}).execute()
    except CellExecutionError as reason:
        print(str(reason)[-1500:])
        return 1
    pictures = sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))
    print(f"{len(notebook.cells)} cells, {pictures} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main())

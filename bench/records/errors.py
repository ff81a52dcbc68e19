"""What is wrong with the files of a run."""

from __future__ import annotations

from pathlib import Path

__all__ = ["RunFilesError"]


class RunFilesError(ValueError):
    """A run's files cannot be gone on with; one line that names the file and what to do."""

    @classmethod
    def unwritable(cls, folder: Path, error: OSError) -> RunFilesError:
        """The folder takes no files."""
        return cls(f"cannot write to {folder}: {error.strerror}; choose another --results DIR")

    @classmethod
    def not_stored(cls, path: Path, error: OSError) -> RunFilesError:
        """What was measured could not be written."""
        return cls(
            f"cannot write {error.filename or path}: {error.strerror}; what was written before is whole: mend that, "
            "and go on with the same --run-id"
        )

"""`explore`: open a page on which a click is a seed."""

from __future__ import annotations

import threading
import webbrowser
from typing import TYPE_CHECKING, Any

import nilearn
import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._reporting.niivue import NEEDED, niivue_script
from .._support.files import whole
from .._support.pages import framed
from ..runs._opened import as_runs, open_run
from . import html
from .anatomy import anatomy_of
from .contents import page_contents
from .questions import (
    check_radius,
    check_run,
    check_summary,
    read_place,
    read_question,
)
from .recipes import Origins
from .saving import page_as_file
from .seeding import PreparedRuns, Seeding
from .server import PageServer
from .spaces import space_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._images.annotations import ImageLike, PathLike
    from .._maps.seeds import Summary
    from ..runs._annotations import Runs


def explore(
    sbc: Any,
    X: Runs,
    *,
    background: ImageLike | None = None,
    port: int = 0,
    open_browser: bool = True,
) -> Explorer:
    """Open a page on which a click is a seed.

    The page shows three planes and the cortex: of a volume in MNI space fsaverage's, of
    a run on a surface its mesh alone, of grayordinates (CIFTI) both. A click maps the
    correlation of that place with all others, a drag follows the pointer. Radius,
    summary, threshold and colours can be changed, and each map can be taken along: as
    Python, as a command, as an image, as a picture.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted. Its brain masker, of voxels, vertices or grayordinates, says how runs
        are cleaned; its own seeds are offered as places. Of grayordinates the cortex
        needs a mesh, as CIFTI files hold none: that of the masker or of the seeds
        (``mesh=``).
    X : run or sequence of runs
        As in :meth:`SeedCorrelationMap.fit`. Several runs are shown one by one, and as
        the mean of their Fisher z.
    background : image, str, path or None, default=None
        What is under the map: a 3D image in the space of the run. None is the MNI152
        template if the runs' names or the first one's header say that they are in its
        space, else the mean of the first scans.
        For a run on a surface: a SurfaceImage on its mesh, such as the sulcal depth, or
        None for the mesh alone. For grayordinates either of these, or a CIFTI image;
        None is the template where the runs' names say that they are in fs_LR.
    port : int, default=0
        Of the page's address; 0 for any that is free.
    open_browser : bool, default=True
        Whether to open the page in a browser.

    Returns
    -------
    explorer : Explorer
        Stop it, or use it in a `with`: until then the runs stay prepared.

    Raises
    ------
    ImportError
        If nilearn is older than 0.14.1, which brings along the viewer NiiVue.
    NotFittedError
        If `sbc` is not fitted.
    TypeError, ValueError, FileNotFoundError, OSError, RuntimeError
        If a run cannot be prepared (see :meth:`SeedCorrelationMap.prepare`), the
        estimator maps no voxels or vertices, there is no mesh of the cortex, or
        `background` or `port` cannot be used.

    See Also
    --------
    sbc_estimators.SeedCorrelationMap.prepare : A run of which any map takes
        milliseconds.

    Notes
    -----
    A seed is made of voxels of the brain mask, or of the vertices of a disc, not
    smoothed. Its centre is snapped to the voxel that holds it, or else the nearest
    vertex, so that what is copied gives the map on the page. Of grayordinates a seed is
    either one.

    The cortex opens on the view from which the first seed is seen best, of those from
    which nothing hides it: "inside" views show one hemisphere alone. Planes through
    grayordinates show where they cut the cortex.

    The page is served to this machine only, and only to whoever knows its address. It
    loads nothing from elsewhere. To look at it from another machine, forward the port
    under its own number (``ssh -L 8000:127.0.0.1:8000`` with ``port=8000``). The server
    ends with the Python session; a script waits for its reader with
    :meth:`Explorer.wait`.

    Examples
    --------
    >>> from sbc_estimators import explore
    >>> with explore(sbc, run) as explorer:  # doctest: +SKIP
    ...     explorer.wait()
    """
    check_viewer()
    check_is_fitted(sbc)
    explorer = Explorer(sbc, X, background, port)
    if open_browser:
        webbrowser.open(explorer.url)
    return explorer


class Explorer:
    """A page on which a click is a seed; :func:`explore` makes and explains it.

    Parameters
    ----------
    sbc : SeedCorrelationMap
        Fitted.
    X : run or sequence of runs
    background : image, str, path or None
    port : int
    origins : Origins or None, default=None
        Of what runs hold in memory, for the copied Python and command.

    Attributes
    ----------
    url : str
        The address of the page, with the token that opens it.
    """

    def __init__(
        self,
        sbc: Any,
        X: Runs,
        background: ImageLike | None,
        port: int,
        origins: Origins | None = None,
    ) -> None:
        _check_port(port)
        runs = as_runs(X)
        opened = [open_run(run, position) for position, run in enumerate(runs)]
        self._space = space_of(sbc, opened[0].scans.grid)
        self._anatomy = anatomy_of(self._space, background, runs)
        self._contents = page_contents(
            sbc, opened, self._space, self._anatomy, origins or Origins()
        )
        self._stopped = threading.Event()
        self._runs = PreparedRuns(sbc, runs, self._space)
        try:
            self._server = self._serve(port)
        except BaseException:
            self._runs.close()
            raise
        self.url = self._server.url

    def map(
        self,
        xyz: Sequence[float] | np.ndarray,
        *,
        radius: float | None = None,
        seed_summary: Summary | None = None,
        run: int | None = None,
    ) -> np.ndarray:
        """Return the map of a seed as the page shows it.

        Parameters
        ----------
        xyz : sequence of 3 float
            In mm. The voxel that holds it is the seed's centre; on a surface, and where
            no voxel of grayordinates does, the nearest vertex.
        radius : float or None, default=None
            In mm; 0 for the voxel alone. None is the radius with which the page opens.
        seed_summary : str or None, default=None
            As in :class:`SeedCorrelationMap`. None is the estimator's.
        run : int or None, default=None
            The position of the run. None is all of them.

        Returns
        -------
        r : ndarray of shape (n_voxels,), float32
            The correlation; of several runs the tanh of their mean Fisher z.

        Raises
        ------
        ValueError
            If there is no such run, summary or radius, the seed lies outside the brain
            mask or has no signal, or the explorer is stopped.
        """
        self._check_open()
        start = self._contents["start"]
        seeding = Seeding(
            check_radius(start["radius"] if radius is None else radius),
            check_summary(seed_summary or start["summary"]),
            None if run is None else check_run(run, self._runs.n_runs),
        )
        return self._runs.r(self._space.place_at(_checked(xyz)), seeding)

    def save_as_html(self, path: PathLike) -> None:
        """Write the page as one file that needs no server, Python or internet.

        Parameters
        ----------
        path : str or path
            In a folder that exists. A file there is replaced, whole or not at all.

        Raises
        ------
        ValueError
            If the explorer is stopped.
        OSError
            If the file cannot be written.

        Notes
        -----
        The file holds nearly all of the runs' signals: whoever has it has the data. It
        has some 10 MB for a run of 75,000 voxels. r in it is within 0.005 of that on
        the page; a median of voxels, which would not be, is left out.
        """
        self._check_open()
        with whole(path, "path") as file:
            file.write_text(self._as_file(), encoding="utf-8")

    def wait(self) -> None:
        """Wait until :meth:`stop` is called, or for Ctrl-C, which stops it too."""
        try:
            # Some systems notice Ctrl-C only between two waits.
            while not self._stopped.wait(timeout=1.0):
                pass
        except KeyboardInterrupt:
            self.stop()

    def stop(self) -> None:
        """End the server and let go of the runs; a second call does nothing."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._server.stop()
            self._runs.close()

    def __enter__(self) -> Explorer:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self):
        n_runs = self._runs.n_runs
        runs = f"{n_runs} run{'s' if n_runs > 1 else ''}"
        where = "stopped" if self._stopped.is_set() else f"at {self.url}"
        return f"<Explorer of {runs} with {self._space.n_places} places, {where}>"

    def _repr_html_(self):
        """Return the page as one file in a frame, for notebooks."""
        return framed(self._as_file(), "sbc explore")

    def _serve(self, port):
        """Return the server of the page."""
        viewer = niivue_script()
        arrays = self._space.arrays() | self._anatomy.parts
        parts = {name: np.ascontiguousarray(a).tobytes() for name, a in arrays.items()}
        parts["niivue"] = viewer.encode("utf-8")
        return PageServer(
            html.page(self._contents, viewer),
            html.policy(viewer, is_file=False),
            html.refusal(),
            parts,
            {"map": self._answer_map, "here": self._answer_here},
            port,
        )

    def _answer_map(self, query):
        """Return r of all places, and the seed's time series."""
        question = self._read(query)
        return self._runs.r(*question), self._runs.seed_series(*question)

    def _answer_here(self, query):
        """Return z score, effective degrees of freedom and time series of a place."""
        at = read_place(query, "at", self._space.n_places)
        return self._runs.here(*self._read(query), at)

    def _read(self, query):
        """Return the place and the `Seeding` of a question."""
        return read_question(query, self._space.n_places, self._runs.n_runs)

    def _as_file(self):
        """Return the page as one file."""
        self._check_open()
        return page_as_file(
            self._contents,
            self._space,
            self._anatomy,
            self._runs.signals(),
            niivue_script(),
        )

    def _check_open(self):
        """Raise ValueError if the runs are let go of."""
        if self._stopped.is_set():
            raise ValueError("The explorer is stopped. Call explore again.")


def check_viewer():
    """Raise ImportError where nilearn brings no NiiVue along."""
    if niivue_script() is None:
        raise ImportError(
            f"explore needs nilearn {NEEDED} or newer, which brings along the viewer "
            f"NiiVue; nilearn {nilearn.__version__} does not. Run: pip install -U "
            f"'nilearn>={NEEDED}'"
        )


def _check_port(port):
    """Raise ValueError unless a port can be asked for."""
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise ValueError(
            "port must be a whole number from 0 (any that is free) to 65535, got "
            f"{port!r}."
        )


def _checked(xyz):
    """Return coordinates as an array; raises ValueError unless they are three."""
    try:
        point = np.asarray(xyz, dtype=float)
    except (TypeError, ValueError):
        point = np.empty(0)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError(f"xyz must be three numbers, in mm, got {xyz!r}.")
    return point

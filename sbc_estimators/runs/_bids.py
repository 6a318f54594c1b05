"""Images in a folder of BIDS derivatives: what their names say, and their sidecars."""

import glob
import json
import re
from dataclasses import dataclass
from pathlib import Path

from nilearn.interfaces.bids import get_bids_files, parse_bids_filename

from .._support.checks import check_positive
from .._support.messages import naming, some_of

ENTITIES = (
    *("sub", "ses", "task", "acq", "ce", "rec", "dir", "run", "echo", "part"),
    *("space", "cohort", "res", "den", "desc"),
)
"""What an image's name can say of it, in BIDS's order."""

VERSIONS = ("space", "cohort", "res", "den", "echo")
"""What tells apart images of one acquisition, and of which only one can be meant."""

WHERE = ("space", "cohort", "res")
"""What tells where the voxels of an image lie."""

NAMELESS = " ('': not in the name)"


@dataclass(frozen=True)
class BoldImage:
    """An image's file and the entities in its name, such as ``{"sub": "01"}``."""

    file: str
    entities: dict

    def label(self, entity):
        """Return the label of an entity, "" where the name has none."""
        return self.entities.get(entity) or ""


def acquisition(file):
    """Return what an image's name tells of its run: subject, session and task.

    Subject and session as tables of BIDS have them, with "sub-" and "ses-"; None for
    what the name does not tell.

    Examples
    --------
    >>> acquisition("in/sub-01_ses-2_task-rest_bold.nii.gz")
    {'subject': 'sub-01', 'session': 'ses-2', 'task': 'rest'}
    >>> acquisition("rest.nii.gz")
    {'subject': None, 'session': None, 'task': None}
    """
    found = re.findall(r"(?:^|_)(sub|ses|task)-([^\W_]+)", Path(file or "").name)
    labels = dict(reversed(found))
    return {
        "subject": f"sub-{labels['sub']}" if "sub" in labels else None,
        "session": f"ses-{labels['ses']}" if "ses" in labels else None,
        "task": labels.get("task"),
    }


# Finding images


def find_images(folder, extension="nii.gz"):
    """Return the BOLD images of all subjects, by subject, session, task and run.

    Parameters
    ----------
    folder : pathlib.Path
        Holds sub-<label>/func or sub-<label>/ses-<label>/func.
    extension : str, default="nii.gz"

    Returns
    -------
    images : list of BoldImage
        Numbers in labels are sorted as numbers: run-2 before run-10.
    """
    # One call a func folder: over a whole tree nilearn 0.13 leaves out subjects without
    # sessions as soon as another one has them.
    places = [*folder.glob("sub-*/func"), *folder.glob("sub-*/ses-*/func")]
    images = [
        BoldImage(file, parse_bids_filename(file)["entities"])
        for place in places
        for file in get_bids_files(
            glob.escape(str(place)), "_bold", extension, sub_folder=False
        )
    ]
    return sorted(images, key=_order)


def _order(image):
    """Return what images are sorted by."""
    labels = [image.label(entity) for entity in ("sub", "ses", "task", "run")]
    return [_natural(label) for label in labels], image.file


def _natural(label):
    """Return a label as words and numbers by turns, which can be compared."""
    parts = re.split("([0-9]+)", label)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


# Choosing among them


def select_images(images, filters, folder):
    """Return the images that match all filters, each label of which must occur.

    Parameters
    ----------
    images : list of BoldImage
    filters : dict of str to tuple of str
        Labels that an entity may have; "" stands for a name without it.
    folder : pathlib.Path
        For messages.

    Returns
    -------
    selected : list of BoldImage

    Raises
    ------
    ValueError
        If no image has one of the labels together with all other filters.
    """
    selected = [image for image in images if _matches(image, filters)]
    for entity, labels in filters.items():
        found = labels_of(selected, entity)
        for label in labels:
            if label not in found:
                wanted = {**filters, entity: (label,)}
                raise ValueError(_why_none(images, wanted, folder))
    return selected


def _matches(image, filters):
    """Whether an image has one of the labels for each entity."""
    return all(image.label(entity) in labels for entity, labels in filters.items())


def labels_of(images, entity):
    """Return the different labels of an entity, in their natural order."""
    labels = sorted({image.label(entity) for image in images})
    return sorted(labels, key=_natural)


def _why_none(images, filters, folder):
    """Return the words for filters that match nothing: the first that leaves none."""
    passed = {}
    left = images
    for entity, labels in filters.items():
        still_left = [image for image in left if image.label(entity) in labels]
        if not still_left:
            break
        left, passed[entity] = still_left, labels
    whose = f"with {_said(passed)}" if passed else "there"
    there = {
        name: labels_of(images, name)
        for name in dict.fromkeys(["sub", "task", "space", *filters])
    }
    words = "; ".join(f"{name} {quoted(found)}" for name, found in there.items())
    nameless = NAMELESS if any("" in found for found in there.values()) else ""
    return (
        f"no BOLD image in {str(folder)!r} matches {_said(filters)}. The images "
        f"{whose} ({len(left)}) have {entity} {quoted(labels_of(left, entity))}. In "
        f"all there are: {words}{nameless}."
    )


def _said(filters):
    """Return filters as they are written in a call."""
    return ", ".join(
        f"{entity}={(labels[0] if len(labels) == 1 else list(labels))!r}"
        for entity, labels in filters.items()
    )


def quoted(labels):
    """Return the words for some labels."""
    return some_of([repr(label) for label in labels])


def check_one_version(images, filters, folder):
    """Raise ValueError where images differ in more than what was acquired.

    Maps in several spaces or resolutions share no voxels, and two images of one
    acquisition are not two runs.
    """
    for entity in VERSIONS:
        labels = labels_of(images, entity)
        if len(labels) > 1 and entity not in filters:
            raise ValueError(
                f"{len(images)} images in {str(folder)!r} match, of several {entity}: "
                f"{quoted(labels)}{NAMELESS if '' in labels else ''}. Name one, such "
                f"as {entity}={labels[-1]!r}."
            )
    seen = {}
    for image in images:
        acquired = {k: v for k, v in image.entities.items() if k not in VERSIONS}
        other = seen.setdefault(tuple(sorted(acquired.items())), image)
        if other is not image:
            raise ValueError(
                f"{other.file!r} and {image.file!r} are images of one acquisition. "
                f"Name a single label for each of {', '.join(VERSIONS)}."
            )


def brain_mask(image):
    """Return the file of the brain mask that belongs to an image, None without one.

    Its name says nothing that the image's does not, and has all that tells where the
    image's voxels lie.
    """
    own = {**image.entities, "desc": "brain"}
    where = {name: image.label(name) for name in WHERE}
    found = []
    for path in Path(image.file).parent.glob("*_desc-brain_mask.nii*"):
        entities = parse_bids_filename(path)["entities"]
        is_there = all(entities.get(name, "") == label for name, label in where.items())
        if is_there and entities.items() <= own.items() and path.is_file():
            found.append((len(entities), path))
    return max(found)[1] if found else None


# Sidecars


def repetition_time(image, folder):
    """Return an image's repetition time in seconds, or None if no sidecar has it.

    A sidecar is a JSON file that says nothing in its name that the image's does not,
    in the image's folder or above it, up to `folder`. The closest that has the time
    wins, and in one folder the one whose name says most.

    Parameters
    ----------
    image : BoldImage
    folder : pathlib.Path
        The derivatives' own folder.

    Raises
    ------
    ValueError
        If a sidecar cannot be read, or its time is not a positive number.
    """
    times = map(time_in, _sidecars(image, folder))
    return next((t_r for t_r in times if t_r is not None), None)


def time_in(sidecar):
    """Return the repetition time in a sidecar in seconds, or None.

    Raises as `repetition_time`.
    """
    value = _read_sidecar(sidecar).get("RepetitionTime")
    if value is None:
        return None
    with naming(f"sidecar {str(sidecar)!r}"):
        return check_positive(value, "RepetitionTime", "s")


def _sidecars(image, folder):
    """Yield the sidecars of an image, the closest first."""
    for place in Path(image.file).parents:
        named = {
            path: parse_bids_filename(path) for path in sorted(place.glob("*bold.json"))
        }
        sidecars = [
            path
            for path, name in named.items()
            if name["suffix"] == "bold"
            and name["entities"].items() <= image.entities.items()
        ]
        yield from sorted(sidecars, key=lambda path: -len(named[path]["entities"]))
        if place == folder:
            return


def _read_sidecar(path):
    """Return what a JSON file holds."""
    try:
        content = json.loads(path.read_text("utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not an object")
    except (ValueError, OSError) as error:
        raise ValueError(f"sidecar {str(path)!r} cannot be read: {error}") from error
    return content

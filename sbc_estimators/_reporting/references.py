"""What a methods paragraph refers to, as authors and year, in full, and as BibTeX."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reference:
    """A paper.

    Attributes
    ----------
    cited : str
        Authors and year, as in the text.
    authors, title, journal, volume, pages, doi : str
    year : int
    """

    cited: str
    authors: str
    title: str
    journal: str
    year: int
    volume: str
    pages: str
    doi: str

    def in_full(self):
        """Return the entry of a list of references."""
        authors = self.authors.replace(" and ", ", ")
        return (
            f"{authors} ({self.year}). {self.title}. {self.journal}, {self.volume}, "
            f"{self.pages}. https://doi.org/{self.doi}"
        )

    def in_bibtex(self, key):
        """Return the entry of a BibTeX file."""
        fields = {
            "author": self.authors,
            "title": f"{{{self.title}}}",
            "journal": self.journal,
            "year": self.year,
            "volume": self.volume,
            "pages": self.pages.replace("-", "--"),
            "doi": self.doi,
        }
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items()]
        return f"@article{{{key},\n" + ",\n".join(lines) + "\n}"


REFERENCES = {
    "biswal1995": Reference(
        "Biswal et al., 1995",
        "Biswal, B. and Yetkin, F. Z. and Haughton, V. M. and Hyde, J. S.",
        "Functional connectivity in the motor cortex of resting human brain using "
        "echo-planar MRI",
        "Magnetic Resonance in Medicine",
        1995,
        "34(4)",
        "537-541",
        "10.1002/mrm.1910340409",
    ),
    "abraham2014": Reference(
        "Abraham et al., 2014",
        "Abraham, A. and Pedregosa, F. and Eickenberg, M. and Gervais, P. and "
        "Mueller, A. and Kossaifi, J. and Gramfort, A. and Thirion, B. and "
        "Varoquaux, G.",
        "Machine learning for neuroimaging with scikit-learn",
        "Frontiers in Neuroinformatics",
        2014,
        "8",
        "14",
        "10.3389/fninf.2014.00014",
    ),
    "lindquist2019": Reference(
        "Lindquist et al., 2019",
        "Lindquist, M. A. and Geuter, S. and Wager, T. D. and Caffo, B. S.",
        "Modular preprocessing pipelines can reintroduce artifacts into fMRI data",
        "Human Brain Mapping",
        2019,
        "40(8)",
        "2358-2376",
        "10.1002/hbm.24528",
    ),
    "power2014": Reference(
        "Power et al., 2014",
        "Power, J. D. and Mitra, A. and Laumann, T. O. and Snyder, A. Z. and "
        "Schlaggar, B. L. and Petersen, S. E.",
        "Methods to detect, characterize, and remove motion artifact in resting state "
        "fMRI",
        "NeuroImage",
        2014,
        "84",
        "320-341",
        "10.1016/j.neuroimage.2013.08.048",
    ),
    "behzadi2007": Reference(
        "Behzadi et al., 2007",
        "Behzadi, Y. and Restom, K. and Liau, J. and Liu, T. T.",
        "A component based noise correction method (CompCor) for BOLD and perfusion "
        "based fMRI",
        "NeuroImage",
        2007,
        "37(1)",
        "90-101",
        "10.1016/j.neuroimage.2007.04.042",
    ),
    "marrelec2006": Reference(
        "Marrelec et al., 2006",
        "Marrelec, G. and Krainik, A. and Duffau, H. and Pelegrini-Issac, M. and "
        "Lehericy, S. and Doyon, J. and Benali, H.",
        "Partial correlation for functional brain interactivity investigation in "
        "functional MRI",
        "NeuroImage",
        2006,
        "32(1)",
        "228-237",
        "10.1016/j.neuroimage.2005.12.057",
    ),
    "silver1987": Reference(
        "Silver & Dunlap, 1987",
        "Silver, N. C. and Dunlap, W. P.",
        "Averaging correlation coefficients: Should Fisher's z transformation be used?",
        "Journal of Applied Psychology",
        1987,
        "72(1)",
        "146-148",
        "10.1037/0021-9010.72.1.146",
    ),
    "langsrud2005": Reference(
        "Langsrud, 2005",
        "Langsrud, O.",
        "Rotation tests",
        "Statistics and Computing",
        2005,
        "15(1)",
        "53-60",
        "10.1007/s11222-005-4789-5",
    ),
}
"""By the keys of their BibTeX entries."""


def cite(*keys):
    """Return the words that refer to papers in a text."""
    return f"({'; '.join(REFERENCES[key].cited for key in keys)})"


def cited_in(text):
    """Return the keys of the papers that a text refers to, in order of the alphabet."""
    return sorted(key for key, ref in REFERENCES.items() if ref.cited in text)

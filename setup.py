"""
Build the kernels: every corosync_tw/kernels/compiled/*.pyx, and the page of the manual that is made
of a document.

Without Cython, a compiler or Python's headers the package installs all the same; its plain Python
twins run then.
"""

from glob import glob
from importlib.util import find_spec
from pathlib import Path
from runpy import run_path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

COMPILED = "corosync_tw/kernels/compiled"
DIRECTIVES = {"language_level": 3, "initializedcheck": False}


class BuildKernels(build_ext):
    """All kernels or none, with one line about the reason."""

    def initialize_options(self) -> None:
        """Keep C files out of the tree."""
        super().initialize_options()
        self.cython_c_in_temp = True
        self.cython_directives = DIRECTIVES

    def build_extensions(self) -> None:
        """Build until one fails."""
        reason = "" if find_spec("Cython") else "Cython is not installed"
        try:
            for extension in [] if reason else self.extensions:
                self.build_extension(extension)
        except (BaseError, CCompilerError, CompileError) as error:
            reason = str(error).partition("\n")[0]
        if reason:
            print(f"kernels were not compiled, plain Python ones will run: {reason}")
            self.extensions = []

    def copy_extensions_to_source(self) -> None:
        """Leave nothing there that was built of other sources."""
        for built in glob(f"{COMPILED}/*{Path(self.get_ext_filename('any')).name[3:]}"):
            Path(built).unlink(missing_ok=True)
        super().copy_extensions_to_source()


def kernels() -> list[Extension]:
    """Find the sources."""
    return [
        Extension(
            "{}.{}".format(COMPILED.replace("/", "."), Path(source).stem),
            [source],
            depends=sorted(glob(f"{COMPILED}/*.pxd")),
            extra_compile_args=["-O3", "-g0"],
            optional=True,
        )
        for source in sorted(glob(f"{COMPILED}/*.pyx"))
    ]


run_path("ci/deviations_page.py")["main"]()
setup(ext_modules=kernels(), cmdclass={"build_ext": BuildKernels})

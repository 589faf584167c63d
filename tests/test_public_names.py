"""The public face: every name it promises exists, and a wrong one is met with the nearest."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys

import pytest

import medpsy
from source_tree import PACKAGE, parsed


@pytest.mark.parametrize("name", medpsy.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(medpsy, name) is not None
    assert name in dir(medpsy)


def test_a_name_is_the_object_of_its_module() -> None:
    from medpsy.errors import SpecError
    from medpsy.survey.instrument import Instrument

    assert medpsy.SpecError is SpecError
    assert medpsy.Instrument is Instrument


def test_a_misspelt_name_is_met_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"medpsy has no 'Mediatoin'\. Did you mean 'Mediation'\?"):
        medpsy.Mediatoin  # noqa: B018
    with pytest.raises(ImportError, match="read_surveys"):
        exec("from medpsy import read_surveys")


def test_submodules_can_still_be_imported_from_the_package() -> None:
    code = "from medpsy import errors; import medpsy; print(errors is medpsy.errors)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "True"


def test_names_for_type_checkers_are_the_lazy_ones() -> None:
    [block] = [node for node in parsed(PACKAGE / "__init__.py").body if isinstance(node, ast.If)]
    typed = {
        alias.asname or alias.name: f"{node.module}:{alias.name}" if alias.asname else node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == medpsy._LAZY
    assert set(medpsy.__all__) == {*typed, "__version__"}


def test_version_is_that_of_the_installed_distribution() -> None:
    try:
        installed = importlib.metadata.version("medpsy")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("medpsy is not installed here (run from its source folder)")
    assert installed == medpsy.__version__

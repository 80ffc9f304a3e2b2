"""Compiling functions that only other kernels call.

Numba optimises every function's module in full and then does so again for each module that the function is linked
into, so that code which is called five levels down is optimised and turned into machine code five times. A function that
only kernels call needs neither: the kernel at the top optimises everything once. This makes compiling about twice as fast.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import AnalysisPass, register_pass
from numba.core.typed_passes import AnnotateTypes

#: Bytes of a line of the cache.
_LINE = 64


class _LinkedLibrary(JITCodeLibrary):  # type: ignore[misc]  # Numba is untyped
    """A library whose module is there to be linked into others, never to be run."""

    apart = always = False

    def add_ir_module(self, ir_module: Any) -> None:
        """Functions that are large, or called from several places, are not to be copied into their callers.

        Their stack begins at a line of the cache: LLVM puts vectors there that find no register, but aligns the stack for
        them only where it keeps a frame pointer.
        """
        if self.apart:
            for function in ir_module.functions:
                if function.blocks:
                    function.attributes.add("noinline")
                    function.attributes.alignstack = _LINE
        elif self.always:
            for function in ir_module.functions:
                if function.blocks:
                    function.attributes.add("alwaysinline")
        super().add_ir_module(ir_module)

    def _optimize_final_module(self) -> None:
        """Left to the module that this one is linked into."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """No machine code is made."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        """Numba would tell the machine code where its environment is."""
        return _WithoutEnvironment(self._codegen)


class _WithoutEnvironment:
    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def set_env(self, name: str, environment: Any) -> None:
        """There is no machine code."""


class _ApartLibrary(_LinkedLibrary):
    apart = True


class _CopiedLibrary(_LinkedLibrary):
    always = True


@register_pass(mutates_CFG=False, analysis_only=True)
class _LinkedOnly(AnalysisPass):  # type: ignore[misc]
    """Have the lowering that follows write into such a library."""

    _name = "linked_only"

    def __init__(self) -> None:
        AnalysisPass.__init__(self)

    library = _LinkedLibrary

    def run_pass(self, state: Any) -> bool:
        state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        return False


@register_pass(mutates_CFG=False, analysis_only=True)
class _LinkedApart(_LinkedOnly):
    _name = "linked_apart"
    library = _ApartLibrary


@register_pass(mutates_CFG=False, analysis_only=True)
class _LinkedCopied(_LinkedOnly):
    _name = "linked_copied"
    library = _CopiedLibrary


class InnerCompiler(CompilerBase):  # type: ignore[misc]
    """Numba's passes, with a library as above."""

    linking = _LinkedOnly

    def define_pipelines(self) -> list[Any]:
        """One pipeline, as the default."""
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(self.linking, AnnotateTypes)
        pipeline.finalize()
        return [pipeline]


class ApartCompiler(InnerCompiler):
    """The same for functions that stay apart."""

    linking = _LinkedApart


class CopiedCompiler(InnerCompiler):
    """The same for functions that are copied into their callers whatever their size.

    A call of a function counts references to each of its arrays, even if they have no owner: a nanosecond each.
    """

    linking = _LinkedCopied

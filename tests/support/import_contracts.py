"""The import-linter contract that keeps the cores of all stages pure."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class PureCores(Contract):
    """No module named `core` or `core_...` reaches a forbidden module, directly or through others."""

    type_name = "pure_cores"

    forbidden_modules = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        cores = [module for module in sorted(graph.modules) if is_core(module)]
        present = [module for module in self.forbidden_modules if module in graph.modules]
        chains = [
            chain
            for core in cores
            for module in present
            if (chain := graph.find_shortest_chain(core, module))
        ]
        return ContractCheck(kept=not chains, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain))


def is_core(module: str) -> bool:
    """Return whether a dotted name is a core of a stage."""
    package, _, name = module.rpartition(".")
    return bool(package) and (name == "core" or name.startswith("core_"))

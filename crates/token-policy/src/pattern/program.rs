//! The compiled form of one pattern and how it is run: the reference for
//! whatever answers faster.

use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures, pikevm};
use regex_syntax::hir::Hir;
use token_core::limits::PATTERN_NFA_BYTES_MAX;

use super::error::PatternError;

/// Scratch memory of one match, sized by the program that uses it last.
pub(super) type Scratch = pikevm::Cache;

/// Compiles patterns. One for many patterns saves the work of making its
/// scratch memory, some hundred KiB, for each.
pub(super) struct Compiler(thompson::Compiler);

impl Compiler {
    pub(super) fn new() -> Self {
        let config = thompson::Config::new()
            // RE2 looks for `\B` between any two bytes, also inside a character.
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(PATTERN_NFA_BYTES_MAX));
        let mut compiler = thompson::Compiler::new();
        compiler.configure(config);
        Self(compiler)
    }

    /// Compiles, giving up as soon as the limit is passed, so that the work is
    /// bounded too.
    pub(super) fn compile(&self, hir: &Hir) -> Result<Program, PatternError> {
        let nfa = self.0.build_from_hir(hir);
        let nfa = nfa.map_err(|_| PatternError::TooLarge)?;
        let vm = PikeVM::new_from_nfa(nfa).map_err(|_| PatternError::TooLarge)?;
        Ok(Program { vm })
    }
}

/// One NFA, simulated in time linear in the name and in the size of the NFA,
/// whatever the pattern.
#[derive(Clone)]
pub(super) struct Program {
    vm: PikeVM,
}

impl Program {
    /// Heap that the compiled form takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.nfa().memory_usage()
    }

    pub(super) fn nfa(&self) -> &NFA {
        self.vm.get_nfa()
    }

    pub(super) fn scratch(&self) -> Scratch {
        self.vm.create_cache()
    }

    /// True when the pattern matches somewhere in `text`.
    pub(super) fn matches(&self, scratch: &mut Scratch, text: &str) -> bool {
        scratch.reset(&self.vm);
        self.vm.is_match(scratch, text)
    }
}

//! Arguments, logging, memory, exit code. Everything else is in the library.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Gives back what a night took; that of glibc keeps four times as much.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    actledger::cli::run()
}

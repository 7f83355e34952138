//! Setting a PDF in a process of its own: what typst takes of memory goes when it ends, and a report that cannot be set takes
//! nothing else with it.

use super::{Desk, JobError};
use crate::report::{Report, pdf};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The subcommand that sets what it reads.
pub const SUBCOMMAND: &str = "set-pdf";
/// A report that is not set by then is not set at all.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of data that the process may take, five times what it takes for the largest report. Where mapped memory is no data
/// (macOS), it is no limit.
const MEMORY: u64 = 1 << 30;
/// Its threads, each with a stack of its own.
const THREADS: &str = "4";

/// Keeps this process from more than 1 GiB of data, or from less where less is allowed already. What panics ends it at once, as a
/// backtrace for which no memory is left would wait for its own lock; it leaves no core file, which would hold the report.
///
/// # Errors
/// The limit is refused.
pub fn confine() -> std::io::Result<()> {
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr(), "{panic}");
        std::process::abort();
    }));
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let (now, allowed) = getrlimit(Resource::RLIMIT_DATA)?;
    let most = now.min(allowed).min(MEMORY);
    Ok(setrlimit(Resource::RLIMIT_DATA, most, most)?)
}

/// The PDF of a report: by the desk's press, or in this process where it has none.
pub(super) fn set(desk: &Desk, report: &Report) -> Result<Vec<u8>, JobError> {
    let failed = |e: &dyn std::fmt::Display| JobError::Render(format!("the PDF could not be set: {e}"));
    let Some(program) = &desk.press else {
        return pdf::render(report).map_err(|e| JobError::Render(e.to_string()));
    };
    let manuscript = pdf::manuscript(report).map_err(|e| JobError::Render(e.to_string()))?;
    let manuscript = serde_json::to_vec(&manuscript).map_err(|e| failed(&e))?;
    let mut child = Command::new(program)
        .arg(SUBCOMMAND)
        .env("RAYON_NUM_THREADS", THREADS)
        // What the allocator reserves counts as memory once it could be written to.
        .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(&e))?;
    let (sent, done) = mpsc::channel();
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    std::thread::spawn(move || {
        // A child that ended early says why on its other pipe.
        let _ = input.map(|mut pipe| pipe.write_all(&manuscript));
    });
    std::thread::spawn(move || sent.send((read(output), read(errors))));
    let told = done.recv_timeout(PATIENCE);
    let status = end(&mut child, told.is_err()).map_err(|e| failed(&e))?;
    match told {
        Ok((Ok(bytes), _)) if status.success() => Ok(bytes),
        Ok((_, Ok(errors))) => {
            let why = String::from_utf8_lossy(&errors);
            let limit =
                format!("its process, which may take {} MiB of memory, ended, {status}: ", MEMORY >> 20);
            let ended = status.signal().map_or("", |_| limit.as_str());
            Err(failed(&format!("{ended}{}", why.trim())))
        }
        Ok((_, Err(e))) => Err(failed(&e)),
        Err(_) => Err(failed(&format!("it took more than {} seconds", PATIENCE.as_secs()))),
    }
}

fn read(pipe: Option<impl Read>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes)).map(|_| bytes)
}

fn end(child: &mut Child, is_late: bool) -> std::io::Result<std::process::ExitStatus> {
    if is_late {
        child.kill()?;
    }
    child.wait()
}

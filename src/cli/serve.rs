//! `actledger serve`

use super::output::{self, Progress};
use super::{CliError, Ended};
use crate::daemon;
use crate::jobs::Desk;
use crate::report::Zone;
use anyhow::Context;
use std::sync::Arc;

pub(super) fn run(desk: Desk) -> Result<Ended, CliError> {
    if desk.config.demo.is_some() {
        let progress = Progress::new();
        let zone = Zone::named(&desk.config.timezone);
        daemon::live_through(&desk, &|night, all, at| {
            progress.step(&format!("night of {}", zone.day(at)), night, all);
        })?;
        progress.finish();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let served = runtime.block_on(daemon::serve(Arc::new(desk), |address| {
        output::line(format!("Pages at {address} (stop with Ctrl-C)"));
    }));
    served.context("serve")?;
    Ok(Ended::Well)
}

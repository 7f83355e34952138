//! Findings as CSV (RFC 4180), a row per unit. Cells that a spreadsheet would run as a formula begin with a quote.

use super::model::{Finding, Report, System, Unit};
use super::population::{COLUMNS, Population};
use super::tables::Table;

const HEADER: &str =
    "number,system,control,status,excepted,reason,basis,duty,unit,unit_status,lifecycle,note,evidence\r\n";

/// The file.
pub fn render(report: &Report) -> String {
    of(report, |_| true, usize::MAX).0
}

/// The rows of some findings.
pub fn findings<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> String {
    let rows = findings.into_iter().flat_map(|f| f.units.iter().map(move |u| row(f, u)));
    std::iter::once(HEADER.to_owned()).chain(rows).collect()
}

/// The rows of some systems and of the estate, up to a number of bytes; and how many there are beyond it.
pub fn of(report: &Report, asks: impl Fn(&System) -> bool, limit: usize) -> (String, usize) {
    let (mut out, mut left_out) = (HEADER.to_owned(), 0);
    let systems = report.systems.iter().filter(|s| asks(s)).flat_map(|s| &s.findings);
    let findings = report.estate_findings.iter().chain(systems);
    for (f, u) in findings.flat_map(|f| f.units.iter().map(move |u| (f, u))) {
        let row = row(f, u);
        if left_out > 0 || out.len() + row.len() > limit {
            left_out += 1;
        } else {
            out.push_str(&row);
        }
    }
    (out, left_out)
}

/// A table in an order.
///
/// # Errors
/// There is no such order.
pub fn table(table: &Table, r: &Report, sort: &str) -> Result<String, String> {
    let header: Vec<String> = table.columns.iter().map(|&c| c.to_owned()).collect();
    let rows = table.sorted(r, sort)?;
    Ok(std::iter::once(&header).chain(rows.iter().map(|(_, cells)| cells)).map(|cells| line(cells)).collect())
}

/// The entries of a population that are told.
pub fn population(population: &Population) -> String {
    let rows = population.entries.iter().map(|case| line(&case.cells()));
    std::iter::once(line(&COLUMNS.map(str::to_owned))).chain(rows).collect()
}

fn line(cells: &[String]) -> String {
    cells.iter().map(|c| cell(c)).collect::<Vec<_>>().join(",") + "\r\n"
}

fn row(f: &Finding, u: &Unit) -> String {
    let seqs: Vec<String> = u.evidence.iter().map(|e| e.seq.to_string()).collect();
    let cells = [
        f.number.map(|n| n.to_string()).unwrap_or_default(),
        system(f).to_owned(),
        f.control.clone(),
        f.status.name().into(),
        u.excepted.is_some().to_string(),
        u.reason.clone(),
        f.basis.into(),
        f.duty.clone(),
        u.id.clone(),
        u.status.name().into(),
        u.lifecycle.into(),
        u.note.clone(),
        seqs.join(" "),
    ];
    line(&cells)
}

fn system(f: &Finding) -> &str {
    if f.system.is_empty() { "estate" } else { &f.system }
}

fn cell(text: &str) -> String {
    // Some trim what stands before it, and some take the wide forms (OWASP, "CSV Injection").
    let formula = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];
    let runs = text.trim_start().starts_with(formula) || text.starts_with(['\t', '\r', '\n']);
    let guarded = if runs { format!("'{text}") } else { text.to_owned() };
    if guarded.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", guarded.replace('"', "\"\""))
    } else {
        guarded
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=cmd()"), "'=cmd()");
        assert_eq!(cell(" \u{ff1d}cmd()"), "' \u{ff1d}cmd()");
    }
}

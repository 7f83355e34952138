//! Findings as CSV (RFC 4180), a row per unit. Cells that a spreadsheet would run as a formula begin with a quote.

use super::model::{Finding, Report};

const HEADER: &str =
    "number,system,control,status,excepted,reason,basis,duty,unit,unit_status,lifecycle,note,evidence\r\n";

/// The file.
pub fn render(report: &Report) -> String {
    let mut out = HEADER.to_owned();
    let findings = report.systems.iter().flat_map(|s| &s.findings).chain(&report.estate_findings);
    for f in findings {
        for u in &f.units {
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
            out.push_str(&cells.iter().map(|c| cell(c)).collect::<Vec<_>>().join(","));
            out.push_str("\r\n");
        }
    }
    out
}

fn system(f: &Finding) -> &str {
    if f.system.is_empty() { "estate" } else { &f.system }
}

fn cell(text: &str) -> String {
    let guarded =
        if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
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
    }
}

//! docs/controls.md is made from the catalogue; `ACTLEDGER_STORIES=write cargo test --test it controls_page` writes it anew.

use crate::support::project;
use actledger::act::{
    Catalogue, Control, ControlKind, Line, Reference, Role, SourceKind, Subject, Tested, Weight,
};
use std::fmt::Write;

const HEAD: &str = "\
<!-- Made from src/act/eu-ai-act.toml by tests/it/controls_page.rs: change the catalogue, not this page. -->

# The controls

What each control asks, of whom, and how it decides. The words are those of the catalogue that the program uses, and the
rule is printed whole: the first line that holds decides. A control is evidence for a duty of the Act, never a statement that
the duty is met; this is no legal advice.
";

const READING: &str = "
## How to read them

- **Kind.** *act*: an article asks the question. *house*: the organisation's own rule, or a check of this catalogue that it
  switched on; articles are then support, printed where they bind.
- **Weight.** *direct*: evidence for the very duty. *supporting*: helps to show it. *organisational*: no article asks for it.
- **Basis.** What a satisfied verdict usually rests on: *seen* in a source, *declared* in the register, or *re-performed* by our
  own evaluation of the rule that a gate applied.
- **Tested.** *throughout* the window, or *as of* the last complete look.
- **Status.** satisfied, not satisfied, not assessed (with the reason), not applicable. The strictest status of any unit is that of
  the finding, in the order not satisfied, not assessed, satisfied, not applicable; all four counts are always printed. What was
  not seen is never a pass.
- **Profile.** Controls of profile *full* are asked with `[act] profile = \"full\"`.
- **Before the rule** the scope is tested: a level that is not asked, another role or another route gives *not applicable*; a
  level that nobody stated, or a role or an Annex point that the register does not give, gives *not assessed*.
- **Dates.** A reference that binds is a *duty in force* or a *duty to come*. A system that was in use before the date of
  Chapter III is met only by a significant change of its design (Art. 111(2)): that is printed with the date.
";

#[test]
fn the_page_of_the_controls_is_what_the_catalogue_says() {
    let page = page(&Catalogue::built_in());
    let path = project().join("docs/controls.md");
    if std::env::var("ACTLEDGER_STORIES").is_ok_and(|v| v == "write") {
        std::fs::write(&path, &page).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/controls.md is not made from this catalogue");
}

fn page(catalogue: &Catalogue) -> String {
    let law = &catalogue.law;
    let mut page = String::from(HEAD);
    let act = catalogue.controls.iter().filter(|c| c.kind == ControlKind::Act).count();
    let count = catalogue.controls.len();
    let _ = writeln!(
        page,
        "\nCatalogue {}: {count} controls, {act} of kind act and {} of kind house. The law: {}, amended by {}; checked on {}.\n{}\n{}",
        catalogue.version,
        count - act,
        law.base,
        law.amended_by,
        law.status_checked,
        law.sources,
        law.presumption_of_conformity,
    );
    page += "\nNot settled:\n\n";
    law.open_points.iter().for_each(|point| page += &format!("- {point}\n"));
    page += READING;
    page += &timetable(catalogue);
    page += &parameters();
    page += &overview(catalogue);
    for control in &catalogue.controls {
        page += &section(catalogue, control);
    }
    page += "\n## Articles for which our sources hold no evidence\n\n";
    for none in &catalogue.no_evidence {
        page += &format!("- {} ({}): {}\n", none.article, none.role, none.why);
    }
    page
}

fn timetable(catalogue: &Catalogue) -> String {
    let mut page = String::from("\n## The timetable\n\n");
    page += "A date is set otherwise with `[act.timetable]`, by its id. Reports say what was set.\n\n| id | date | what applies | basis |\n| --- | --- | --- | --- |\n";
    for d in &catalogue.timetable {
        page += &format!("| `{}` | {} | {} | {} |\n", d.id, d.date, d.what, d.basis);
    }
    page
}

/// Values of `[defaults]` and `[pack]` that are no list of tables.
fn parameters() -> String {
    let text = std::fs::read_to_string(project().join("src/act/eu-ai-act.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let mut page = String::from("\n## The numbers and lists\n\n");
    page += "What controls count with. Those of the house are set otherwise with `[act.parameters]`, by their name; the program names them\nwhen it refuses another.\n\n| name | value |\n| --- | --- |\n";
    for (name, value) in ["defaults", "pack"].into_iter().flat_map(|part| table[part].as_table().unwrap()) {
        let is_list_of_tables = value.as_array().is_some_and(|a| a.iter().any(toml::Value::is_table));
        if !is_list_of_tables {
            page += &format!("| `{name}` | `{}` |\n", value.to_string().replace('|', "\\|"));
        }
    }
    page
}

fn overview(catalogue: &Catalogue) -> String {
    let mut page = String::from(
        "\n## All of them\n\n| control | kind | asked of | sources | in one line |\n| --- | --- | --- | --- | --- |\n",
    );
    for c in &catalogue.controls {
        let kind = format!("{} {}", kind(c), if c.profile == "full" { "full" } else { "core" });
        page +=
            &format!("| [{}](#{}) | {kind} | {} | {} | {} |\n", c.id, c.id, asked(c), sources(c), c.short);
    }
    page
}

fn kind(c: &Control) -> &'static str {
    match c.kind {
        ControlKind::Act => "act",
        ControlKind::House => "house",
    }
}

fn asked(c: &Control) -> String {
    if c.subject == Subject::Estate {
        return "the estate".into();
    }
    let levels: Vec<&str> = c.levels.iter().map(|l| l.name()).collect();
    let levels = if levels.len() == 5 { "every level".into() } else { levels.join(", ") };
    match (&c.flag, c.roles.as_slice()) {
        (Some(flag), _) => format!("systems with {flag}"),
        (None, [one]) if c.kind == ControlKind::Act => format!("{levels}; {}", role(*one)),
        (None, _) => levels,
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Provider => "provider",
        Role::Deployer => "deployer",
        Role::Both => "provider and deployer",
        Role::GpaiProvider => "provider of the general-purpose model",
    }
}

fn sources(c: &Control) -> String {
    let names = |kinds: &[SourceKind]| kinds.iter().map(|k| k.name()).collect::<Vec<_>>().join(", ");
    let mut said = Vec::new();
    if !c.needed.is_empty() {
        said.push(names(&c.needed));
    }
    if !c.any_of.is_empty() {
        said.push(format!("one of {}", names(&c.any_of)));
    }
    if !c.optional.is_empty() {
        said.push(format!("also {}", names(&c.optional)));
    }
    said.join("; ")
}

fn section(catalogue: &Catalogue, c: &Control) -> String {
    let weight = match c.weight {
        Weight::Direct => "direct",
        Weight::Supporting => "supporting",
        Weight::Organisational => "organisational",
    };
    let tested = if c.tested == Tested::Throughout { "throughout" } else { "as of the last look" };
    let mut page = format!("\n## {}\n\n**{}** {}\n\n", c.id, c.title, c.question);
    page += &format!(
        "- Kind {}, weight {weight}, severity {}, profile {}. Asked of {}.\n",
        kind(c),
        c.severity,
        c.profile,
        asked(c)
    );
    let raised = c.basis_note.as_ref().map(|n| format!(" ({n})")).unwrap_or_default();
    page += &format!(
        "- Tested {tested}; basis {}{raised}. Sources: {}.\n- Unit: {}.\n",
        c.basis,
        sources(c),
        c.unit
    );
    if let Some(by) = &c.set_by {
        page +=
            &format!("- House rule of the {by}, level {}.\n", c.enforced_at.as_deref().unwrap_or("house"));
    }
    page += "\n| the first line that holds | gives |\n| --- | --- |\n";
    c.rule.iter().for_each(|line| page += &rule(line));
    if !c.no_units.is_empty() {
        page += "\n| where there is nothing to judge | gives |\n| --- | --- |\n";
        c.no_units.iter().for_each(|line| page += &rule(line));
    }
    if !c.references.is_empty() {
        page += "\nEvidence for, where it binds:\n\n";
        c.references.iter().for_each(|r| page += &reference(catalogue, r));
    }
    page + &format!("\nWhat to do: {}\n\nWhat it does not show: {}\n", c.remediation, c.limit)
}

fn rule(line: &Line) -> String {
    let status = line.status.name().replace('-', " ");
    let reason = if line.reason.is_empty() { String::new() } else { format!(": {}", line.reason) };
    format!("| {} | {status}{reason} |\n", line.when)
}

fn reference(catalogue: &Catalogue, r: &Reference) -> String {
    let date = |id: &String| {
        catalogue.timetable.iter().find(|d| d.id == *id).map(|d| d.date.clone()).unwrap_or_default()
    };
    let from: Vec<String> = r
        .from
        .iter()
        .map(|(route, id)| match serde_json::to_value(route).unwrap().as_str() {
            Some("any") | None => date(id),
            Some(route) => format!("{} by {route}", date(id)),
        })
        .collect();
    let legacy = r.legacy.as_ref().map(|l| {
        format!(
            "; from {} for what was placed before {} ({})",
            date(&l.from),
            date(&l.placed_before),
            l.basis
        )
    });
    let note = if r.note.is_empty() { String::new() } else { format!(" {}", r.note) };
    format!(
        "- {}, on the {}: from {}{}.{note}\n",
        r.article,
        role(r.role),
        from.join(", "),
        legacy.unwrap_or_default()
    )
}

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
  the finding, in the order not satisfied, not assessed, satisfied, not applicable; all four counts are always printed. A source that
  was not read is never a pass; what a pass still leaves open stands under \"What it does not show\".
- **Profile.** Controls of profile *full* are asked with `[act] profile = \"full\"`.
- **Before the rule** the scope is tested, but for controls of the estate. A flag that is not set, or a level that is not asked: not
  applicable (out-of-scope). A system without any level, where the control does not ask it: not assessed (level-unknown). Of kind act
  only: another role or another route: not applicable (other-role, other-route); no role where one alone is asked, or no Annex point
  where the references depend on it: not assessed (register-incomplete).
- **What was not seen.** Beside the units of the rule one stands for each needed source that is not configured (not-collected), is
  stale, or, where a control is tested throughout, has a gap in the window (source-gap, source-denied): not assessed, with what the
  source lacks. Hours of flow logs carry their own gaps. Where nothing is to judge the control is not applicable
  (nothing-to-check), unless a second table says otherwise.
- **Dates.** A reference that binds is a *duty in force* or a *duty to come*; what no reference makes a duty is a *house rule*. A
  high-risk system that was put into service before the date of Chapter III for its route is met after a significant change of its
  design only, or, where it is intended for public authorities, from 2030-08-02 on (Art. 111(2)): that is printed with the date.
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
        "\nCatalogue {}: {count} controls, {act} of kind act and {} of kind house. The law: {}, amended by {}; checked on {}.\n\nSources of the law: {}\n\nPresumption of conformity (Art. 40): {}",
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
    page += &reasons();
    page += &timetable(catalogue);
    page += &parameters();
    page += &lists(catalogue);
    page += &overview(catalogue);
    for control in &catalogue.controls {
        page += &section(catalogue, control);
    }
    page += "\n## Articles without a control\n\nNot a complete list.\n\n";
    for none in &catalogue.no_evidence {
        let of = if none.role == "gpai-provider" { role(Role::GpaiProvider) } else { none.role.as_str() };
        page += &format!("- {} ({of}): {}\n", none.article, none.why);
    }
    page + &terms()
}

/// What the page says of its words.
#[derive(serde::Deserialize)]
struct Words {
    reasons: toml::Table,
    words: toml::Table,
}

fn words() -> Words {
    toml::from_str(&std::fs::read_to_string(project().join("docs/words.toml")).unwrap()).unwrap()
}

fn reasons() -> String {
    let mut page = String::from("\n## The reasons\n\n| reason | means |\n| --- | --- |\n");
    for (code, means) in &words().reasons {
        page += &format!("| `{code}` | {} |\n", means.as_str().unwrap());
    }
    page
}

fn terms() -> String {
    let mut page = String::from("\n## The words of the rules\n");
    for (group, terms) in &words().words {
        page += &format!("\n### {}{}\n\n", group[..1].to_uppercase(), &group[1..]);
        for (term, means) in terms.as_table().unwrap() {
            page += &format!("- **{term}**: {}\n", means.as_str().unwrap());
        }
    }
    page
}

/// Every reason that a rule gives is explained.
#[test]
fn every_reason_has_a_meaning() {
    let known = words().reasons;
    let catalogue = Catalogue::built_in();
    let lines = catalogue.controls.iter().flat_map(|c| c.rule.iter().chain(&c.no_units));
    let missing: Vec<&str> =
        lines.map(|l| l.reason.as_str()).filter(|r| !r.is_empty() && !known.contains_key(*r)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn timetable(catalogue: &Catalogue) -> String {
    let mut page = String::from("\n## The timetable\n\n");
    page += "A date is set otherwise with `[act.timetable]`, by its id. Reports say what was set.\n\n| id | date | what applies | basis |\n| --- | --- | --- | --- |\n";
    for d in &catalogue.timetable {
        page += &format!("| `{}` | {} | {} | {} |\n", d.id, d.date, d.what, d.basis);
    }
    page
}

/// Values of `[defaults]` and `[pack]` that are no list of tables, with what the program's own words say of them.
fn parameters() -> String {
    let text = std::fs::read_to_string(project().join("src/act/eu-ai-act.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let source = |file: &str| std::fs::read_to_string(project().join("src/act").join(file)).unwrap();
    let fields = source("catalogue.rs") + &source("pack.rs");
    let overrides = source("overrides.rs");
    let (_, list) = overrides.split_once("const OF_THE_HOUSE").unwrap();
    let of_the_house = list.split_once("];").unwrap().0;
    let mut page = String::from("\n## The numbers and lists\n\n");
    page += "What controls count with. Those of the house are set otherwise with `[act.parameters]`, by their name.\n\n| name | value | what it is | of the house |\n| --- | --- | --- | --- |\n";
    for (name, value) in ["defaults", "pack"].into_iter().flat_map(|part| table[part].as_table().unwrap()) {
        let is_list_of_tables = value.as_array().is_some_and(|a| a.iter().any(toml::Value::is_table));
        if !is_list_of_tables {
            let (before, _) = fields.split_once(&format!("    pub {name}: ")).unwrap();
            let what = before.lines().last().unwrap().trim_start().trim_start_matches("/// ");
            let is_set = if of_the_house.contains(&format!("\"{name}\"")) { "yes" } else { "" };
            let value = value.to_string().replace('|', "\\|");
            page += &format!("| `{name}` | `{value}` | {what} | {is_set} |\n");
        }
    }
    page
}

/// Policies, constraints, registries and ports of the policy pack.
fn lists(catalogue: &Catalogue) -> String {
    let pack = &catalogue.pack;
    let mut page = String::from("\n| of the policy pack | |\n| --- | --- |\n");
    for p in &pack.policies {
        page += &format!("| policy `{}` | {}; asked by {} |\n", p.name, p.level, p.control);
    }
    for c in &pack.constraints {
        page += &format!("| constraint of kind `{}` | asked by {} |\n", c.kind, c.control);
    }
    for r in &pack.registries {
        let known = [("scheme", &r.schemes), ("host", &r.hosts)];
        let known = known.iter().filter(|(_, all)| !all.is_empty());
        let known = known.map(|(what, all)| format!("{what} {}", all.join(", ")));
        let known: Vec<String> = known.chain(r.arn_prefix.as_ref().map(|p| format!("ARN {p}…"))).collect();
        page += &format!("| registry {} | {} |\n", r.name, known.join("; "));
    }
    for p in &pack.ports {
        page += &format!("| watched port {} | {} |\n", p.port, p.name);
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
    let public = c.severity_when_public.as_ref();
    let public = public.map(|s| format!(" ({s} when a public address is involved)")).unwrap_or_default();
    let mut page = format!("\n## {}\n\n**{}**\n\nQuestion: {}\n\n", c.id, c.title, c.question);
    page += &format!(
        "- Kind {}, weight {weight}, severity {}{public}, profile {}. Asked of {}.\n",
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
        let at = match c.enforced_at.as_deref() {
            None | Some("house") => "no gate enforces it",
            Some(level) => level,
        };
        page += &format!("- Rule set by: {by}; enforced at: {at}.\n");
    }
    page += "\n| line | the first that holds | gives |\n| --- | --- | --- |\n";
    (1..).zip(&c.rule).for_each(|(n, line)| page += &format!("| {n} {}", rule(line)));
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
    let levels: Vec<&str> = r.levels.iter().map(|l| l.name()).collect();
    let of = match levels.as_slice() {
        [] => String::new(),
        ["high"] => " of a high-risk system".into(),
        levels if levels.len() >= 5 => String::new(),
        levels => format!(" of a system of level {}", levels.join(" or ")),
    };
    let note = if r.note.is_empty() { String::new() } else { format!(" {}", r.note) };
    format!(
        "- {}, on the {}{of}: from {}{}.{note}\n",
        r.article,
        role(r.role),
        from.join(", "),
        legacy.unwrap_or_default()
    )
}

//! One entry per item. Names of people are sealed; what rules need of them is worked out here, once.

use super::fields::{Located, Person, Said};
use super::file::{Exception, Incident, OverrideReason, PolicyChange, Register, System};
use crate::evidence::register as written;
use crate::evidence::{Evidence, Kind, Private, Time, json};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const SOURCE: &str = "register";

/// The entries of a register as it was read at a time.
pub fn evidence(register: &Register, at: Time) -> Vec<Evidence> {
    let state = |kind, subject: String, item: Value| Evidence::state(kind, SOURCE, subject, at, &item);
    let mut items = Vec::new();
    for s in &register.systems {
        let subject = format!("system:{}", s.id);
        items.push(state(Kind::RegisterSystem, subject.clone(), payload::<written::System>(s)));
        if let record @ (Said::None | Said::Given(_)) = &s.risk_assessment {
            let item = json!({ "system": s.id, "record": record });
            items.push(state(
                Kind::RegisterRiskAssessment,
                subject.clone(),
                payload::<written::RiskAssessment>(&item),
            ));
        }
        if let Some(item) = oversight(s) {
            items.push(state(Kind::RegisterOversight, subject, json(&item)));
        }
    }
    let system = |id: &Located| format!("system:{}", id.get_ref());
    for d in &register.decisions {
        items.push(state(Kind::RegisterDecision, system(&d.system), payload::<written::Decision>(d)));
    }
    for e in &register.exceptions {
        items.push(state(Kind::RegisterException, exception_subject(e), json(&exception(e))));
    }
    for r in &register.override_reasons {
        let subject = format!("override_reason:{}/{}", r.run, r.policy.as_deref().unwrap_or("*"));
        items.push(state(Kind::RegisterStatement, subject, json(&override_reason(r))));
    }
    for (i, c) in register.policy_changes.iter().enumerate() {
        let subject = format!("policy_change:{}/{i}", c.gate);
        items.push(state(Kind::RegisterStatement, subject, json(&policy_change(c))));
    }
    for c in &register.changes {
        let subject = format!("change:{}/{}", c.system.get_ref(), c.version);
        items.push(state(Kind::RegisterChange, subject, payload::<written::Change>(c)));
    }
    for a in &register.corrective_actions {
        let subject = format!("corrective_action:{}", a.finding);
        items.push(state(Kind::RegisterCorrectiveAction, subject, payload::<written::CorrectiveAction>(a)));
    }
    for (i, incident) in register.incidents.iter().enumerate() {
        let subject = incident_subject(&register.incidents[..i], incident);
        items.push(state(Kind::RegisterIncident, subject, payload::<written::Incident>(incident)));
    }
    if let Some(o) = &register.organization {
        items.push(state(
            Kind::RegisterOrganization,
            "organization".into(),
            payload::<written::Organization>(o),
        ));
    }
    items
}

/// The payload that an item's own form writes; a test holds the two forms together.
fn payload<T: DeserializeOwned + Serialize + Default>(item: &impl Serialize) -> Value {
    json(&serde_json::from_value::<T>(json(item)).unwrap_or_default())
}

fn oversight(s: &System) -> Option<written::Oversight> {
    let (people, trained) = match &s.oversight {
        Said::Absent => return None,
        Said::None => (Vec::new(), None),
        Said::Given(o) => (o.people.iter().filter_map(Person::private).collect(), o.trained),
    };
    Some(written::Oversight { gone: false, system: s.id.clone(), people, trained: trained.map(|w| w.0) })
}

/// An incident is named by its system, when it became known, and its category: others that come or go do not rename it.
fn incident_subject(before: &[Incident], incident: &Incident) -> String {
    let name = |i: &Incident| {
        let aware = i.aware.map_or_else(|| "-".into(), |t| t.0.to_string());
        let category = i.category.as_ref().map_or("-", |c| c.get_ref());
        format!("incident:{}/{aware}/{category}", i.system.get_ref())
    };
    let (name_of_this, same) = (name(incident), before.iter().filter(|i| name(i) == name(incident)).count());
    if same == 0 { name_of_this } else { format!("{name_of_this}/{same}") }
}

fn exception_subject(e: &Exception) -> String {
    let system = e.system.as_ref().map_or("", |s| s.get_ref());
    format!("exception:{}/{system}/{}", e.control.get_ref(), e.thing)
}

fn exception(e: &Exception) -> written::Exception {
    let same = e.requester.as_ref().zip(e.approver.as_ref()).map(|(r, a)| r.is(a));
    let written = serde_json::from_value(json(e)).unwrap_or_default();
    written::Exception { approver_is_requester: same, ..written }
}

fn override_reason(r: &OverrideReason) -> written::Statement {
    written::Statement {
        gone: false,
        what: "override_reason".into(),
        about: r.run.clone(),
        person: r.person.as_ref().and_then(Person::private),
        reason_chars: chars(&r.reason),
        reason: Some(Private::of(r.reason.trim())),
        recorded: r.recorded.map(|w| w.0),
        approver_is_requester: None,
    }
}

fn policy_change(c: &PolicyChange) -> written::Statement {
    let reason = c.reason.as_deref().unwrap_or_default();
    written::Statement {
        gone: false,
        what: "policy_change".into(),
        about: c.gate.clone(),
        person: c.approver.as_ref().and_then(Person::private),
        reason_chars: chars(reason),
        reason: (!reason.trim().is_empty()).then(|| Private::of(reason.trim())),
        recorded: c.date.map(|w| w.0),
        approver_is_requester: c.requester.as_ref().zip(c.approver.as_ref()).map(|(r, a)| r.is(a)),
    }
}

fn chars(text: &str) -> i64 {
    i64::try_from(text.trim().chars().count()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_one_entry_and_names_are_sealed() {
        let text = r#"
            [[system]]
            id = "a"
            risk_assessment = { uri = "s3://b/k", sha256 = "AB", date = 2026-01-02, approver = "Ada" }
            select = [{ kubernetes = { namespace = "ml", app = "a" } }]
            [[system]]
            id = "b"
            risk_assessment = "none"
            [[exception]]
            control = "spend-limit"
            system = "a"
            requester = "Bob"
            approver = "bob "
        "#;
        let entries = evidence(&Register::parse(text, "systems.toml").unwrap(), Time::default());
        assert_eq!(entries.len(), 5);
        assert_eq!(entries[1].payload["record"]["approver"]["$open"], "Ada");
        assert_eq!(entries[3].payload["record"]["state"], "none");
        assert_eq!(entries[4].payload["approver_is_requester"], true);
    }

    #[test]
    fn an_unknown_field_is_refused_with_its_place() {
        let refused = |text: &str| Register::parse(text, "systems.toml").expect_err("refused").to_string();
        let error = refused("[[system]]\nid = 'a'\nrisk = 'high'");
        assert!(error.contains("line 3"), "{error}");
        let error =
            refused("[[system]]\nid = 'a'\nfria = { applies = true,\n record = { url = 's3://b/k' } }");
        assert!(error.contains("line 4") && error.contains("unknown field `url`"), "{error}");
        let error = refused("[[system]]\nid = 'a'\nrisk_assessment = 'nil'");
        assert!(error.contains("line 3") && error.contains("the word \"none\""), "{error}");
        let error = refused("[[system]]\nid = 'a'\nput_into_service = '2026-01-01'");
        assert!(error.contains("line 3"), "{error}");
    }

    /// Every field that the form knows, with a value of its own.
    const FULL: &str = r#"
        [organization]
        ai_literacy = { measures = "v1", audience = "v2", date = 2026-01-01, owner = "v3" }
        [[system]]
        id = "v4"
        description = "v5"
        team = "v6"
        owner = "v7"
        risk_level = "v8"
        annex = "v9"
        role = "v10"
        put_into_service = 2026-01-02
        profiles_people = true
        workplace = true
        decides_about_people = true
        for_public_authorities = true
        shared = true
        select = [{ s3 = { bucket = "v11", prefix = "v12" } }]
        adopts = ["v13"]
        was = "v14"
        serving_ports = [8443]
        egress = ["v15"]
        risk_assessment = { uri = "v16", sha256 = "v17", version_id = "v18", date = 2026-01-03, approver = "v19", model_versions = ["v20"] }
        not_high_assessment = { uri = "v21" }
        technical_documentation = { uri = "v22" }
        art50 = [{ paragraph = 1, applies = true, reason = "v23", record = { uri = "v24" }, since = 2026-01-04 }]
        conformity = { assessment = { uri = "v25" }, declaration = { uri = "v26" }, ce_marking = { uri = "v27" }, registration = { number = "v28", date = 2026-01-05 } }
        art49_2 = { number = "v29", date = 2026-01-06 }
        oversight = { people = ["v30"], trained = 2026-01-07 }
        fria = { applies = true, reason = "v31", record = { uri = "v32" }, notified = 2026-01-08, covered_by = "v33" }
        workers_informed = { date = 2026-01-09, how = "v34" }
        people_informed = { date = 2026-01-10, how = "v35" }
        modification = { own = true, assessment = { uri = "v36" }, makes_provider = true }
        log_store = ["v37"]
        incident_log = "v38"
        review = { date = 2026-01-11, reviewer = "v39", uri = "v40", sha256 = "v41" }
        gpai = { provider = true, systemic = true, open_source = "v42", technical_documentation = { uri = "v43" }, downstream_information = { uri = "v44" }, copyright_policy = { uri = "v45" }, training_summary = { uri = "v46" } }
        [[decision]]
        system = "v47"
        level = "v48"
        annex = "v49"
        role = "v50"
        approver = "v51"
        date = 2026-01-12
        reason = "v52"
        review_by = 2026-01-13
        [[change]]
        system = "v53"
        version = "v54"
        date = 2026-01-14
        approver = "v55"
        substantial = true
        predetermined = true
        still_holds = ["v56"]
        [[exception]]
        system = "v57"
        control = "v58"
        thing = "v59"
        owner = "v60"
        requester = "v61"
        reason = "v62"
        approver = "v63"
        expires = 2026-01-15
        ticket = "v64"
        [[corrective_action]]
        finding = "v65"
        owner = "v66"
        due = 2026-01-16
        approver = "v67"
        ticket = "v68"
        [[incident]]
        system = "v69"
        aware = 2026-01-17
        category = "v70"
        reported = 2026-01-18
        told_provider = 2026-01-19
        [[override_reason]]
        run = "v71"
        policy = "v72"
        person = "v73"
        reason = "v74"
        recorded = 2026-01-20
        [[policy_change]]
        gate = "v75"
        requester = "v76"
        approver = "v77"
        date = 2026-01-21
        reason = "v78"
    "#;

    #[test]
    fn every_field_that_the_form_knows_stands_in_an_entry() {
        let entries = evidence(&Register::parse(FULL, "systems.toml").unwrap(), Time::default());
        let said: Vec<String> = entries.iter().map(|e| format!("{} {}", e.subject, e.payload)).collect();
        let said = said.join("\n");
        // Who asked is read for one thing only: whether it is who approved.
        let missing = (1..=78)
            .map(|n| format!("v{n}"))
            .filter(|v| !said.split(|c: char| !c.is_alphanumeric()).any(|word| word == v) && v != "v76");
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<String>::new());
        let days = (1..=21).map(|n| format!("2026-01-{n:02}T"));
        assert_eq!(days.filter(|d| !said.contains(d)).collect::<Vec<_>>(), Vec::<String>::new());
        let flags = entries.iter().map(|e| e.payload.to_string().matches("true").count());
        assert_eq!(flags.sum::<usize>(), 13);
    }

    #[test]
    fn an_item_that_says_only_what_it_must_is_read_whole() {
        let text = "[[system]]\nid = 'a'\n[[decision]]\nsystem = 'a'\nlevel = 'high'\n[[change]]\nsystem = 'a'\nversion = 'v1'\n[[exception]]\ncontrol = 'spend-limit'\n[[corrective_action]]\nfinding = '#1'\n[[incident]]\nsystem = 'a'\n[organization]\n";
        let entries = evidence(&Register::parse(text, "systems.toml").unwrap(), Time::default());
        let said: Vec<String> = entries.iter().map(|e| e.payload.to_string()).collect();
        assert_eq!(entries.len(), 7);
        for (entry, member) in said.iter().zip([
            "\"id\":\"a\"",
            "\"level\":\"high\"",
            "\"control\":\"spend-limit\"",
            "\"version\":\"v1\"",
            "\"finding\":\"#1\"",
            "\"system\":\"a\"",
            "ai_literacy",
        ]) {
            assert!(entry.contains(member), "{entry}");
        }
    }

    #[test]
    fn two_items_about_one_thing_clash() {
        let twice = |item: &str| {
            let mut register = Register::default();
            let two = format!("{item}{item}");
            register
                .extend(Register::parse(&two, "systems.toml").unwrap(), "systems.toml")
                .unwrap_err()
                .to_string()
        };
        assert!(
            twice("[[exception]]\ncontrol = 'a'\nthing = 'x'\n")
                .contains("two [[exception]] are about \"a  x\"")
        );
        assert!(twice("[[change]]\nsystem = 'a'\nversion = 'v1'\n").contains("two [[change]]"));
        assert!(twice("[[system]]\nid = 'a'\n").contains("two [[system]] have id = \"a\""));
    }

    #[test]
    fn what_is_odd_is_told_with_its_line_when_all_files_are_read() {
        let mut register =
            Register::parse("[[system]]\nid = 'a'\nrisk_level = 'hihg'\nannex = '4(a)'", "a.toml").unwrap();
        let other = "[[exception]]\ncontrol = 'spend-limits'\nsystem = 'a'\n[[incident]]\nsystem = 'b'\ncategory = 'fire'\n";
        register.extend(Register::parse(other, "b.toml").unwrap(), "b.toml").unwrap();
        let odd: Vec<String> =
            register.remarks(&crate::act::Catalogue::built_in()).iter().map(ToString::to_string).collect();
        assert_eq!(odd.len(), 5, "{odd:#?}");
        assert!(odd[0].starts_with("a.toml:3: risk_level = \"hihg\" is none of"), "{odd:#?}");
        assert!(odd[2].starts_with("b.toml:2: control = \"spend-limits\" is not in"), "{odd:#?}");
        assert!(odd[3].starts_with("b.toml:5: no [[system]] has id = \"b\""), "{odd:#?}");
    }
}

//! One entry per item. Names of people are sealed; what rules need of them is worked out here, once.

use super::file::{Art50, Exception, RecordField, Register, System};
use crate::evidence::register as payload;
use crate::evidence::{Evidence, Kind, Private, Time, json};

const SOURCE: &str = "register";

/// The entries of a register as it was read at a time.
pub fn evidence(register: &Register, at: Time) -> Vec<Evidence> {
    let systems = register.systems.iter().flat_map(|s| system(s, at));
    let decisions = register.decisions.iter().map(|d| {
        let item = payload::Decision {
            gone: false,
            system: d.system.clone(),
            level: d.level.clone(),
            annex: d.annex.clone(),
            role: d.role.clone(),
            approver: private(d.approver.as_deref()),
            date: d.date.map(|w| w.0),
            reason: d.reason.clone(),
            review_by: d.review_by.map(|w| w.0),
        };
        Evidence::state(Kind::RegisterDecision, SOURCE, format!("system:{}", d.system), at, &item)
    });
    let exceptions = register.exceptions.iter().map(|e| exception(e, at));
    let reasons = register.override_reasons.iter().map(|r| {
        let item = payload::Statement {
            gone: false,
            what: "override_reason".into(),
            about: r.run.clone(),
            person: private(r.person.as_deref()),
            reason_chars: chars(&r.reason),
            reason: Some(Private::of(r.reason.trim())),
            recorded: r.recorded.map(|w| w.0),
            approver_is_requester: None,
        };
        let subject = format!("override_reason:{}/{}", r.run, r.policy.as_deref().unwrap_or("*"));
        Evidence::state(Kind::RegisterStatement, SOURCE, subject, at, &item)
    });
    let changes = register.policy_changes.iter().enumerate().map(|(i, c)| {
        let pair = c.requester.as_deref().zip(c.approver.as_deref());
        let reason = c.reason.as_deref().unwrap_or_default();
        let item = payload::Statement {
            gone: false,
            what: "policy_change".into(),
            about: c.gate.clone(),
            person: private(c.approver.as_deref()),
            reason_chars: chars(reason),
            reason: (!reason.trim().is_empty()).then(|| Private::of(reason.trim())),
            recorded: c.date.map(|w| w.0),
            approver_is_requester: pair.map(|(a, b)| a.trim().eq_ignore_ascii_case(b.trim())),
        };
        Evidence::state(Kind::RegisterStatement, SOURCE, format!("policy_change:{}/{i}", c.gate), at, &item)
    });
    systems.chain(decisions).chain(exceptions).chain(reasons).chain(changes).collect()
}

fn system(s: &System, at: Time) -> Vec<Evidence> {
    let subject = format!("system:{}", s.id);
    let item = payload::System {
        gone: false,
        id: s.id.clone(),
        description: s.description.clone(),
        team: s.team.clone(),
        owner: s.owner.clone(),
        risk_level: s.risk_level.clone(),
        annex: s.annex.clone(),
        role: s.role.clone(),
        put_into_service: s.put_into_service.map(|w| w.0),
        profiles_people: s.profiles_people,
        shared: s.shared,
        select: s.select.iter().map(json).collect(),
        adopts: s.adopts.clone(),
        was: s.was.clone(),
        serving_ports: s.serving_ports.clone(),
        egress: s.egress.clone(),
        art50: s.art50.iter().map(art50).collect(),
        not_high_assessment: record(s.not_high_assessment.as_ref()),
        technical_documentation: record(s.technical_documentation.as_ref()),
    };
    let mut items = vec![Evidence::state(Kind::RegisterSystem, SOURCE, subject.clone(), at, &item)];
    if s.risk_assessment.is_some() {
        let record = record(s.risk_assessment.as_ref());
        let item = payload::RiskAssessment { gone: false, system: s.id.clone(), record };
        items.push(Evidence::state(Kind::RegisterRiskAssessment, SOURCE, subject, at, &item));
    }
    items
}

fn exception(e: &Exception, at: Time) -> Evidence {
    let same = e.requester.as_ref().zip(e.approver.as_ref());
    let item = payload::Exception {
        gone: false,
        system: e.system.clone(),
        control: e.control.clone(),
        thing: e.thing.clone(),
        owner: e.owner.clone(),
        requester: private(e.requester.as_deref()),
        approver: private(e.approver.as_deref()),
        approver_is_requester: same.map(|(r, a)| r.trim().eq_ignore_ascii_case(a.trim())),
        reason: e.reason.clone(),
        expires: e.expires.map(|w| w.0),
    };
    let subject = format!("exception:{}/{}/{}", e.control, e.system, e.thing);
    Evidence::state(Kind::RegisterException, SOURCE, subject, at, &item)
}

fn art50(a: &Art50) -> payload::Art50 {
    payload::Art50 {
        paragraph: a.paragraph,
        applies: a.applies,
        reason: a.reason.clone(),
        record: record(a.record.as_ref()),
        since: a.since.map(|w| w.0),
    }
}

fn record(field: Option<&RecordField>) -> payload::RecordState {
    match field {
        None => payload::RecordState::Absent,
        Some(RecordField::Word(_)) => payload::RecordState::None,
        Some(RecordField::Record(r)) => payload::RecordState::Given(payload::Record {
            uri: r.uri.clone(),
            sha256: r.sha256.as_ref().map(|s| s.to_lowercase()),
            version_id: r.version_id.clone(),
            date: r.date.map(|w| w.0),
            approver: private(r.approver.as_deref()),
            model_versions: r.model_versions.clone(),
        }),
    }
}

fn private(name: Option<&str>) -> Option<Private> {
    name.map(str::trim).filter(|n| !n.is_empty()).map(Private::of)
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
        let error =
            Register::parse("[[system]]\nid = 'a'\nrisk = 'high'", "systems.toml").expect_err("refused");
        assert!(error.to_string().contains("line 3"), "{error}");
    }
}

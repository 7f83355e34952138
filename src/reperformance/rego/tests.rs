//! One test for each construct in which a bare evaluator and Gatekeeper part ways.

use super::*;
use serde_json::json;

fn template(rule: &str) -> Result<Template, String> {
    Template::new(&json!([{"target": "admission.k8s.gatekeeper.sh", "rego": rule}]))
}

/// Messages of a rule's body for an object with some parameters.
fn messages(rule: &str, object: &Json, given: &Json) -> Vec<String> {
    let rule = format!("package t\n{rule}");
    let mut template = template(&rule).unwrap_or_else(|why| panic!("{why}: {rule}"));
    match template.evaluate(&review(object).unwrap(), &parameters(given).unwrap()) {
        Outcome::Violations(all) => all.into_iter().map(|(message, _)| message).collect(),
        other => panic!("{other:?}: {rule}"),
    }
}

fn body(body: &str) -> String {
    format!("violation[{{\"msg\": msg}}] {{ msg := \"m\"; {body} }}")
}

fn violates(rule_body: &str, object: &Json) -> bool {
    !messages(&body(rule_body), object, &Json::Null).is_empty()
}

fn unknown(rule: &str, object: &Json) -> String {
    let mut template = template(&format!("package t\n{rule}")).unwrap();
    match template.evaluate(&review(object).unwrap(), &Value::new_object()) {
        Outcome::Unknown(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_negated_call_is_given_is_looked_up_before_the_negation() {
    let object = json!({"kind": "Pod", "metadata": {"name": "p"}, "a": {"b": 1, "list": [1, 2]}});
    for (rule_body, is_violation) in [
        // Undefined: the body fails.
        ("not startswith(input.review.object.x.y, \"a\")", false),
        ("not count(input.review.object.x) > 0", false),
        ("not input.review.object.x > 1", false),
        ("not input.review.object.x != 1", false),
        ("not f(input.review.object.x)", false),
        ("not f(g(input.review.object.x))", false),
        ("not input.review.object.x in {1, 2}", false),
        ("not input.review.object.a[input.review.object.x]", false),
        ("not f([input.review.object.x])", false),
        ("not f(missing)", false),
        // Undefined itself: the negation is true.
        ("not input.review.object.x", true),
        ("not input.review.object.x == 1", true),
        ("not input.review.object.x = 1", true),
        ("not missing", true),
        // Defined.
        ("not input.review.object.a.b > 1", true),
        ("not f(input.review.object.a.b)", false),
        ("not f(g(input.review.object.a.b))", true),
        ("x := input.review.object.a.b; not f(x)", false),
        // One of the list will do.
        ("not input.review.object.a.list[_] > 1", true),
        ("count([1 | not f(input.review.object.x)]) > 0", false),
        ("count([1 | not f(g(input.review.object.a.b))]) > 0", true),
        ("not f(input.review.object.z) with input.review.object.z as 7", true),
    ] {
        let rule = format!(
            "import future.keywords.in\nf(x) {{ x == 1 }}\ng(x) = y {{ y := x + 1 }}\nmissing {{ false }}\n{}",
            body(rule_body)
        );
        assert_eq!(!messages(&rule, &object, &Json::Null).is_empty(), is_violation, "{rule_body}");
    }
}

#[test]
fn a_parenthesis_on_a_new_line_is_no_call() {
    let object = json!({"kind": "Pod", "metadata": {"name": "p"}, "a": 3});
    assert!(violates("x := input.review.object.a\n(x > 2) == true", &object));
}

#[test]
fn further_bodies_of_a_set_count() {
    let rule = "violation[{\"msg\": msg}] {\n  msg := \"a\"\n} {\n  msg := \"b\"\n}";
    assert_eq!(messages(rule, &json!({"kind": "Pod"}), &Json::Null), ["a", "b"]);
}

#[test]
fn regular_expressions_are_those_of_go() {
    let object = json!({"kind": "Pod", "metadata": {"name": "p"}, "digits": "١٢", "text": "a-b.c"});
    assert!(violates("not regex.match(`^\\d+$`, input.review.object.digits)", &object));
    assert!(violates("re_match(`^[\\w-.]+$`, input.review.object.text)", &object));
    assert!(violates("regex.replace(\"aXbX\", \"X\", \"-\") == \"a-b-\"", &object));
    assert_eq!(unknown(&body("regex.match(`\\pL`, \"a\")"), &object), "a regular expression that may differ");
}

#[test]
fn functions_of_older_versions_are_there() {
    for rule_body in [
        "any([false, true]); not any([]); all([true]); all([])",
        "cast_array({2, 1}) == [1, 2]; cast_set([1, 1]) == {1}",
        "set_diff({1, 2}, {2}) == {1}",
        "to_number(\"12\") == 12; to_number(\"-0.5\") == -0.5; to_number(true) == 1",
        "numbers.range(3, 1) == [3, 2, 1]",
        "lower(\"AbC\") == \"abc\"; split(\"a,b\", \",\") == [\"a\", \"b\"]",
        "json.marshal({\"b\": [1, \"x\"], \"a\": null}) == `{\"a\":null,\"b\":[1,\"x\"]}`",
    ] {
        assert!(violates(rule_body, &json!({"kind": "Pod"})), "{rule_body}");
    }
    for (rule_body, why) in [
        ("lower(\"İ\") == \"i\"", "lower of a letter beyond ASCII"),
        ("to_number(\"+5\") == 5", "to_number of such a text"),
        ("split(\"abc\", \"\") == []", "split by nothing"),
        ("count(numbers.range(1, 50000000)) > 1", "numbers.range of so many"),
        ("json.marshal(\"<\") == \"\"", "json.marshal of this value"),
        ("sprintf(\"%#v\", [1]) == \"\"", "sprintf with this format or value"),
    ] {
        assert_eq!(unknown(&body(rule_body), &json!({"kind": "Pod"})), why);
    }
}

#[test]
fn messages_are_those_of_go() {
    let said = |format: &str, args: &str| {
        let rule = format!("violation[{{\"msg\": msg}}] {{ msg := sprintf({format:?}, {args}) }}");
        messages(&rule, &json!({"kind": "Pod"}), &Json::Null).pop().unwrap()
    };
    assert_eq!(said("%v %v", "[set(), {\"b\", \"a\"}]"), "set() {\"a\", \"b\"}");
    assert_eq!(
        said("%v", "[{\"a\": [1, true, null], \"b\": \"x\"}]"),
        "{\"a\": [1, true, null], \"b\": \"x\"}"
    );
    assert_eq!(said("%d", "[-2]"), "-2");
    assert_eq!(said("%v %s", "[\"a\"]"), "a %!s(MISSING)");
    assert_eq!(said("a", "[1]"), "a%!(EXTRA int=1)");
    assert_eq!(said("%d", "[\"x\"]"), "%!d(string=x)");
}

#[test]
fn big_numbers_of_a_review_are_floats_and_those_of_parameters_are_not() {
    let rule = "violation[{\"msg\": msg}] { msg := sprintf(\"%v %d %v\", [input.review.object.uid, input.review.object.uid, input.parameters.uid]) }";
    let object = json!({"kind": "Pod", "uid": 1_000_650_000});
    assert_eq!(
        messages(rule, &object, &json!({"uid": 1_000_650_000})),
        ["1.00065e+09 %!d(float64=1.00065e+09) 1000650000"]
    );
    let rule = "violation[{\"msg\": msg}] { msg := sprintf(\"%v %v\", [input.review.object.n, input.review.object.m]) }";
    for (n, shown) in [(999_999, "999999"), (1_048_576, "1.048576e+06"), (2_000_001, "2.000001e+06")] {
        let object = json!({"kind": "Pod", "n": n, "m": -n});
        assert_eq!(messages(rule, &object, &Json::Null), [format!("{shown} -{shown}")]);
    }
    assert!(violates("input.review.object.uid == 1000650000", &object));
    assert!(review(&json!({"kind": "Pod", "n": 9_007_199_254_740_993_u64})).is_err());
}

#[test]
fn several_values_where_one_is_due_are_a_conflict() {
    let rule = "package t\nx = 1 { input.review.name == \"p\" }\nx = 2 { true }\nviolation[{\"msg\": \"m\"}] { x == 3 }";
    let mut template = template(rule).unwrap();
    let review = review(&json!({"kind": "Pod", "metadata": {"name": "p"}})).unwrap();
    assert_eq!(template.evaluate(&review, &Value::new_object()), Outcome::Conflict);
}

#[test]
fn the_review_is_that_of_an_audit() {
    let object =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "n"}});
    for rule_body in [
        "input.review.kind == {\"group\": \"apps\", \"version\": \"v1\", \"kind\": \"Deployment\"}",
        "input.review.name == \"d\"; input.review.namespace == \"n\"; input.review.operation == \"\"",
        "input.review.userInfo == {}; input.review.oldObject == null; input.parameters == {}",
    ] {
        assert!(violates(rule_body, &object), "{rule_body}");
    }
    assert!(!violates("input.review.namespace", &json!({"kind": "Node", "metadata": {"name": "n"}})));
}

#[test]
fn details_tell_violations_apart() {
    let rule = "package t\nviolation[{\"msg\": \"m\", \"details\": {\"n\": n}}] { n := [1, 2][_] }";
    let mut template = template(rule).unwrap();
    let review = review(&json!({"kind": "Pod"})).unwrap();
    let Outcome::Violations(all) = template.evaluate(&review, &Value::new_object()) else { panic!() };
    assert_eq!(all.len(), 2);
}

#[test]
fn libraries_and_both_versions_of_rego_are_read() {
    let source = json!({"rego": "package t\nimport data.lib.names\nviolation contains {\"msg\": msg} if { msg := names.say(input.review.name) }",
        "libs": ["package lib.names\nsay(x) := sprintf(\"<%v>\", [x])"], "version": "v1"});
    let mut template = Template::new(&json!([{"code": [{"engine": "Rego", "source": source}]}])).unwrap();
    let review = review(&json!({"kind": "Pod", "metadata": {"name": "p"}})).unwrap();
    let outcome = template.evaluate(&review, &Value::new_object());
    assert_eq!(outcome, Outcome::Violations([("<p>".into(), "{}".into())].into()));
}

#[test]
fn what_cannot_be_reperformed_is_recognised() {
    let deep = format!("x = {}1{} {{ true }}", "[".repeat(12), "]".repeat(12));
    for (rule, why) in [
        ("violation[{\"msg\": m}] { m := undefined_function(1) }", "calls undefined_function"),
        (
            "violation[{\"msg\": m}] { external_data({\"provider\": \"p\", \"keys\": [\"k\"]}); m := \"\" }",
            "calls external_data",
        ),
        ("violation[{\"msg\": m}] { time.now_ns() > 0; m := \"\" }", "calls time.now_ns"),
        ("violation[{\"msg\": m}] { http.send({}); m := \"\" }", "calls http.send"),
        (
            "violation[{\"msg\": m}] { o := data.inventory.cluster[_]; m := \"\" }",
            "looks at other objects (data.inventory)",
        ),
        (
            "violation[{\"msg\": m}] { o := data[\"inventory\"]; m := \"\" }",
            "looks at other objects (data.inventory)",
        ),
        ("violation[{\"msg\": m}] { o := data[input.x]; m := \"\" }", "reads data"),
        ("f(x) { f(x) }\nviolation[{\"msg\": m}] { f(1); m := \"\" }", "data.t.f uses itself"),
        ("f(x) { g(x) }\ng(x) { f(x) }\nviolation[{\"msg\": m}] { f(1); m := \"\" }", "data.t.f uses itself"),
        (&deep, "nests more than 10 deep"),
    ] {
        let refused = template(&format!("package t\n{rule}")).err().unwrap_or_default();
        assert!(refused.starts_with(why), "{rule}: {refused}");
    }
    let cel = json!([{"code": [{"engine": "K8sNativeValidation", "source": {}}, {"engine": "Rego", "source": {"rego": "package t"}}]}]);
    assert!(Template::new(&cel).err().unwrap().contains("CEL"));
    assert!(Template::new(&json!([{}, {}])).is_err());
    assert!(template("package t\nviolation[").is_err());
}

#[test]
fn an_evaluation_ends_after_a_second() {
    let rule = body("r := numbers.range(1, 9000); count([1 | r[_] + r[_] == 0]) > 1");
    let begin = std::time::Instant::now();
    assert!(!unknown(&rule, &json!({"kind": "Pod"})).is_empty());
    assert!(begin.elapsed() < TIME * 5);
}

//! What of a template can be evaluated here with Gatekeeper's results, before anything is evaluated: functions that are known
//! to agree, no data but its own libraries, no recursion.

use super::builtins;
use super::walk::{self, Node};
use regorus::unstable::{Expr, Module, Rule, RuleHead};
use std::collections::{BTreeMap, BTreeSet};

/// Longest chain of rules and functions that use one another: each takes room on the stack.
const LONGEST: usize = 32;

/// Says why a template, its main module first, cannot be re-performed.
///
/// # Errors
/// The first reason.
pub(super) fn check(modules: &[Module]) -> Result<(), String> {
    let packages: BTreeSet<String> = modules.iter().map(package).collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in modules {
        let own = package(module);
        let imports = imports(module);
        let names: BTreeSet<String> =
            module.policy.iter().map(|r| format!("{own}.{}", rule_name(r))).collect();
        for rule in &module.policy {
            let mut used = BTreeSet::new();
            let mut fault = None;
            walk::rule(rule, &mut |node| {
                if let Node::Expr(expr) = node
                    && let Err(why) = expression(expr, &own, &imports, &names, &packages, &mut used)
                {
                    fault.get_or_insert(why);
                }
                true
            });
            if let Some(why) = fault {
                return Err(why);
            }
            uses.entry(format!("{own}.{}", rule_name(rule))).or_default().extend(used);
        }
    }
    chains(uses)
}

/// `data.` and the path of a module's package.
pub(super) fn package(module: &Module) -> String {
    let path = constant_path(&module.package.refr).0;
    format!("data.{}", path.join("."))
}

/// What a module's names for imports stand for.
fn imports(module: &Module) -> BTreeMap<String, String> {
    let named = module.imports.iter().map(|import| {
        let path = constant_path(&import.refr).0;
        let name = import.r#as.as_ref().map(|a| a.text().to_owned());
        (name.or_else(|| path.last().cloned()).unwrap_or_default(), path.join("."))
    });
    named.collect()
}

/// Names of a module that are no local variables.
pub(super) fn global_names(module: &Module) -> BTreeSet<String> {
    let rules = module.policy.iter().map(|r| rule_name(r));
    rules.chain(imports(module).into_keys()).chain(["input".into(), "data".into()]).collect()
}

fn rule_name(rule: &Rule) -> String {
    let refr = match rule {
        Rule::Default { refr, .. } => refr,
        Rule::Spec {
            head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. } | RuleHead::Func { refr, .. },
            ..
        } => refr,
    };
    constant_path(refr).0.into_iter().next().unwrap_or_default()
}

/// The parts of a reference that are constant, and whether there are others behind them.
fn constant_path(expr: &Expr) -> (Vec<String>, bool) {
    let part = |refr: &Expr, part: Option<String>| {
        let (mut path, open) = constant_path(refr);
        match part {
            Some(part) if !open => {
                path.push(part);
                (path, false)
            }
            _ => (path, true),
        }
    };
    match expr {
        Expr::Var { span, .. } => (vec![span.text().to_owned()], false),
        Expr::RefDot { refr, field, .. } => part(refr, Some(field.0.text().to_owned())),
        Expr::RefBrack { refr, index, .. } => {
            let text = match index.as_ref() {
                Expr::String { value, .. } => value.as_string().ok().map(|s| s.to_string()),
                _ => None,
            };
            part(refr, text)
        }
        _ => (Vec::new(), true),
    }
}

/// Takes down what an expression uses.
fn expression(
    expr: &Expr,
    own: &str,
    imports: &BTreeMap<String, String>,
    names: &BTreeSet<String>,
    packages: &BTreeSet<String>,
    used: &mut BTreeSet<String>,
) -> Result<(), String> {
    let (function, refr) = match expr {
        Expr::Call { fcn, .. } => (true, fcn.as_ref()),
        Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => (false, expr),
        _ => return Ok(()),
    };
    let (path, open) = constant_path(refr);
    let Some((root, rest)) = path.split_first() else { return Ok(()) };
    let here = format!("{own}.{root}");
    if names.contains(&here) {
        used.insert(here);
        return Ok(());
    }
    let full = imports.get(root).map_or_else(|| root.clone(), Clone::clone);
    let full =
        std::iter::once(full.as_str()).chain(rest.iter().map(String::as_str)).collect::<Vec<_>>().join(".");
    if full == "data" || full.starts_with("data.") {
        let library = packages.iter().find(|p| {
            full.strip_prefix(p.as_str()).is_some_and(|r| r.is_empty() && !open || r.starts_with('.'))
        });
        return match library {
            Some(package) => {
                let rule = full[package.len()..].split('.').nth(1).unwrap_or_default();
                used.insert(format!("{package}.{rule}"));
                Ok(())
            }
            None if full.starts_with("data.inventory") => {
                Err("looks at other objects (data.inventory)".into())
            }
            None => Err(format!("reads {full}")),
        };
    }
    if function && !builtins::is_known(&full) {
        return Err(format!("calls {full}"));
    }
    Ok(())
}

/// Refuses recursion and long chains: takes away what uses nothing more, round after round.
fn chains(mut uses: BTreeMap<String, BTreeSet<String>>) -> Result<(), String> {
    for _ in 0..LONGEST {
        let done: Vec<String> =
            uses.iter().filter(|(_, u)| u.is_empty()).map(|(name, _)| name.clone()).collect();
        uses.retain(|_, used| !used.is_empty());
        for used in uses.values_mut() {
            used.retain(|name| !done.contains(name));
        }
        if uses.is_empty() {
            return Ok(());
        }
        // What is used and is no rule at all is undefined.
        let known: BTreeSet<String> = uses.keys().cloned().collect();
        uses.values_mut().for_each(|used| used.retain(|name| known.contains(name)));
    }
    let first = uses.keys().next().cloned().unwrap_or_default();
    Err(format!("{first} uses itself, or more than {LONGEST} others one after another"))
}

//! Negation as OPA compiles it: what a negated call is given is looked up before the negation, so that the body fails where it
//! is undefined. regorus looks it up inside, where undefined makes the negation true: a violation that is none (OPA,
//! `ast/compile.go`, rewriting of dynamic terms).

use super::print::{self, expression};
use super::source;
use super::walk::{self, Node};
use regorus::unstable::{AssignOp, BoolOp, Expr, Literal, LiteralStmt, Module, Ref};
use std::collections::{BTreeSet, HashMap};

/// Names that were given to what stands before a negation.
pub(super) struct Negation {
    /// Names that are no local variables: rules, imports, `input`, `data`.
    global: BTreeSet<String>,
    names: HashMap<usize, String>,
    before: Vec<String>,
    count: usize,
}

/// Beginning of the names that are given.
const NAME: &str = "gk_before_";

/// The text of a module with its negations as OPA means them.
///
/// # Errors
/// When the text uses the names that would be given.
pub(super) fn rewritten(module: &Module, text: &str, global: BTreeSet<String>) -> Result<String, String> {
    if text.contains(NAME) {
        return Err(format!("uses names that begin with {NAME}"));
    }
    let mut names = Negation { global, names: HashMap::new(), before: Vec::new(), count: 0 };
    let mut edits = Vec::new();
    walk::module(module, &mut |node| {
        let Node::Statement(stmt @ LiteralStmt { literal: Literal::NotExpr { .. }, .. }) = node else {
            return true;
        };
        let before = names.count;
        let said = print::statement(stmt, &mut names);
        let is_changed = names.count > before;
        if is_changed {
            edits.push((stmt.span.start as usize, stmt.span.end as usize, said));
        }
        !is_changed
    });
    Ok(source::edited(text, edits))
}

impl Negation {
    /// The name that an expression was given.
    pub(super) fn name_of(&self, expr: &Expr) -> Option<String> {
        self.names.get(&address(expr)).cloned()
    }

    /// A negated expression, with what has to be looked up before it.
    pub(super) fn negated(&mut self, expr: &Ref<Expr>, with: &str) -> String {
        let outer = std::mem::take(&mut self.before);
        self.operands(expr);
        let not = print::top(expr, self);
        let before = std::mem::replace(&mut self.before, outer);
        let before: String = before.iter().map(|b| format!("{b}{with}; ")).collect();
        format!("{before}not {not}{with}")
    }

    /// Looks up what a negated expression is given.
    fn operands(&mut self, expr: &Expr) {
        match expr {
            Expr::BoolExpr { op: BoolOp::Eq, lhs, rhs, .. }
            | Expr::AssignExpr { op: AssignOp::Eq, lhs, rhs, .. } => {
                self.made_of(lhs);
                self.made_of(rhs);
            }
            Expr::RefDot { .. } | Expr::RefBrack { .. } => self.made_of(expr),
            _ => operands(expr).into_iter().for_each(|e| self.look_up(e)),
        }
    }

    /// Looks up what stands in the brackets of a reference, and what it begins with where that is no variable; of anything else
    /// all of it.
    fn made_of(&mut self, expr: &Expr) {
        match expr {
            Expr::RefDot { refr, .. } => self.made_of(refr),
            Expr::RefBrack { refr, index, .. } => {
                self.made_of(refr);
                self.look_up(index);
            }
            Expr::Var { .. } => {}
            _ => self.look_up(expr),
        }
    }

    fn look_up(&mut self, expr: &Expr) {
        match expr {
            Expr::Var { span, .. } if self.global.contains(span.text()) => self.name(expr),
            Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().for_each(|i| self.look_up(i)),
            Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
                self.look_up(key);
                self.look_up(value);
            }),
            Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                self.made_of(expr);
                self.name(expr);
            }
            Expr::Call { .. }
            | Expr::UnaryExpr { .. }
            | Expr::BinExpr { .. }
            | Expr::BoolExpr { .. }
            | Expr::ArithExpr { .. }
            | Expr::Membership { .. } => {
                operands(expr).into_iter().for_each(|e| self.look_up(e));
                self.name(expr);
            }
            _ => {}
        }
    }

    fn name(&mut self, expr: &Expr) {
        self.count += 1;
        let name = format!("{NAME}{}", self.count);
        let text = expression(expr, self);
        self.before.push(format!("{name} := {text}"));
        self.names.insert(address(expr), name);
    }
}

fn address(expr: &Expr) -> usize {
    std::ptr::from_ref(expr).addr()
}

/// What an operation is given.
fn operands(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Call { params, .. } => params.iter().map(AsRef::as_ref).collect(),
        Expr::UnaryExpr { expr, .. } => vec![expr],
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. } => {
            vec![lhs, rhs]
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).map(AsRef::as_ref).collect()
        }
        _ => Vec::new(),
    }
}

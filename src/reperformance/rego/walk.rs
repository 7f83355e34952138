//! Every expression and statement of a module.

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleHead};

/// Something in a module.
pub(super) enum Node<'a> {
    /// An expression. A reference is one, from its root to its last part.
    Expr(&'a Expr),
    /// A statement of a body.
    Statement(&'a LiteralStmt),
}

/// Visits what a module holds; what `visit` says no to is not gone into.
pub(super) fn module<'a>(module: &'a Module, visit: &mut dyn FnMut(Node<'a>) -> bool) {
    module.policy.iter().for_each(|rule| self::rule(rule, visit));
}

/// Visits what a rule holds, but for its name.
pub(super) fn rule<'a>(rule: &'a Rule, visit: &mut dyn FnMut(Node<'a>) -> bool) {
    match rule {
        Rule::Default { args, value, .. } => args.iter().chain([value]).for_each(|e| expression(e, visit)),
        Rule::Spec { head, bodies, .. } => {
            match head {
                RuleHead::Compr { assign, refr, .. } => {
                    indexes(refr, visit);
                    assign.iter().for_each(|a| expression(&a.value, visit));
                }
                RuleHead::Set { key, refr, .. } => {
                    indexes(refr, visit);
                    key.iter().for_each(|k| expression(k, visit));
                }
                RuleHead::Func { args, assign, .. } => {
                    args.iter().chain(assign.iter().map(|a| &a.value)).for_each(|e| expression(e, visit));
                }
            }
            for body in bodies {
                body.assign.iter().for_each(|a| expression(&a.value, visit));
                query(&body.query, visit);
            }
        }
    }
}

fn query<'a>(query: &'a Query, visit: &mut dyn FnMut(Node<'a>) -> bool) {
    for stmt in &query.stmts {
        if !visit(Node::Statement(stmt)) {
            continue;
        }
        match &stmt.literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|e| expression(e, visit));
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => expression(expr, visit),
            Literal::Every { domain, query, .. } => {
                expression(domain, visit);
                self::query(query, visit);
            }
        }
        stmt.with_mods.iter().flat_map(|w| [&w.refr, &w.r#as]).for_each(|e| expression(e, visit));
    }
}

fn expression<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Node<'a>) -> bool) {
    if !visit(Node::Expr(expr)) {
        return;
    }
    let all = |items: &'a [Ref<Expr>], visit: &mut dyn FnMut(Node<'a>) -> bool| {
        items.iter().for_each(|e| expression(e, visit));
    };
    match expr {
        Expr::Array { items, .. } | Expr::Set { items, .. } => all(items, visit),
        Expr::Object { fields, .. } => fields.iter().for_each(|(_, key, value)| {
            expression(key, visit);
            expression(value, visit);
        }),
        Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
            expression(term, visit);
            self::query(query, visit);
        }
        Expr::ObjectCompr { key, value, query, .. } => {
            expression(key, visit);
            expression(value, visit);
            self::query(query, visit);
        }
        Expr::Call { params, .. } => all(params, visit),
        Expr::UnaryExpr { expr, .. } => expression(expr, visit),
        Expr::RefDot { .. } | Expr::RefBrack { .. } => indexes(expr, visit),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => {
            expression(lhs, visit);
            expression(rhs, visit);
        }
        Expr::Membership { key, value, collection, .. } => {
            key.iter().chain([value, collection]).for_each(|e| expression(e, visit));
        }
        _ => {}
    }
}

/// What stands in the brackets of a reference, and its root where that is no variable.
fn indexes<'a>(expr: &'a Expr, visit: &mut dyn FnMut(Node<'a>) -> bool) {
    match expr {
        Expr::RefDot { refr, .. } => indexes(refr, visit),
        Expr::RefBrack { refr, index, .. } => {
            indexes(refr, visit);
            expression(index, visit);
        }
        Expr::Var { .. } => {}
        _ => expression(expr, visit),
    }
}

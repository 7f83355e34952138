//! Rego again from what was parsed: every operation in parentheses, for places where text cannot be kept as it is.

use super::negation::Negation;
use regorus::unstable::{ArithOp, AssignOp, BinOp, BoolOp, Expr, Literal, LiteralStmt, Query, Ref};

/// A statement. Negations in it are said as OPA means them.
pub(super) fn statement(stmt: &LiteralStmt, names: &mut Negation) -> String {
    let with: String = stmt
        .with_mods
        .iter()
        .map(|w| format!(" with {} as {}", expression(&w.refr, names), expression(&w.r#as, names)))
        .collect();
    match &stmt.literal {
        Literal::SomeVars { vars, .. } => {
            let vars: Vec<&str> = vars.iter().map(|v| v.text()).collect();
            format!("some {}", vars.join(", "))
        }
        Literal::SomeIn { key, value, collection, .. } => {
            let key = key.as_ref().map_or_else(String::new, |k| expression(k, names) + ", ");
            format!("some {key}{} in {}{with}", expression(value, names), expression(collection, names))
        }
        Literal::Expr { expr, .. } => format!("{}{with}", top(expr, names)),
        Literal::NotExpr { expr, .. } => names.negated(expr, &with),
        Literal::Every { key, value, domain, query, .. } => {
            let key = key.as_ref().map_or_else(String::new, |k| format!("{}, ", k.text()));
            let domain = expression(domain, names);
            format!("every {key}{} in {domain} {{ {} }}{with}", value.text(), self::query(query, names))
        }
    }
}

/// The statements of a query.
pub(super) fn query(query: &Query, names: &mut Negation) -> String {
    query.stmts.iter().map(|s| statement(s, names)).collect::<Vec<_>>().join("; ")
}

/// An expression that is a statement: an assignment stands there without parentheses.
pub(super) fn top(expr: &Expr, names: &mut Negation) -> String {
    match expr {
        Expr::AssignExpr { op, lhs, rhs, .. } => {
            let op = if *op == AssignOp::Eq { "=" } else { ":=" };
            format!("{} {op} {}", expression(lhs, names), expression(rhs, names))
        }
        _ => expression(expr, names),
    }
}

/// An expression, with those of its parts replaced for which `names` has a name.
pub(super) fn expression(expr: &Expr, names: &mut Negation) -> String {
    if let Some(name) = names.name_of(expr) {
        return name;
    }
    let mut list =
        |items: &[Ref<Expr>]| items.iter().map(|i| expression(i, names)).collect::<Vec<_>>().join(", ");
    match expr {
        Expr::String { value, .. } | Expr::RawString { value, .. } => {
            value.as_string().map_or_else(|_| "\"\"".into(), |s| serde_json::Value::from(&**s).to_string())
        }
        Expr::Number { span, .. }
        | Expr::Bool { span, .. }
        | Expr::Null { span, .. }
        | Expr::Var { span, .. } => span.text().to_owned(),
        Expr::Array { items, .. } => format!("[{}]", list(items)),
        Expr::Set { items, .. } if items.is_empty() => "set()".into(),
        Expr::Set { items, .. } => format!("{{{}}}", list(items)),
        Expr::Object { fields, .. } => {
            let field = |(_, k, v): &(_, Ref<Expr>, Ref<Expr>)| {
                format!("{}: {}", expression(k, names), expression(v, names))
            };
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        Expr::ArrayCompr { term, query: q, .. } => {
            format!("[{} | {}]", expression(term, names), query(q, names))
        }
        Expr::SetCompr { term, query: q, .. } => {
            format!("{{{} | {}}}", expression(term, names), query(q, names))
        }
        Expr::ObjectCompr { key, value, query: q, .. } => {
            format!("{{{}: {} | {}}}", expression(key, names), expression(value, names), query(q, names))
        }
        Expr::Call { fcn, params, .. } => {
            let params = list(params);
            format!("{}({params})", path(fcn, names))
        }
        Expr::UnaryExpr { expr, .. } => format!("(-{})", expression(expr, names)),
        Expr::RefDot { refr, field, .. } => format!("{}.{}", expression(refr, names), field.0.text()),
        Expr::RefBrack { refr, index, .. } => {
            format!("{}[{}]", expression(refr, names), expression(index, names))
        }
        Expr::BinExpr { op, lhs, rhs, .. } => {
            infix(if *op == BinOp::Union { "|" } else { "&" }, lhs, rhs, names)
        }
        Expr::BoolExpr { op, lhs, rhs, .. } => {
            let op = match op {
                BoolOp::Lt => "<",
                BoolOp::Le => "<=",
                BoolOp::Eq => "==",
                BoolOp::Ge => ">=",
                BoolOp::Gt => ">",
                BoolOp::Ne => "!=",
            };
            infix(op, lhs, rhs, names)
        }
        Expr::ArithExpr { op, lhs, rhs, .. } => {
            let op = match op {
                ArithOp::Add => "+",
                ArithOp::Sub => "-",
                ArithOp::Mul => "*",
                ArithOp::Div => "/",
                ArithOp::Mod => "%",
            };
            infix(op, lhs, rhs, names)
        }
        Expr::AssignExpr { .. } => format!("({})", top(expr, names)),
        Expr::Membership { key, value, collection, .. } => {
            let key = key.as_ref().map_or_else(String::new, |k| expression(k, names) + ", ");
            format!("({key}{} in {})", expression(value, names), expression(collection, names))
        }
    }
}

/// The name of a function: what it is made of is no value.
fn path(fcn: &Expr, names: &mut Negation) -> String {
    match fcn {
        Expr::RefDot { refr, field, .. } => format!("{}.{}", path(refr, names), field.0.text()),
        Expr::RefBrack { refr, index, .. } => format!("{}[{}]", path(refr, names), expression(index, names)),
        _ => fcn.span().text().to_owned(),
    }
}

fn infix(op: &str, lhs: &Expr, rhs: &Expr, names: &mut Negation) -> String {
    format!("({} {op} {})", expression(lhs, names), expression(rhs, names))
}

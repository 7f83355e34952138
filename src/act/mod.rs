//! The law and the catalogue as data: levels, roles, dates, controls. What the rules do with them is in `assessment`.

mod catalogue;
mod level;

pub use catalogue::{
    Catalogue, Constraint, Control, ControlKind, Defaults, Law, Line, NoEvidence, Pack, Policy, Port,
    Reference, Registry, SourceKind, Status, Subject, Tested, Weight,
};
pub use level::{Level, Role, Route};

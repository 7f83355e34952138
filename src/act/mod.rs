//! The law and the catalogue as data: levels, roles, dates, controls. What the rules do with them is in `assessment`.

mod catalogue;
mod control;
mod level;
mod overrides;
mod pack;
mod timetable;

pub use catalogue::{Catalogue, Defaults};
pub use control::{Control, ControlKind, Line, SourceKind, Status, Subject, Tested, Weight};
pub use level::{Level, Role, Route};
pub use overrides::{OverrideError, Overrides};
pub use pack::{Constraint, Pack, Policy, Port, Registry, RequiredTags};
pub use timetable::{Date, Law, Legacy, NoEvidence, Reference};

//! The verdict: a function of the entries below the as-of and nothing else, and one that cannot fail.
//!
//! `facts` folds entries, `inventory` tells which interfaces should speak, `artifact_sets` which files belong together,
//! `deployments` what ran when, `admission` what Gatekeeper had at the door, `coverage` what was read, `estate` ties what was seen to systems, `rules` answer each control
//! with a line of its decision list, `law` says which articles bind, `house` who made a rule, `findings` add up, `exceptions` accept, `due` says by when, `metrics` count, `changes` tell what is new since the
//! last time, `dossier` whom a system talked with and what its versions passed.

mod admission;
mod artifact_sets;
pub mod changes;
pub mod coverage;
mod dates;
mod deployments;
pub mod dossier;
pub mod due;
pub mod estate;
pub mod exceptions;
pub mod facts;
pub mod findings;
mod house;
pub mod inventory;
mod law;
mod level;
mod lifecycle;
pub mod metrics;
mod rules;
pub mod selection;

pub use artifact_sets::Strays;
pub use coverage::Coverage;
pub use deployments::{Deployment, Ran};
pub use estate::{Estate, System};
pub use facts::Facts;
pub use findings::{Assessment, Basis, Counts, Excepted, Finding, Unit, assess, assess_whole};
pub use house::House;
pub use law::Law;
pub use level::{Levels, Statement};

/// Version of the rules: that of this program.
pub const RULES: &str = env!("CARGO_PKG_VERSION");
